"""Each method against numbers worked out by hand, and against what it must refuse."""

from math import comb, exp, log

import numpy as np
import pytest

from headgate.errors import EvidenceError
from headgate.stats import latency, paired, rates
from headgate.stats.betting import Batches, Bet, log_wealth
from headgate.stats.blocks import autocorrelation, design_effect
from headgate.stats.display import mean_limit, rate_interval
from headgate.stats.mixture import mixture
from headgate.stats.segments import weights
from headgate.stats.srm import log_bayes_factor


def test_one_error_at_near_zero_traffic_is_not_a_full_error_rate():
    log_e = rates.rollback_evidence([1], [1], 0.01, any_start=False)[0]
    assert log_e < log(1 / 0.05)  # 1 of 1 is a hundred times the ceiling, and next to no evidence
    lower, upper = rate_interval(1, 1)
    assert lower < 0.1 < upper


def test_a_clean_proof_takes_four_to_five_hundred_requests():
    log_e = rates.advance_evidence(np.zeros(1000), np.ones(1000), 0.01)
    assert 300 <= int(np.argmax(log_e >= log(20))) + 1 <= 500


def test_a_likelihood_ratio_is_the_one_of_the_textbook():
    ratio = rates.log_likelihood_ratios([3, 1], [100, 50], 0.02, [2.0])[0, -1]
    assert ratio == pytest.approx(4 * log(0.04 / 0.02) + 146 * log(0.96 / 0.98))


def test_an_alternative_never_reaches_certainty():
    high = rates.log_likelihood_ratios([9], [10], 0.4, [10.0])[0, 0]
    assert high == pytest.approx(9 * log(0.7 / 0.4) + log(0.3 / 0.6))


def test_superiority_is_proved_against_a_margin_below_zero():
    design = paired.Design(margin=-0.01, limit=0.2, expect=-0.03, harm=0.02, variance=0.001)
    equal = paired.advance_evidence(Batches.single([0.0] * 200), design)
    better = paired.advance_evidence(Batches.single([-0.03] * 200), design)
    assert equal[-1] < 0 < log(20) < better[-1]
    between = Batches.single([-0.005] * 200)  # better, by less than asked: neither verdict
    assert paired.advance_evidence(between, design)[-1] < log(20)
    assert paired.rollback_evidence(between, design)[-1] < log(20)


@pytest.mark.parametrize(
    "design",
    [
        {"margin": 0.005, "expect": 0.005},
        {"margin": -0.01, "expect": -0.02},
        {"margin": 0.2},
        {"margin": 0.01, "harm": -1.0},
    ],
)
def test_a_paired_design_without_a_distance_is_refused(design):
    with pytest.raises(EvidenceError):
        paired.rollback_evidence(Batches.single([0.0]), paired.Design(limit=0.2, **design))


def test_mirrored_pairs_bet_on_discordance_alone():
    quantile = latency.Quantile(0.95, 1.25)
    pairs = latency.Pairs(np.array([500.0]), np.array([4.0]), np.array([21.0]))
    values, counts = np.array([[1.0], [-1.0], [0.0]]), np.array([[21.0], [4.0], [475.0]])
    bet = Bet(0.05 - 0.05**1.25, 1.0, 0.05 + 0.05**1.25 - 2 * 0.05**2.25, trust=100)
    by_hand = mixture(log_wealth(Batches(values, counts), bet))
    assert latency.pair_evidence(pairs, quantile, harm=False) == pytest.approx(by_hand)


def test_a_skewed_split_of_equal_sides_does_not_look_like_harm():
    rng = np.random.default_rng(1)
    n1 = rng.binomial(200, 0.25 * 1.1, (400, 100)).astype(float)  # a tenth more than was configured
    slow1, slow0 = (rng.binomial(n.astype(int), 0.05).astype(float) for n in (n1, 200 - n1))
    arms = latency.Split(n1, slow1, 200 - n1, slow0, np.full(n1.shape, 0.25))
    log_e = latency.split_evidence(arms, latency.Quantile(0.95, 1.25), harm=True)
    assert (log_e >= log(20)).any(axis=1).mean() <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_a_tolerated_slowdown_leaves_a_distance_to_bet_on():
    for tolerate in (1.0, 1.1, 1.25, 2.0):
        assert latency.Quantile(0.95, 1.25, tolerate).distance(harm=True) > 0


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_split_of_one_side_is_refused(share):
    one = np.ones(1)
    with pytest.raises(EvidenceError, match="share"):
        latency.Split(one, one, one, one, share * one)


def test_counts_that_cannot_be_are_refused():
    with pytest.raises(EvidenceError):
        latency.Pairs(np.array([5.0]), np.array([3.0]), np.array([3.0]))
    with pytest.raises(EvidenceError):
        rates.advance_evidence([2], [1], 0.01)
    with pytest.raises(EvidenceError):
        log_bayes_factor(-1, 3, 0.5)


def test_the_sample_ratio_factor_averages_to_one_under_the_configured_split():
    n, share = 30, 0.2
    chances = [comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    mean = sum(c * exp(log_bayes_factor(k, n - k, share)) for k, c in enumerate(chances))
    assert mean == pytest.approx(1)


def test_a_tenth_too_many_entities_is_noticed():
    assert log_bayes_factor(5_500, 44_500, 0.1) > log(1000) > 0 > log_bayes_factor(5_000, 45_000, 0.1)


def test_shared_shocks_show_as_a_design_effect():
    rng = np.random.default_rng(3)
    shocks = rng.normal(0, 1, 200)
    means = shocks + rng.normal(0, 0.1, 200)
    assert design_effect(list(means), [0.01] * 200) > 50
    assert design_effect(list(rng.normal(0, 0.1, 200)), [0.01] * 200) == pytest.approx(1, abs=0.3)


def test_few_blocks_say_nothing_and_a_constant_says_independent():
    assert design_effect([0.0, 1.0, 2.0, 3.0], [1.0] * 4) is None
    assert autocorrelation([0.0, 1.0, 2.0, 3.0]) is None
    assert design_effect([0.5] * 9, [0.0] * 9) == 1.0
    assert design_effect([0.0, 1.0] * 5, [0.0] * 10) == float("inf")


def test_an_interval_holds_at_every_look_and_closes_in():
    rng = np.random.default_rng(8)
    days = np.clip(rng.normal(0.01, 0.03, (100, 60)), -0.2, 0.2)
    missed = 0
    for run in days:
        limits = [mean_limit(Batches.single(run[:t]), 0.2) for t in (5, 20, 60)]
        missed += min(limits) < 0.01
    assert missed / 100 <= 0.025 + 2 * (0.025 * 0.975 / 100) ** 0.5
    assert mean_limit(Batches.single(days[0]), 0.2) < mean_limit(Batches.single(days[0][:10]), 0.2)


def test_no_data_leaves_the_whole_range():
    assert rate_interval(0, 0) == (0.0, 1.0)
    assert mean_limit(Batches.single([]), 0.2) == 0.2


def test_gates_share_the_budget_alike_and_segments_share_half_of_their_gates():
    found = weights({"quality": ["a", "b"], "errors": [], "latency": []})
    assert found["quality", None] == pytest.approx(1 / 6)
    assert found["quality", "a"] == pytest.approx(1 / 12)
    assert sum(found.values()) == pytest.approx(1)
