"""Traps of paired losses, each judged by simulation with a look at every batch (statistics.md).

Every trap is shown twice: what falls into it when done as it usually is, and what the gate does.
"""

from __future__ import annotations

import numpy as np
import pytest

from headgate.stats.betting import Batches
from headgate.stats.paired import Design, advance_evidence, rollback_evidence

ALPHA = BETA = 0.05
RUNS, DAYS, ENTITIES = 400, 120, 60
ZERO_ONE = Design(margin=0.05, limit=1.0, variance=0.01)
#: The same for single requests, whose differences vary more than a day's mean does.
UNITS = Design(margin=0.05, limit=1.0, variance=0.4, trust=100)
#: Two standard errors of a share of ALPHA among RUNS.
SLACK = 2 * np.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def ever(log_e, error):
    """Return the share of runs whose evidence ever reached the threshold."""
    return float(np.mean(np.max(log_e, axis=-1) >= -np.log(error)))


def advanced(blocks, design=ZERO_ONE):
    return ever(advance_evidence(Batches.single(blocks), design), ALPHA)


def rolled_back(blocks, design=ZERO_ONE):
    return ever(rollback_evidence(Batches.single(blocks), design), BETA)


def losses(rng, worse, better, shape=(RUNS, DAYS, ENTITIES)):
    """Return D of a 0/1 loss: 1 with chance ``worse``, -1 with chance ``better``, else 0."""
    luck = rng.random(shape)
    return (luck < worse).astype(float) - (luck > 1 - better)


def as_units(d):
    """Return every request of shape (RUNS, DAYS, n) as a unit by itself; NaN is not counted yet."""
    counts = np.stack([(d == value).sum(-1) for value in (-1, 0, 1)]).astype(float)
    return Batches(np.broadcast_to(np.array([-1.0, 0.0, 1.0])[:, None, None], counts.shape), counts)


def test_labels_that_come_sooner_when_the_answer_was_good_do_not_advance_a_bad_candidate():
    """Good news within the day, bad news after it: what is counted when it comes is all good."""
    rng = np.random.default_rng(11)
    d = losses(rng, worse=0.15, better=0.10)  # exactly at the margin
    in_time = (d <= 0) | (rng.random(d.shape) < 0.1)
    as_it_comes = np.where(in_time, d, 0).sum(-1) / in_time.sum(-1)
    bounded = np.where(in_time, d, 1.0).mean(-1)  # missing when the block closed: at its worst
    mature = d.mean(-1)  # a maturity that waits for the bad news, too
    assert advanced(as_it_comes) == 1.0
    assert advanced(bounded) == 0.0
    assert advanced(mature) <= ALPHA + SLACK


def test_agreements_counted_early_do_not_advance_a_bad_candidate():
    """An agreement needs no label, so it is known at once; disagreements wait for theirs."""
    rng = np.random.default_rng(12)
    d = losses(rng, worse=0.15, better=0.10)
    seen_on_day_thirty = np.where(d == 0, d, np.nan)[:, :30]  # no label is mature yet
    assert ever(advance_evidence(as_units(seen_on_day_thirty), UNITS), ALPHA) == 1.0
    assert ever(advance_evidence(as_units(d), UNITS), ALPHA) <= ALPHA + SLACK
    assert advanced(d.mean(-1)) <= ALPHA + SLACK


def test_a_missing_label_taken_as_candidate_wrong_on_both_sides_does_not_roll_a_fine_one_back():
    rng = np.random.default_rng(13)
    d = losses(rng, worse=0.10, better=0.10)  # equal sides
    missing = rng.random(d.shape) < 0.05
    differ = np.abs(d)  # what the answers say without a label: that they differ
    worst, best = (np.where(missing, sign * differ, d).mean(-1) for sign in (1.0, -1.0))
    small = Design(margin=0.05, limit=1.0, variance=0.01, harm=0.02)
    always_wrong = np.where(missing, 1.0, d).mean(-1)
    assert rolled_back(always_wrong, small) > 0.7
    assert rolled_back(best, small) <= BETA + SLACK
    assert advanced(worst) > 0.9  # nor do the bounds keep it from advancing


