"""Traps of statistics.md and lifecycle.md, each by its name: the usual way falls in, the gate does not.

Those that need a part of their own (labels, arms, caps, the split, dwell) stand beside that part's other
tests; docs/traps.md lists all.
"""

from __future__ import annotations

import re
from datetime import timedelta
from math import log
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from headgate.evidence import BlockSum, EvidenceRow, LatencySplitSum, Source, Standing
from headgate.gates import judge
from headgate.gates.questions import log_threshold
from headgate.stats import paired, ratio, srm, unpaired
from headgate.stats.arms import Arms
from headgate.stats.betting import Batches
from headgate.stats.blocks import LARGEST_DESIGN_EFFECT, design_effect
from headgate.stats.segments import log_mean, weights
from headgate.verdicts import Verdict
from tests.builders import APRIL, plan

ALPHA, RUNS, LOOKS = 0.05, 400, 300
SURE = log(1 / ALPHA)
#: What a gate that keeps its promise of 5 % may show in so many runs.
ALLOWED = ALPHA + 2 * (ALPHA * (1 - ALPHA) / RUNS) ** 0.5
Z = float(norm.ppf(1 - ALPHA))
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def ever(found):
    """Return the share of runs in which it ever was so."""
    return float(found.any(axis=-1).mean())


def coins(events, n):
    """Return batches of n entities with so many losses of 1, the others 0."""
    n = np.broadcast_to(n, events.shape).astype(float)
    return Batches(
        np.stack([np.zeros_like(n), np.ones_like(n)]), np.stack([n - events, events.astype(float)])
    )


def arms_of(e1, n1, e0, n0):
    return Arms(coins(e1, n1), coins(e0, n0))


def z_of(e1, n1, e0, n0):
    """Return z of the difference of two rates."""
    p = (e1 + e0) / (n1 + n0)
    return (e1 / n1 - e0 / n0) / np.sqrt(p * (1 - p) * (1 / n1 + 1 / n0))


@pytest.fixture(scope="module")
def equal_arms():
    """Equal candidates in an even split, a look after every hundred entities of each side."""
    e1, e0 = np.random.default_rng(31).binomial(100, 0.1, (2, RUNS, LOOKS))
    log_e = unpaired.unit_evidence(arms_of(e1, 100, e0, 100), unpaired.Design(margin=0.02), harm=True)
    assert ever(log_e >= SURE) <= ALLOWED
    return e1, e0


def test_a_fixed_sample_test_repeated_at_every_look_rolls_equal_candidates_back(equal_arms):
    e1, e0 = (np.cumsum(e, axis=-1) for e in equal_arms)
    n = 100.0 * np.arange(1, LOOKS + 1)
    z = z_of(e1, n, e0, n)
    assert (z[:, -1] > Z).mean() <= ALLOWED  # looked at once it is what it says
    assert ever(z > Z) > 0.25


def test_n_failed_checks_in_a_row_roll_equal_candidates_back(equal_arms):
    """A check fails where the look's own rate is above what teams set: the usual rate + the margin."""
    failed = equal_arms[0] / 100 > 0.12
    three = failed[:, :-2] & failed[:, 1:-1] & failed[:, 2:]
    assert ever(three) > 0.6


def test_mann_whitney_per_interval_rolls_equal_candidates_back():
    rng, n = np.random.default_rng(32), 20
    both = rng.gamma(2.0, 0.1, (100, LOOKS, 2 * n)).clip(0, 1)
    ranks = rankdata(both, axis=-1)[..., :n].sum(axis=-1)
    z = (ranks - n * (2 * n + 1) / 2) / np.sqrt(n * n * (2 * n + 1) / 12)
    assert ever(z > norm.ppf(0.99)) > 0.85  # each interval alone at 1 %
    sides = (
        Batches(np.moveaxis(side, -1, 0), np.ones((n, 100, LOOKS))) for side in np.split(both, 2, axis=-1)
    )
    log_e = unpaired.unit_evidence(Arms(*sides), unpaired.Design(margin=0.05), harm=True)
    assert ever(log_e >= SURE) <= ALPHA + 2 * (ALPHA * (1 - ALPHA) / 100) ** 0.5


def test_raw_arm_means_pooled_over_a_ramp_take_a_change_in_time_for_a_difference():
    """The share goes up while failures become more frequent for both: more of the candidate's are late."""
    rng, n = np.random.default_rng(33), 200
    share = np.repeat([0.05, 0.25, 0.5, 0.9], 15)
    rate = np.repeat([0.05, 0.08, 0.12, 0.2], 15)
    n1 = rng.binomial(n, share, (RUNS, 60))
    e1, e0 = rng.binomial(n1, rate), rng.binomial(n - n1, rate)
    pooled = [np.cumsum(counts, axis=-1) for counts in (e1, n1, e0, n - n1)]
    assert (z_of(*(p[:, -1] for p in pooled)) > Z).mean() > 0.95
    arms, design = arms_of(e1, n1, e0, n - n1), unpaired.Design(margin=0.02)
    for evidence in (unpaired.unit_evidence, unpaired.block_evidence):
        assert ever(evidence(arms, design, harm=True) >= SURE) <= ALLOWED
    events = ratio.Events(*(counts.astype(float) for counts in (n1, e1, n - n1, e0)))
    assert ever(ratio.rollback_evidence(events, 1.5) >= SURE) <= ALLOWED


