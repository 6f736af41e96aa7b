"""The detector after 100 %: rarely false, and soon when harm begins late."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headgate.errors import EvidenceError
from headgate.stats import rates
from headgate.stats.betting import Batches
from headgate.stats.mixture import CAPITAL, mixture
from headgate.stats.paired import Design, harm_wealth, rollback_evidence
from headgate.stats.watch import RUN_LENGTH, e_cusum, log_alarm, onset

DESIGN = Design(margin=0.005, limit=0.2, variance=0.0004)
SPREAD = 0.02


def blocks(rng, runs, batches, mean=0.0):
    """Block values of a fine candidate, or one that is worse by a mean."""
    return np.clip(rng.normal(mean, SPREAD, (runs, batches)), -0.2, 0.2)


def wealth(values):
    return harm_wealth(Batches.single(values), DESIGN)


def first(reached, otherwise):
    """Return per run after how many batches something was reached, at most ``otherwise``."""
    return np.where(reached.any(axis=-1), np.argmax(reached, axis=-1) + 1, otherwise)


@pytest.mark.parametrize("run_length", [50, 200])
def test_a_fine_candidate_goes_at_least_the_run_length_without_an_alarm_in_the_mean(run_length):
    """Also at the very edge of fine, where the claim is tight; runs cut short count as cut."""
    rng = np.random.default_rng(20)
    longest = 10 * run_length
    alarms = e_cusum(wealth(blocks(rng, 2_000, longest))) >= log_alarm(run_length)
    assert first(alarms, longest).mean() >= run_length


def test_so_does_a_candidate_whose_rate_is_at_its_ceiling():
    rng = np.random.default_rng(21)
    x = rng.binomial(50, 0.02, (2_000, 1_500)).astype(float)
    bets, capital = rates.rollback_bets(x, np.full_like(x, 50.0), 0.02)
    alarms = e_cusum(bets, capital) >= log_alarm(150)
    assert first(alarms, 1_500).mean() >= 150


def test_a_harmful_candidate_does_not_go_that_long():
    alarms = e_cusum(wealth(blocks(np.random.default_rng(22), 500, 400, mean=0.02))) >= log_alarm(200)
    assert first(alarms, 400).mean() < 80


def test_the_threshold_controls_run_length_and_not_a_chance_of_error():
    """Watched for long enough, most fine candidates are called harmful once: so it only signals."""
    x = np.random.default_rng(23).binomial(50, 0.02, (1_000, 2_000)).astype(float)
    n = np.full_like(x, 50.0)
    alarms = e_cusum(*rates.rollback_bets(x, n, 0.02)) >= log_alarm(50)
    assert alarms.any(axis=-1).mean() > 0.9
    proven = rates.rollback_evidence(x, n, 0.02) >= np.log(20)
    assert proven.any(axis=-1).mean() <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 1_000)


ONSET, LENGTH = 300, 500


@pytest.fixture(scope="module")
def late():
    """Thousands of blocks of a candidate that is better at first and harmful from block 300 on."""
    rng = np.random.default_rng(24)
    values = blocks(rng, 1_000, LENGTH, mean=-0.008)
    values[:, ONSET:] = blocks(rng, 1_000, LENGTH - ONSET, mean=0.025)
    return values


def delay(reached):
    """Return the mean batches from the onset to the first time after it."""
    return first(reached[:, ONSET:], LENGTH - ONSET).mean()


def by_hand(values, every):
    """Restart the evidence every so many blocks, as further attempts: their levels shrink as 1/i^2."""
    reached = np.zeros(values.shape, dtype=bool)
    for i, start in enumerate(range(0, values.shape[-1], every), start=1):
        part = values[:, start : start + every]
        log_e = rollback_evidence(Batches.single(part), DESIGN)
        reached[:, start : start + every] = log_e >= np.log(20) + np.log((np.pi * i) ** 2 / 6)
    return reached


def test_harm_that_begins_late_is_found_by_the_start_times_and_not_hidden_by_a_good_start(late):
    """M3, M27."""
    threshold = np.log(20)
    started, one_start = (
        rollback_evidence(Batches.single(late), DESIGN, any_start=any_start) for any_start in (True, False)
    )
    assert delay(started >= threshold) < 0.8 * delay(one_start >= threshold)
    assert (started >= threshold).any(axis=-1).mean() > 0.99


def test_the_detector_is_faster_than_the_start_times_and_than_restarting_by_hand(late):
    alarm = delay(e_cusum(wealth(late)) >= log_alarm(RUN_LENGTH))
    assert alarm < delay(rollback_evidence(Batches.single(late), DESIGN) >= np.log(20))
    assert all(alarm < delay(by_hand(late, every)) for every in (30, 60, 120))


@given(arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 20)), elements=st.floats(-3, 3)))
def test_the_statistic_is_the_recursion_of_the_paper(wealths):
    capital = (1 / len(wealths),) * len(wealths)
    log_m, shown = np.full(len(wealths), -np.inf), e_cusum(wealths, capital)
    for t in range(wealths.shape[1]):
        gained = wealths[:, t] - (wealths[:, t - 1] if t else 0)
        log_m = np.maximum(log_m, 0) + gained
        assert shown[t] == pytest.approx(mixture(log_m[:, None], capital)[0], abs=1e-9)


@given(arrays(np.float64, st.integers(2, 20), elements=st.floats(-0.2, 0.2)), st.integers(1, 19))
def test_the_first_looks_do_not_change_when_more_comes(values, cut):
    whole = e_cusum(wealth(values))
    assert np.array_equal(e_cusum(wealth(values[:cut])), whole[: min(cut, len(values))])


def test_thousands_of_runs_are_each_judged_like_one():
    values = blocks(np.random.default_rng(1), 5, 40)
    assert np.array_equal(e_cusum(wealth(values))[3], e_cusum(wealth(values[3])))


def test_the_onset_is_where_the_best_start_was():
    values = np.array([-0.05] * 30 + [0.05] * 10)
    assert onset(wealth(values), 39) == 30
    assert onset(wealth(values[:1]), 0) == 0


def test_nothing_watched_is_no_statistic():
    assert e_cusum(np.zeros((len(CAPITAL), 0))).shape == (0,)


@pytest.mark.parametrize("asked", [{"run_length": 1}, {"level": 0.0}, {"level": 1.5}])
def test_a_detector_that_would_always_or_never_alarm_is_refused(asked):
    with pytest.raises(EvidenceError, match="run length above 1"):
        log_alarm(**asked)


def test_resuming_makes_false_alarms_half_as_frequent():
    assert log_alarm(level=0.5) == pytest.approx(np.log(2 * RUN_LENGTH))
