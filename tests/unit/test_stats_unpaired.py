"""Unpaired losses: by hand, and by simulation against what goes wrong elsewhere."""

from math import log

import numpy as np
import pytest

from headgate.errors import EvidenceError
from headgate.stats.betting import Batches, Bet, log_wealth
from headgate.stats.mixture import mixture, mixture_from_any_start
from headgate.stats.unpaired import (
    Arms,
    Design,
    block_evidence,
    differences,
    unit_evidence,
)

SURE = log(20)
RUNS = 2_000
ALLOWED = 0.05 + 2 * (0.05 * 0.95 / RUNS) ** 0.5


def coins(n, events):
    """Batches of n entities with so many losses of 1, the others 0."""
    n, events = np.asarray(n, dtype=float), np.asarray(events, dtype=float)
    values = np.stack([np.zeros(n.shape), np.ones(n.shape)])
    return Batches(values, np.stack([n - events, events]))


def drawn(rng, shape, n, share, ours, theirs):
    """Both arms of batches of n entities; ``ours`` and ``theirs`` are rates, also per batch."""
    n1 = rng.binomial(n, share, shape)
    return Arms(coins(n1, rng.binomial(n1, ours)), coins(n - n1, rng.binomial(n - n1, theirs)))


def wrong(log_e):
    return float((log_e >= SURE).any(axis=-1).mean())


def test_a_block_is_the_difference_of_the_arms_means():
    arms = Arms(coins([4], [3]), coins([10], [2]))
    assert differences(arms)[0] == pytest.approx(0.55)
    design = Design(margin=0.1, variance=0.25)
    one = Batches.single([0.55])
    spread = 0.25 / 4 + 0.25 / 10  # the first block is believed what the design says
    by_hand = mixture(log_wealth(one, Bet(0.1, 1.0, spread)))
    assert block_evidence(arms, design, harm=True, any_start=False) == pytest.approx(by_hand)


def test_an_entity_is_weighed_by_the_inverse_of_its_sides_share_of_the_batch():
    arms = Arms(coins([1], [1]), coins([3], [0]))
    xi = Batches(np.array([[2.0], [2 / 3]]), np.array([[1.0], [3.0]]))  # (1 - m) / .25, m / .75 at m = .5
    by_hand = mixture(log_wealth(xi, Bet(0.1, 2.0, 0.25 / 0.25 + 0.25 / 0.75)))
    assert unit_evidence(arms, Design(margin=0.1), harm=True, any_start=False) == pytest.approx(by_hand)


def test_a_batch_in_which_one_side_has_nobody_says_nothing():
    alone = Arms(coins([0, 5], [0, 1]), coins([9, 0], [9, 0]))
    for evidence in (unit_evidence, block_evidence):
        assert evidence(alone, Design(margin=0.1), harm=False) == pytest.approx([0.0, 0.0])
    assert np.isnan(differences(alone)).all()


def test_batches_that_do_not_count_still_tell_what_to_expect():
    arms = Arms(coins([50] * 6, [2] * 6), coins([50] * 6, [2] * 6))
    design, late = Design(margin=0.05), np.array([False] * 5 + [True])
    for evidence in (unit_evidence, block_evidence):
        assert evidence(arms, design, harm=False, counted=late)[:5] == pytest.approx([0.0] * 5)
    last = unit_evidence(arms, design, harm=False, counted=late)[5]
    first = unit_evidence(arms, design, harm=False, counted=np.arange(6) == 0)[0]
    assert last > 1.5 * first > 0


@pytest.mark.parametrize(
    "design",
    [
        {"margin": 0.1, "expect": 0.1},
        {"margin": -0.1, "expect": -0.2},
        {"margin": 1.0},
        {"margin": 0.1, "harm": -1.0},
        {"margin": 0.1, "variance": 0.0},
        {"margin": 0.1, "high": 0.0},
        {"margin": 0.1, "high": np.inf},
    ],
)
def test_a_design_that_cannot_be_bet_on_is_refused(design):
    with pytest.raises(EvidenceError):
        Design(**design)


def test_a_loss_outside_its_range_is_refused():
    arms = Arms(Batches.single([0.1]), Batches.single([1.5]))
    with pytest.raises(EvidenceError, match="below the bound"):
        unit_evidence(arms, Design(margin=0.1), harm=True)


@pytest.mark.parametrize("share", [0.05, 0.5])
@pytest.mark.parametrize("harm", [False, True])
def test_neither_verdict_is_wrong_more_often_than_promised(share, harm):
    rng = np.random.default_rng([7, harm, int(share * 100)])
    worse = 0.0 if harm else 0.05
    arms = drawn(rng, (RUNS, 300), 60, share, 0.1 + worse, 0.1)
    for evidence in (unit_evidence, block_evidence):
        assert wrong(evidence(arms, Design(margin=0.05), harm=harm)) <= ALLOWED


