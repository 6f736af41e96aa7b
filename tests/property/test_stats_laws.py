"""Laws of the betting engine, whatever is drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.stats import latency, paired, rates
from headgate.stats.betting import Batches, Bet, log_wealth
from headgate.stats.display import mean_limit, rate_interval
from headgate.stats.hours import held, shocks
from headgate.stats.mixture import mixture, mixture_from_any_start
from headgate.stats.segments import log_mean, weights

values = st.lists(st.floats(-1, 1, allow_nan=False), min_size=1, max_size=40)
designs = st.builds(
    Bet, distance=st.floats(1e-6, 10), bound=st.floats(1, 5), variance=st.none() | st.floats(1e-9, 10)
)


@given(values, designs)
def test_evidence_is_always_a_finite_number(xi, bet):
    wealth = log_wealth(Batches.single(xi), bet)
    assert np.all(np.isfinite(mixture(wealth)))
    assert np.all(np.isfinite(mixture_from_any_start(wealth)))


@given(values, designs, st.data())
def test_a_longer_history_never_changes_a_bit_of_what_was_seen_before(xi, bet, data):
    cut = data.draw(st.integers(1, len(xi)))
    whole, part = (log_wealth(Batches.single(x), bet) for x in (xi, xi[:cut]))
    assert whole[:, :cut].tobytes() == part.tobytes()
    assert mixture_from_any_start(whole)[:cut].tobytes() == mixture_from_any_start(part).tobytes()


@given(st.lists(values, min_size=2, max_size=5), designs)
def test_many_runs_at_once_are_the_same_bits_as_each_alone(runs, bet):
    length = min(map(len, runs))
    together = np.array([run[:length] for run in runs])
    found = mixture_from_any_start(log_wealth(Batches.single(together), bet))
    for row, run in zip(found, together, strict=True):
        alone = mixture_from_any_start(log_wealth(Batches.single(run), bet))
        assert row.tobytes() == alone.tobytes()


@given(st.lists(st.integers(-8, 8), min_size=1, max_size=40), st.integers(-20, 20))
def test_the_unit_of_a_metric_does_not_matter(eighths, power):
    scale = 2.0**power  # a power of two rounds nothing
    xi = np.array(eighths) / 8
    one = log_wealth(Batches.single(xi), Bet(0.1, 1.0, 0.3))
    other = log_wealth(Batches.single(xi * scale), Bet(0.1 * scale, scale, 0.3 * scale**2))
    assert one.tobytes() == other.tobytes()


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=8)
)
def test_unused_places_of_a_batch_change_nothing(hours):
    xi = np.tile([[1.0], [-1.0], [0.0]], (1, len(hours)))
    counts = np.array(hours, dtype=float).T
    padded = Batches(
        np.vstack([xi, np.zeros((2, len(hours)))]), np.vstack([counts, np.zeros((2, len(hours)))])
    )
    bet = Bet(0.05, 1.0, 0.2)
    assert log_wealth(padded, bet).tobytes() == log_wealth(Batches(xi, counts), bet).tobytes()


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=20),
    st.floats(0.001, 0.9),
)
def test_evidence_about_a_rate_is_always_a_finite_number(hours, ceiling):
    x = np.array([hour[0] for hour in hours], dtype=float)
    n = x + np.array([hour[1] for hour in hours], dtype=float)
    fine, harm = rates.advance_evidence(x, n, ceiling), rates.rollback_evidence(x, n, ceiling)
    assert np.all(np.isfinite(fine))
    assert np.all(np.isfinite(harm))


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.lists(st.text(), unique=True, max_size=4), max_size=6)
)
def test_guardrails_never_spend_more_than_one_budget(segments):
    found = weights(segments)
    assert sum(found.values()) <= 1 + 1e-12
    assert all(weight > 0 for weight in found.values())


@given(st.lists(st.floats(-700, 700), min_size=1, max_size=6))
def test_a_mean_of_e_values_lies_between_them(log_e):
    mean = log_mean(np.array(log_e)[:, np.newaxis], [1 / len(log_e)] * len(log_e))[0]
    assert min(log_e) - 1e-9 <= mean <= max(log_e) + 1e-9


@given(st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=30))
def test_the_limit_of_a_mean_lies_above_what_was_seen(days):
    limit = mean_limit(Batches.single(days), 0.2)
    assert np.mean(days) - 1e-12 <= limit <= 0.2


@given(st.integers(0, 10_000), st.data())
def test_the_limits_of_a_rate_hold_what_was_seen(n, data):
    x = data.draw(st.integers(0, n))
    lower, upper = rate_interval(n, x)
    assert 0 <= lower <= (x / n if n else 0.5) <= upper <= 1


RUNS = 400
ALLOWED = 0.05 + 2 * (0.05 * 0.95 / RUNS) ** 0.5
SURE = np.log(20)


@pytest.mark.parametrize("spread", [0.05, 0.1])
def test_an_equal_candidate_is_rolled_back_as_rarely_as_promised(spread):
    rng = np.random.default_rng(1)
    days = rng.normal(0, spread, (RUNS, 300)).clip(-0.2, 0.2)
    log_e = paired.rollback_evidence(Batches.single(days), paired.Design(0.005, 0.2))
    assert (log_e >= SURE).any(axis=1).mean() <= ALLOWED


def test_a_candidate_at_its_margin_is_advanced_as_rarely_as_promised():
    rng = np.random.default_rng(2)
    days = 0.005 + rng.normal(0, 0.04, (RUNS, 300)).clip(-0.195, 0.195)
    design = paired.Design(0.005, 0.2, expect=-0.007, variance=0.002)
    assert (paired.advance_evidence(Batches.single(days), design) >= SURE).any(axis=1).mean() <= ALLOWED


def test_a_rate_at_its_ceiling_is_judged_wrongly_as_rarely_as_promised():
    rng = np.random.default_rng(3)
    x, n = rng.binomial(30, 0.02, (RUNS, 300)).astype(float), np.full((RUNS, 300), 30.0)
    for judged in (rates.advance_evidence, rates.rollback_evidence):
        assert (judged(x, n, 0.02) >= SURE).any(axis=1).mean() <= ALLOWED


def test_equal_latencies_are_judged_wrongly_as_rarely_as_promised():
    rng, shape, quantile = np.random.default_rng(4), (RUNS, 300), latency.Quantile(0.95, 1.25)
    n1 = rng.binomial(40, 0.1, shape)
    slow1, slow0 = rng.binomial(n1, 0.05), rng.binomial(40 - n1, 0.05)
    arms = latency.Split(*(a.astype(float) for a in (n1, slow1, 40 - n1, slow0)), np.full(shape, 0.1))
    for harm in (False, True):
        wrong = latency.split_evidence(arms, quantile, harm=harm) >= SURE
        assert wrong.any(axis=1).mean() <= ALLOWED


@pytest.mark.parametrize("shared", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("size", [50, 200])
def test_requests_that_fail_together_roll_a_fine_candidate_back_as_rarely_as_promised(shared, size):
    runs = 2000
    rng, shape = np.random.default_rng(5), (runs, 300)
    rate = rng.beta(0.01 * (1 / shared - 1), 0.99 * (1 / shared - 1), shape) if shared else 0.01
    x, n = rng.binomial(size, rate, shape).astype(float), np.full(shape, float(size))
    seen = rates.hours(x, n)
    by_hour = rates.hourly(seen, 0.01, harm=True)
    log_e = held(rates.rollback_evidence(x, n, 0.01), by_hour, shocks(seen), harm=True)
    for judged in (log_e, by_hour):
        assert (judged >= SURE).any(axis=1).mean() <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


@pytest.mark.parametrize("shared", [0.01, 0.05])
def test_sides_that_are_slow_in_bursts_are_rolled_back_as_rarely_as_promised(shared):
    runs = 2000
    rng, shape, quantile = np.random.default_rng(6), (runs, 300), latency.Quantile(0.95, 1.25)
    slow = rng.beta(0.05 * (1 / shared - 1), 0.95 * (1 / shared - 1), (2, *shape))
    n1 = rng.binomial(200, 0.25, shape)
    counts = (n1, rng.binomial(n1, slow[0]), 200 - n1, rng.binomial(200 - n1, slow[1]))
    arms = latency.Split(*(a.astype(float) for a in counts), np.full(shape, 0.25))
    seen = latency.split_hours(arms)
    by_request = latency.split_evidence(arms, quantile, harm=True)
    assert (by_request >= SURE).any(axis=1).mean() > 2 * ALLOWED  # what this is for
    judged = held(by_request, latency.hourly(seen, harm=True), shocks(seen), harm=True)
    assert (judged >= SURE).any(axis=1).mean() <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), min_size=1, max_size=30), st.data())
def test_later_hours_never_change_a_bit_of_the_design_effect_before(drawn, data):
    x = np.array([hour[0] for hour in drawn], dtype=float)
    n = x + np.array([hour[1] for hour in drawn], dtype=float)
    cut = data.draw(st.integers(1, len(drawn)))
    whole, part = rates.hours(x, n), rates.hours(x[:cut], n[:cut])
    assert shocks(whole).effect[:cut].tobytes() == shocks(part).effect.tobytes()
    assert (
        rates.hourly(whole, 0.02, harm=True)[:cut].tobytes() == rates.hourly(part, 0.02, harm=True).tobytes()
    )
    together = rates.hours(np.stack([x, x]), np.stack([n, n]))
    assert shocks(together).effect[1].tobytes() == shocks(whole).effect.tobytes()
    known = shocks(whole).known
    assert np.isfinite(shocks(whole).effect[known]).all()
    assert np.isfinite(rates.hourly(whole, 0.02, harm=False)).all()
