"""The betting engine against numbers worked out by hand."""

from math import exp, log, log1p

import numpy as np
import pytest

from headgate.errors import EvidenceError
from headgate.stats.betting import BOLDNESS, Batches, Bet, log_wealth
from headgate.stats.mixture import CAPITAL, log_start_weights, mixture, mixture_from_any_start


def test_two_blocks_are_bet_on_as_worked_out_by_hand():
    paid = log_wealth(Batches.single([0.1, -0.05]), Bet(distance=0.012, bound=0.205, variance=0.01))
    most, first, second = 0.9 / 0.205, 0.012 / (0.01 + 0.000144), 0.012 / ((0.02 + 0.01) / 3 + 0.000144)
    for row, boldness in zip(paid, BOLDNESS, strict=True):
        one = log1p(min(boldness * first, most) * 0.1)
        two = log1p(min(boldness * second, most) * -0.05)
        assert row == pytest.approx([one, one + two], rel=1e-14)


def test_the_mixture_shares_the_capital_as_the_design_says():
    wealth = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    assert mixture(wealth)[0] == pytest.approx(
        log(sum(w * exp(x) for w, x in zip(CAPITAL, wealth[:, 0], strict=True)))
    )


def test_start_times_are_bet_on_as_worked_out_by_hand():
    wealth = np.array([[0.2, -0.3, 0.5]])
    capital = [0.5 * exp(0.5), 0.25 * exp(0.5 - 0.2), exp(0.5 + 0.3) / 12]
    assert mixture_from_any_start(wealth, [1.0])[-1] == pytest.approx(log(sum(capital)), rel=1e-14)


def test_harm_that_begins_late_is_found_sooner_with_start_times():
    late = Batches.single([-0.05] * 60 + [0.1] * 40)
    wealth = log_wealth(late, Bet(distance=0.05, bound=0.2, variance=0.004))
    assert mixture(wealth)[-1] < 0 < 3 < mixture_from_any_start(wealth)[-1]


def test_counts_of_discordant_pairs_give_the_capital_of_the_paired_test():
    n10, n01, n00 = 12.0, 5.0, 83.0
    batch = Batches(np.array([[1.0], [-1.0], [0.0]]), np.array([[n10], [n01], [n00]]))
    paid = log_wealth(batch, Bet(distance=0.02, bound=1.0, variance=0.1))
    stake = 0.02 / (0.1 + 0.0004)
    assert paid[2, 0] == pytest.approx(n10 * log1p(stake) + n01 * log1p(-stake), rel=1e-14)


def test_a_batch_is_never_judged_with_its_own_variance():
    calm = log_wealth(Batches.single([0.01, 0.01]), Bet(0.01, 1.0, 0.01))
    wild = log_wealth(Batches.single([0.01, 0.9]), Bet(0.01, 1.0, 0.01))
    stake = np.expm1(wild[:, 1] - wild[:, 0]) / 0.9
    assert stake == pytest.approx(np.expm1(calm[:, 1] - calm[:, 0]) / 0.01)


def test_no_batches_are_no_evidence():
    empty = log_wealth(Batches.single([]), Bet(0.01, 1.0))
    assert empty.shape == (5, 0)
    assert mixture(empty).size == mixture_from_any_start(empty).size == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.001])
def test_a_value_that_could_bankrupt_a_bet_is_refused(value):
    with pytest.raises(EvidenceError):
        log_wealth(Batches.single([0.1, value]), Bet(0.01, 1.0))


@pytest.mark.parametrize(
    "design", [{"distance": 0.0}, {"distance": -1.0}, {"bound": 0.0}, {"variance": 0.0}, {"trust": 0.0}]
)
def test_a_design_that_makes_no_bet_is_refused(design):
    with pytest.raises(EvidenceError):
        Bet(**{"distance": 0.1, "bound": 1.0, **design})


def test_extreme_designs_never_give_a_number_that_is_none():
    for distance, bound, variance in [(1e-300, 1e-300, 1e-300), (1e300, 1e-300, 1.0), (1e-3, 1e12, 1e-320)]:
        log_e = mixture_from_any_start(
            log_wealth(Batches.single([0.0, 1e200, 1e200, 0.0]), Bet(distance, bound, variance))
        )
        assert np.all(np.isfinite(log_e))


def test_a_billion_units_in_one_batch_overflow_nothing():
    batch = Batches(np.array([[1.0], [-1.0]]), np.array([[1e9], [1e8]]))
    assert np.isfinite(mixture(log_wealth(batch, Bet(0.5, 1.0))))[0]


def test_start_weights_never_spend_more_than_there_is():
    spent = np.cumsum(np.exp(log_start_weights(100_000)))
    assert spent[0] == pytest.approx(0.5)
    assert np.all(np.diff(spent) > 0)
    assert spent[-1] == pytest.approx(1 - 0.5 / 100_000)
