"""When hours are the units of operation, and what they say then."""

import numpy as np
import pytest

from headgate.errors import EvidenceError
from headgate.stats import latency, rates
from headgate.stats.hours import FEWEST_EVENTS, FEWEST_HOURS, held, hourly_evidence, shocks


def test_the_design_effect_is_pearsons_dispersion():
    x, n = np.array([0.0, 4, 1, 0, 2, 0, 0, 1, 0, 2]), np.array([20.0, 40, 10, 30, 20, 10, 10, 50, 20, 40])
    rate = x.sum() / n.sum()
    by_hand = np.sum(n * (x / n - rate) ** 2) / 9 / (rate * (1 - rate))
    assert shocks(rates.hours(x, n)).effect[-1] == pytest.approx(by_hand)


@pytest.mark.parametrize("shared", [0.0, 0.01, 0.05])
def test_the_design_effect_is_one_plus_what_an_hours_requests_share(shared):
    rng, shape = np.random.default_rng(1), (20, 2000)
    rate = rng.beta(0.05 * (1 / shared - 1), 0.95 * (1 / shared - 1), shape) if shared else 0.05
    x = rng.binomial(40, rate, shape).astype(float)
    found = shocks(rates.hours(x, np.full(shape, 40.0))).effect[:, -1].mean()
    assert found == pytest.approx(1 + 39 * shared, rel=0.05)


def test_mirrors_and_splits_of_independent_requests_have_a_design_effect_of_one():
    rng, shape = np.random.default_rng(2), (20, 2000)
    drawn = rng.multinomial(30, [0.07, 0.04, 0.89], shape).astype(float)
    pairs = latency.Pairs(np.full(shape, 30.0), drawn[..., 0], drawn[..., 1])
    n1 = rng.binomial(60, 0.1, shape)
    slow1, slow0 = rng.binomial(n1, 0.08), rng.binomial(60 - n1, 0.05)
    arms = latency.Split(*(a.astype(float) for a in (n1, slow1, 60 - n1, slow0)), np.full(shape, 0.1))
    for hours in (latency.pair_hours(pairs), latency.split_hours(arms)):
        assert shocks(hours).effect[:, -1].mean() == pytest.approx(1, abs=0.03)


def test_without_enough_hours_and_events_no_design_effect_is_said():
    few_hours = shocks(rates.hours([5, 0] * 3 + [5], [50] * 7))
    few_events = shocks(rates.hours([4] + [0] * 50, [50] * 51))
    certain = shocks(rates.hours([50] * 20, [50] * 20))
    for found in (few_hours, few_events, certain):
        assert not found.known.any()
        assert not found.shared.any()
        assert np.isnan(found.effect).all()
    enough = shocks(rates.hours([5, 0] * 4, [50] * 8))
    assert enough.known.tolist() == [False] * (FEWEST_HOURS - 1) + [True]
    assert FEWEST_EVENTS == 5


def test_an_hour_without_a_request_says_nothing():
    x, n = np.array([0.0, 3, 0, 1, 0, 2, 0, 4]), np.full(8, 50.0)
    gaps = np.repeat(np.arange(8), 2)
    with_gaps = rates.hours(np.where(np.arange(16) % 2, 0, x[gaps]), np.where(np.arange(16) % 2, 0, n[gaps]))
    assert shocks(with_gaps).effect[-1] == shocks(rates.hours(x, n)).effect[-1]
    for harm in (False, True):
        without = rates.hourly(rates.hours(x, n), 0.01, harm=harm, any_start=False)
        assert rates.hourly(with_gaps, 0.01, harm=harm, any_start=False)[-1] == without[-1]


def test_before_any_hour_nothing_is_known():
    now = shocks(rates.hours([], [])).now()
    assert (now.known.tolist(), now.shared.tolist()) == ([False], [False])


def test_a_bet_on_an_hour_multiplies_the_capital_as_by_hand():
    shares, stakes = np.array([0.5, 0.25, 0.125, 0.125]), 0.9 / 0.02 / 3.0 ** np.arange(4)
    by_hand = np.sum(shares * (1 + stakes * 0.08) * (1 - stakes * 0.02))
    log_e = hourly_evidence(np.array([0.08, -0.02]), 0.02, any_start=False)
    assert np.exp(log_e[-1]) == pytest.approx(by_hand)


def test_a_value_past_its_bound_is_refused():
    with pytest.raises(EvidenceError):
        hourly_evidence(np.array([-0.02]), 0.01, any_start=True)


def test_hours_only_ever_take_evidence_away():
    rng = np.random.default_rng(3)
    x, n = rng.binomial(50, rng.beta(0.2, 9.8, (200, 100))).astype(float), np.full((200, 100), 50.0)
    seen = rates.hours(x, n)
    for harm, judge in ((True, rates.rollback_evidence), (False, rates.advance_evidence)):
        by_request = judge(x, n, 0.02)
        assert np.all(
            held(by_request, rates.hourly(seen, 0.02, harm=harm), shocks(seen), harm=harm) <= by_request
        )


def test_independent_requests_are_hardly_ever_taken_for_clustered():
    rng = np.random.default_rng(4)
    x = rng.binomial(50, 0.01, (1000, 300)).astype(float)
    assert shocks(rates.hours(x, np.full(x.shape, 50.0))).shared.mean() <= 0.03