def test_total_agreement_is_a_certificate_without_any_label():
    """Where both sides say the same, D is 0 for both labels: it may all be missing."""
    agreed = np.zeros((1, DAYS))
    assert advanced(agreed) == 1.0
    assert rolled_back(agreed) == 0.0
    # One unlabelled disagreement in five is no certificate at a margin of a twentieth.
    assert advanced(np.full((1, DAYS), 0.2)) == 0.0


@pytest.mark.parametrize("mean", [0.0, 0.05])
def test_common_shocks_of_a_day_are_judged_as_one_value_a_day(mean):
    rng = np.random.default_rng(14)
    shock = rng.choice([-0.12, 0.12], size=(RUNS, DAYS, 1))  # the weather favours one side today
    d = losses(rng, worse=0.2 + (mean + shock) / 2, better=0.2 - (mean + shock) / 2)
    if mean:
        assert ever(advance_evidence(as_units(d), UNITS), ALPHA) > 3 * ALPHA
        assert advanced(d.mean(-1)) <= ALPHA + SLACK
    else:
        assert ever(rollback_evidence(as_units(d), UNITS), BETA) > 3 * BETA
        assert rolled_back(d.mean(-1)) <= BETA + SLACK


@pytest.mark.parametrize("correlation", [0.05, 0.2])
def test_clustered_entities_do_not_roll_a_fine_candidate_back(correlation):
    """Twenty requests of one entity within a block share its luck; its mean counts once."""
    rng = np.random.default_rng(15)
    spread = np.sqrt(correlation * 0.4)
    luck = rng.choice([-spread, spread], size=(RUNS, DAYS, 3, 1))  # few busy entities a day
    d = losses(rng, worse=0.2 + luck / 2, better=0.2 - luck / 2, shape=(RUNS, DAYS, 3, 20))
    assert rolled_back(d.mean(axis=(-1, -2))) <= BETA + SLACK
    requests = as_units(d.reshape(RUNS, DAYS, -1))
    assert ever(rollback_evidence(requests, UNITS), BETA) > BETA + SLACK


@pytest.mark.parametrize("q", [0.1, 0.5])
def test_an_audit_keeps_both_promises(q):
    rng = np.random.default_rng(16)
    audited = Design(margin=0.05, limit=1.0 / q, variance=0.02)
    for worse, judged in ((0.15, advanced), (0.10, rolled_back)):
        d = losses(rng, worse=worse, better=0.10)
        weighted = np.where(rng.random(d.shape) < q, d / q, 0.0).mean(-1)
        assert judged(weighted, audited) <= ALPHA + SLACK


def test_labels_that_nobody_sought_would_advance_a_bad_candidate_in_an_audit():
    """Callers praise what was right: of undrawn requests only the good news comes by itself."""
    rng = np.random.default_rng(17)
    q, d = 0.2, losses(rng, worse=0.15, better=0.10)
    drawn = rng.random(d.shape) < q
    praised = ~drawn & (d < 0)
    design = Design(margin=0.05, limit=1.0 / q, variance=0.02)
    all_labels = np.where(drawn | praised, d, 0).sum(-1) / (drawn | praised).sum(-1)
    assert advanced(all_labels, design) > 0.9
    assert advanced(np.where(drawn, d / q, 0.0).mean(-1), design) <= ALPHA + SLACK


def test_a_clipped_heavy_tail_keeps_its_promise_on_the_capped_mean():
    """Losses without a largest value are capped; the margin is on the capped mean, which is bounded."""
    rng = np.random.default_rng(18)
    cap = 20.0
    candidate, incumbent = np.minimum(rng.pareto(1.5, (2, RUNS, DAYS, ENTITIES)), cap)
    minutes = Design(margin=0.5, limit=0.2 * cap, variance=0.2)
    assert rolled_back(np.clip((candidate - incumbent).mean(-1), -4, 4), minutes) <= BETA + SLACK
