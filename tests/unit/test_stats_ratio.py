"""The ratio of two rare rates: by hand, and by simulation."""

from math import inf, log

import numpy as np
import pytest

from headgate.errors import EvidenceError
from headgate.stats.mixture import mixture_from_any_start
from headgate.stats.ratio import (
    Events,
    advance_evidence,
    ratio_interval,
    ratio_wealth,
    rollback_evidence,
)

SURE = log(20)
RUNS = 2_000
ALLOWED = 0.05 + 2 * (0.05 * 0.95 / RUNS) ** 0.5


def drawn(rng, shape, n, share, ours, theirs):
    n1 = rng.binomial(n, share, shape)
    counts = (n1, rng.binomial(n1, ours), n - n1, rng.binomial(n - n1, theirs))
    return Events(*(c.astype(float) for c in counts))


def events(*counts):
    return Events(*(np.array(c, dtype=float) for c in counts))


def wrong(log_e):
    return float((log_e >= SURE).any(axis=-1).mean())


def test_the_capital_is_the_likelihood_ratio_of_whose_events_they_are():
    seen = events([100], [3], [300], [2])
    share = {r: 100 * r / (100 * r + 300) for r in (1.0, 2.0)}
    by_hand = 3 * log(share[1.0] / share[2.0]) + 2 * log((1 - share[1.0]) / (1 - share[2.0]))
    assert ratio_wealth(seen, 2.0, [1.0])[0, 0] == pytest.approx(by_hand)


def test_batches_without_events_or_without_one_side_say_nothing():
    seen = events([10, 0, 5, 0], [0, 0, 2, 0], [20, 7, 0, 0], [0, 3, 0, 0])
    assert advance_evidence(seen, 2.0) == pytest.approx(np.zeros(4))


def test_batches_that_do_not_count_are_not_bet_on():
    seen = events([50, 50], [1, 1], [50, 50], [4, 4])
    late = advance_evidence(seen, 2.0, np.array([False, True]))
    assert late[0] == 0
    assert late[1] == pytest.approx(advance_evidence(seen, 2.0)[0])


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_neither_verdict_is_wrong_more_often_than_promised(share):
    rng = np.random.default_rng(21)
    equal = drawn(rng, (RUNS, 300), 500, share, 0.01, 0.01)
    assert wrong(rollback_evidence(equal, 1.5)) <= ALLOWED
    bad = drawn(rng, (RUNS, 300), 500, share, 0.015, 0.01)
    assert wrong(advance_evidence(bad, 1.5)) <= ALLOWED


def test_common_shocks_that_make_events_frequent_on_both_sides_cancel():
    rng, shape = np.random.default_rng(22), (RUNS, 300)
    rate = rng.beta(0.01 * 19, 0.99 * 19, shape)  # an intra-block correlation of .05
    assert wrong(rollback_evidence(drawn(rng, shape, 500, 0.25, rate, rate), 1.5)) <= ALLOWED


def test_a_sample_ratio_mismatch_of_a_tenth_does_not_look_like_more_events():
    """Against the configured share ten per cent more entities are ten per cent more events."""
    rng, share = np.random.default_rng(23), 0.5
    seen = drawn(rng, (RUNS, 300), 500, 1.1 * share, 0.02, 0.02)
    assert wrong(rollback_evidence(seen, 1.2)) <= ALLOWED
    n = seen.n1 + seen.n0
    configured = Events(n * share, np.minimum(seen.e1, n * share), n * (1 - share), seen.e0)
    rule = mixture_from_any_start(ratio_wealth(configured, 1.0, [1.2]), (1.0,))
    assert wrong(rule) > 0.5


def test_an_entitys_mean_over_its_requests_counts_as_a_fraction_of_an_event():
    rng, shape = np.random.default_rng(24), (RUNS, 200)
    n1 = rng.binomial(400, 0.3, shape)
    thirds = [rng.binomial(3 * n, 0.01) / 3 for n in (n1, 400 - n1)]
    seen = Events(n1.astype(float), thirds[0], 400.0 - n1, thirds[1])
    assert wrong(rollback_evidence(seen, 1.5)) <= ALLOWED


def test_harm_and_its_absence_are_found():
    rng = np.random.default_rng(25)
    assert wrong(advance_evidence(drawn(rng, (200, 300), 500, 0.5, 0.01, 0.01), 1.5)) > 0.95
    assert wrong(rollback_evidence(drawn(rng, (200, 300), 500, 0.5, 0.015, 0.01), 1.5)) > 0.95


def test_the_interval_of_the_ratio_holds_at_every_look_and_closes_in():
    rng, runs = np.random.default_rng(26), 100
    seen = drawn(rng, (runs, 40), 4_000, 0.3, 0.015, 0.01)
    missed = 0
    for run in range(runs):
        for t in (5, 20, 40):
            part = Events(*(getattr(seen, k)[run, :t] for k in ("n1", "e1", "n0", "e0")))
            estimate, lower, upper = ratio_interval(part)
            assert lower <= estimate <= upper
            if not lower <= 1.5 <= upper:
                missed += 1
                break
    assert missed / runs <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5
    assert 1.2 < lower < 1.5 < upper < 1.9


def test_no_event_leaves_the_whole_range():
    assert ratio_interval(events([10], [0], [10], [0])) == (None, 0.0, inf)


@pytest.mark.parametrize("ratio", [1.0, 0.5, inf])
def test_a_ratio_that_is_no_margin_is_refused(ratio):
    with pytest.raises(EvidenceError, match="ratio"):
        advance_evidence(events([1], [0], [1], [0]), ratio)


def test_more_events_than_entities_are_refused():
    with pytest.raises(EvidenceError, match="more events"):
        events([1], [2], [1], [0])