def test_latency_shown_over_a_ramp_is_that_of_one_step():
    """Both sides are hardly ever slow, then one time in five: pooled, the candidate looks slower."""
    latency = {"name": "latency", "metric": "latency", "quantile": 0.95, "ratio": 1.25, "applies": "split"}
    rows = [
        EvidenceRow("latency", None, APRIL + (48 * step + i) * HOUR, step + 1, share, Source.PLANE, "", sums)
        for step, share, sums in (
            (0, 500, LatencySplitSum(10, 190, 0, 0, 0)),
            (1, 5_000, LatencySplitSum(100, 100, 20, 20, 20)),
        )
        for i in range(48)
    ]
    standing = Standing(step=2, entry=2, share_bp=5_000, confirmed_at=APRIL + 2 * DAY, now=APRIL + 5 * DAY)
    found = judge(plan(gates=[latency]), rows, standing).verdicts[0]
    assert found.estimate == pytest.approx(0.0)
    assert found.lower < 0 < found.upper


def turned():
    """A candidate that is better for forty days and then worse by six times the margin."""
    mean = np.repeat([-0.02, 0.03], [40, 80])
    return mean + np.random.default_rng(34).normal(0, 0.02, (RUNS, 120)).clip(-0.15, 0.15)


def days(values):
    return [
        EvidenceRow(
            "quality", None, APRIL + i * DAY, 0, 0, Source.SHADOW, "",
            BlockSum(value, value, value, entities=50, pairs=60, spread=0.5),
        )
        for i, value in enumerate(values)
    ]  # fmt: skip


def test_the_running_maximum_would_advance_a_candidate_that_has_turned_bad_and_the_evidence_of_now_does_not():
    log_e = paired.advance_evidence(Batches.single(turned()), paired.Design(0.005, 0.2, variance=0.0004))
    assert (log_e.max(axis=-1) >= SURE).mean() > 0.95
    assert (log_e[:, -1] >= SURE).mean() <= ALLOWED
    quality = {"name": "quality", "metric": "brier", "margin": 0.005, "variance": 0.0004, "harm": 0.1}
    rows = days(turned()[0])
    asked, verdicts = plan(gates=[quality]), []
    for seen in (40, 120):
        standing = Standing(0, 0, 0, APRIL, APRIL + 130 * DAY)
        verdicts.append(judge(asked, rows[:seen], standing).verdicts[0].verdict)
    assert verdicts[0] is Verdict.PASS
    assert verdicts[1] in (Verdict.INCONCLUSIVE, Verdict.FAIL)


def test_carried_proof_lets_a_candidate_that_turned_bad_pass_a_step_and_fresh_evidence_does_not():
    """What a carried gate proves is about the whole rollout so far; ``evidence: fresh`` is stricter."""
    design = paired.Design(0.005, 0.2, variance=0.0004)
    d, step = turned(), slice(40, 42)
    carried = paired.advance_evidence(Batches.single(d), design)[:, step]
    fresh = paired.advance_evidence(Batches.single(d[:, 40:]), design)
    assert (carried[:, -1] >= SURE).mean() > 0.9
    assert ever(fresh >= SURE) <= ALLOWED
    harm = paired.rollback_evidence(Batches.single(d), design)
    assert ever(harm[:, 40:] >= SURE) > 0.95  # and it is the start times that find it


def test_evidence_per_entity_proves_what_only_the_weather_of_a_week_did():
    """Entities of a day share its weather: each as a unit is sixty times the evidence there is."""
    rng, entities, week = np.random.default_rng(35), 60, 7
    shock = rng.choice([-0.1, 0.1], size=(1, RUNS, 28))
    each = (0.05 + shock + rng.normal(0, 0.1, (entities, RUNS, 28))).clip(-1, 1)  # at the margin
    design = paired.Design(0.05, 1.0, variance=0.02)
    per_entity = paired.advance_evidence(Batches(each, np.ones(each.shape)), design)
    by_block = paired.advance_evidence(Batches.single(each.mean(axis=0)), design)
    assert ever(per_entity[:, :week] >= SURE) > 0.2
    assert ever(by_block >= SURE) <= ALLOWED
    means, predicted = each.mean(axis=0), each.var(axis=0, ddof=1) / entities
    effects = [design_effect(means[i].tolist(), predicted[i].tolist()) for i in range(50)]
    assert min(effects) > LARGEST_DESIGN_EFFECT  # measured, so that single requests are refused


