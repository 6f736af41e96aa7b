"""Harm that begins late, over whole climbs: why a step has a least time."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from headgate.stats.betting import Batches
from headgate.stats.paired import Design, advance_evidence, rollback_evidence

DESIGN = Design(margin=0.05, limit=1.0, expect=-0.05, variance=0.12)
SHARES = np.array([0.0, 0.05, 0.25, 0.5, 1.0])
REQUESTS, ONSET, LOOKS, RUNS = 30, 10, 60, 2_000
THRESHOLD = log(20 * np.pi**2 / 6)


@pytest.fixture(scope="module")
def world():
    """A candidate that is right more often for ten batches, and then wrong more often."""
    return drawn()


def drawn():
    """Paired 0/1 losses: how often only the candidate, only the incumbent, or neither alone was wrong."""
    better, worse = (0.03, 0.08, 0.89), (0.15, 0.03, 0.82)
    rng = np.random.default_rng(10)
    parts = [rng.multinomial(REQUESTS, p, (RUNS, n)) for p, n in ((better, ONSET), (worse, LOOKS - ONSET))]
    counts = np.moveaxis(np.concatenate(parts, axis=1), -1, 0).astype(float)
    return Batches(np.broadcast_to(np.array([1.0, -1.0, 0.0])[:, None, None], counts.shape), counts)


def climb(world, dwell):
    """Return the share in force during each batch, 0 once rolled back, shape (runs, looks)."""
    proves = advance_evidence(world, DESIGN) >= THRESHOLD
    harmful = np.maximum.accumulate(rollback_evidence(world, DESIGN), axis=-1) >= THRESHOLD
    step, since = np.zeros(RUNS, dtype=int), np.zeros(RUNS, dtype=int)
    shares = np.zeros((RUNS, LOOKS))
    for look in range(LOOKS):
        shares[:, look] = np.where(harmful[:, look - 1] if look else False, 0.0, SHARES[step])
        up = proves[:, look] & ~harmful[:, look] & (look + 1 - since >= dwell) & (step < len(SHARES) - 1)
        step, since = step + up, np.where(up, look + 1, since)
    return shares


def test_without_dwell_most_rollouts_are_at_full_traffic_before_a_defect_that_starts_at_batch_10(world):
    """The trap: carried proof goes up a step at every look, and 91 % met the defect with all traffic."""
    at_onset = climb(world, dwell=1)[:, ONSET]
    assert (at_onset == 1.0).mean() > 0.85


def test_with_dwell_the_same_defect_meets_a_small_share_and_is_rolled_back_from_there(world):
    quick, slow = climb(world, dwell=1), climb(world, dwell=5)
    assert slow[:, ONSET].max() <= 0.25
    assert (slow[:, -1] == 0.0).mean() > 0.99
    assert (slow.max(axis=-1) == 1.0).mean() < 0.05
    harmed = [shares[:, ONSET:].sum(axis=-1).mean() for shares in (quick, slow)]
    assert harmed[1] < harmed[0] / 2.5


def test_a_good_start_does_not_hide_a_defect_but_only_the_start_times_find_it_soon(world):
    """M3, M27: without start times what was won at first has to be lost again first."""
    found = [
        (rollback_evidence(world, DESIGN, any_start=any_start) >= THRESHOLD).argmax(axis=-1).mean() - ONSET
        for any_start in (True, False)
    ]
    assert found[0] < 0.6 * found[1]