@pytest.mark.parametrize("harm", [False, True])
@pytest.mark.parametrize("shared", [0.05, 0.2])
def test_blocks_hold_where_entities_of_a_block_and_a_side_share_their_shocks(shared, harm):
    rng, shape = np.random.default_rng([8, harm, int(shared * 100)]), (RUNS, 300)
    ours, theirs = (
        rng.beta(p * (1 / shared - 1), (1 - p) * (1 / shared - 1), shape)
        for p in (0.1 if harm else 0.15, 0.1)
    )
    arms = drawn(rng, shape, 200, 0.25, ours, theirs)
    assert wrong(block_evidence(arms, Design(margin=0.05), harm=harm)) <= ALLOWED
    assert wrong(unit_evidence(arms, Design(margin=0.05), harm=harm)) > 2 * ALLOWED  # what blocks are for


def test_uncentred_inverse_weighting_at_a_sample_ratio_mismatch_of_a_tenth():
    """The configured share as weight, nothing subtracted: a tenth too many entities look like harm."""
    rng, share, margin = np.random.default_rng(9), 0.5, 0.05
    arms = drawn(rng, (RUNS, 300), 200, 1.1 * share, 0.3, 0.3)
    ours, theirs = arms.candidate, arms.incumbent
    uncentred = Batches(
        np.concatenate([ours.values / share, -theirs.values / (1 - share)]),
        np.concatenate([ours.counts, theirs.counts]),
    )
    rule = mixture_from_any_start(log_wealth(uncentred, Bet(margin, 1 / (1 - share))))
    assert wrong(rule) > 0.88
    for evidence in (unit_evidence, block_evidence):
        assert wrong(evidence(arms, Design(margin), harm=True)) <= ALLOWED


def test_a_skewed_split_does_not_prove_a_bad_candidate_in_its_first_batch():
    """A centre that is not known yet, times a skew, is a bias; conditional on the counts it is none."""
    rng = np.random.default_rng(10)
    arms = drawn(rng, (RUNS, 20), 5_000, 0.55, 0.07, 0.05)
    assert wrong(unit_evidence(arms, Design(margin=0.02), harm=False)) <= ALLOWED


def test_a_sticky_split_makes_an_entitys_effect_persist():
    """Entities that stay on their side and come every day: counted per request, chance looks like harm."""
    rng, days, entities = np.random.default_rng(11), 100, 60
    risk = rng.beta(0.5, 4.5, (RUNS, entities))
    ours = rng.random((RUNS, entities)) < 0.5
    seen = {True: [], False: []}
    for side in (True, False):
        mine = np.where(ours == side, risk, 0.0)
        counts = np.stack([(rng.random(risk.shape) < mine).sum(axis=1) for _ in range(days)], axis=1)
        seen[side] = coins(np.repeat((ours == side).sum(axis=1)[:, None], days, axis=1), counts)
    per_request = unit_evidence(Arms(seen[True], seen[False]), Design(margin=0.05), harm=True)
    assert wrong(per_request) > 3 * ALLOWED
    first = np.arange(days) < 1  # once per rollout: on the day of its first exposure
    once = unit_evidence(Arms(seen[True], seen[False]), Design(margin=0.05), harm=True, counted=first)
    assert wrong(once) <= ALLOWED


def test_heavy_tails_against_an_asymptotic_interval():
    """Costs of which few make up the mean: the normal interval misses, capped bets do not."""
    rng, batches, n = np.random.default_rng(12), 60, 20
    cap = 0.001 ** (-1 / 1.3)  # the 99.9 % quantile of this Pareto tail
    costs = [rng.random((n, RUNS, batches)) ** (-1 / 1.3) for _ in range(2)]
    capped = [np.minimum(c, cap) for c in costs]
    design = Design(margin=2.0, low=0.0, high=cap)
    arms = Arms(*(Batches(c, np.ones(c.shape)) for c in capped))
    assert wrong(unit_evidence(arms, design, harm=True)) <= ALLOWED
    seen = n * np.arange(1, batches + 1)
    means = [np.cumsum(c.sum(axis=0), axis=-1) / seen for c in capped]
    squares = [np.cumsum((c * c).sum(axis=0), axis=-1) / seen for c in capped]
    error = np.sqrt(sum((q - m * m) / seen for q, m in zip(squares, means, strict=True)))
    missed = np.abs(means[0] - means[1]) > 1.96 * error
    assert missed.any(axis=-1).mean() > 0.2


@pytest.mark.parametrize(("share", "harm"), [(0.05, False), (0.05, True), (0.5, False), (0.5, True)])
def test_a_verdict_takes_at_most_one_and_a_half_times_what_a_clairvoyant_needs(share, harm):
    rng, rate, margin, look = np.random.default_rng(13), 0.1, 0.04, 50
    ours = rate + margin if harm else rate
    least = min(
        share * entropy(ours, p if harm else p + margin) + (1 - share) * entropy(rate, p)
        for p in np.linspace(0.01, 0.3, 2_000)
    )
    needed = SURE / least
    batches = int(5 * needed / look)
    arms = drawn(rng, (400, batches), look, share, ours, rate)
    design = Design(margin, variance=rate * (1 - rate))
    log_e = unit_evidence(arms, design, harm=harm, any_start=False)
    decided = log_e >= SURE
    taken = np.where(decided.any(axis=1), decided.argmax(axis=1) + 1, batches) * look
    assert taken.mean() / needed <= 1.4  # 400 runs: a standard error of .03; the benchmark says 1.3


def entropy(p, q):
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))