def test_a_sample_ratio_counted_by_requests_calls_a_fair_split_unfair():
    """A few entities send most requests, and each of them stays on its side."""
    rng, entities, runs = np.random.default_rng(36), 2_000, 200
    ours = rng.random((runs, entities)) < 0.5
    requests = np.ceil(rng.pareto(1.2, (runs, entities)) * 3 + 1).clip(max=500)
    by_request = zip((requests * ours).sum(-1), (requests * ~ours).sum(-1), strict=True)
    by_entity = zip(ours.sum(-1), (~ours).sum(-1), strict=True)
    alarms = [
        np.mean([srm.log_bayes_factor(int(n1), int(n0), 0.5) >= -log(srm.ALPHA) for n1, n0 in counts])
        for counts in (by_request, by_entity)
    ]
    assert alarms[0] > 0.5
    assert alarms[1] <= 0.01


def test_a_zero_mean_baseline_does_not_skip_the_check():
    """Where the incumbent never fails there is no relative increase, but harm all the same."""
    e1, e0 = np.full((1, 40), 20), np.zeros((1, 40), dtype=int)
    with np.errstate(divide="ignore", invalid="ignore"):
        increase = (e1 / 100 - e0 / 100) / (e0 / 100)
    assert not np.isfinite(increase).any()  # what others then skip
    arms, design = arms_of(e1, 100, e0, 100), unpaired.Design(margin=0.02)
    for evidence in (unpaired.unit_evidence, unpaired.block_evidence):
        assert (evidence(arms, design, harm=True)[:, -1] >= SURE).all()
        assert not (evidence(arms, design, harm=False) >= SURE).any()
    events = ratio.Events(
        np.full((1, 40), 100.0), e1.astype(float), np.full((1, 40), 100.0), e0.astype(float)
    )
    assert (ratio.rollback_evidence(events, 1.5)[:, -1] >= SURE).all()


def test_a_minimum_of_samples_blocks_no_roll_back():
    quality = {"name": "quality", "metric": "brier", "margin": 0.005, "variance": 0.0004, "min_samples": 500}
    standing = Standing(0, 0, 0, APRIL, APRIL + 90 * DAY)
    found = judge(plan(gates=[quality]), days([0.03] * 60), standing)
    assert (found.verdicts[0].verdict, found.failed) == (Verdict.FAIL, "quality")


def test_trying_again_until_it_passes_does_not_add_to_the_chance_of_a_bad_candidate():
    attempts, runs = 20, 150
    draw = np.random.default_rng(37).normal(0, 0.03, (runs, attempts, 200)).clip(-0.15, 0.15)
    design = paired.Design(0.01, 0.2, variance=0.001)
    most = paired.advance_evidence(Batches.single(0.01 + draw), design).max(axis=-1)
    lowered = np.array([log_threshold(ALPHA, attempt) for attempt in range(1, attempts + 1)])
    assert ever(most >= SURE) > 4 * ALPHA
    assert ever(most >= lowered) <= ALPHA + 2 * (ALPHA * (1 - ALPHA) / runs) ** 0.5


def test_looking_at_twenty_segments_one_by_one_rolls_a_fine_candidate_back():
    rng, segments, runs = np.random.default_rng(38), 20, 200
    each = rng.normal(0, 0.05, (segments, runs, 100)).clip(-0.2, 0.2)
    design = paired.Design(0.02, 0.2, variance=0.0025)
    by_segment = paired.rollback_evidence(Batches.single(each), design)
    overall = paired.rollback_evidence(Batches.single(each.mean(axis=0)), design)
    assert ever((by_segment >= SURE).any(axis=0)) > 3 * ALPHA
    shares = weights({"quality": [f"origin={i}" for i in range(segments)]})
    together = log_mean(np.stack([overall, *by_segment]), list(shares.values()))
    assert ever(together >= SURE) <= ALPHA + 2 * (ALPHA * (1 - ALPHA) / runs) ** 0.5


def test_a_loose_bound_delays_a_proof_by_months():
    """On the flights a bound of 1 where days lie within .2 delayed it by half a year."""
    d = -0.007 + np.random.default_rng(39).normal(0, 0.02, (50, 400)).clip(-0.15, 0.15)
    first = []
    for bound in (0.2, 1.0):
        log_e = paired.advance_evidence(Batches.single(d), paired.Design(0.005, bound, expect=-0.007))
        reached = (log_e >= SURE).cumsum(axis=-1) > 0
        first.append(np.where(reached.any(axis=-1), reached.argmax(axis=-1), 400).mean())
    assert first[1] > first[0] + 60


def test_every_trap_in_the_docs_names_a_test_that_is_there():
    tests, where = Path(__file__).parents[1], ""
    text = (tests.parent / "docs" / "traps.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)?::(test_\w+)`", text)
    assert len(named) > 40
    for file, name in named:
        where = file or where
        assert f"def {name}(" in (tests / where).read_text(encoding="utf-8")
