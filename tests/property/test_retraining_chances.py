"""How often a retraining that is as good as the model that serves is refused all the same (M12).

Simulated with the comparison that a retraining goes through; docs/retraining.md tells these chances, which
``python -m tests.property.test_retraining_chances`` prints.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from headgate.training import SERVING, Opponent, above_the_floor, hold_against, judged
from headgate.training.window import Span
from tests.builders import plan

SEED = 20260101
DAYS, DAY = 21, timedelta(days=1)
HELD = datetime(2013, 9, 10, tzinfo=UTC)
SPAN = Span(HELD - 69 * DAY, HELD, HELD + DAYS * DAY, HELD + (DAYS + 2) * DAY)
MARGIN = 0.005
#: Three airports, of which the smallest has a fifth of the requests; the flights' plan asks the same.
PLAN = plan(
    gates=[{"name": "quality", "metric": "brier", "margin": MARGIN, "min_samples": 3}],
    segments={"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}},
)
INSTANT = pa.timestamp("us", tz="UTC")


def refused(rng: np.random.Generator, per_day: int, worse: float = 0.0) -> bool:
    """Train a model anew once, and say whether it is refused.

    Parameters
    ----------
    per_day
        Held-out requests a day.
    worse
        By how much its Brier loss is larger in truth; 0: both models err as much, each in its own way, by
        request and by day, and days share shocks in their outcomes.
    """
    n = DAYS * per_day
    day = np.repeat(np.arange(DAYS), per_day)
    chances = rng.normal(-1, 1, n) + rng.normal(0, 0.5, DAYS)[day]
    late = (rng.random(n) < _chance(chances)).astype(np.int8)
    own = [rng.normal(0, 0.3, n) + rng.normal(0, 0.15, DAYS)[day] for _ in range(2)]
    serving, new = (_chance(chances + errors) for errors in own)
    if worse:  # a probability that is off by b costs b squared
        off = np.sqrt(worse)
        up = np.where(new < off, 1, np.where(new > 1 - off, -1, rng.choice([-1, 1], n)))
        new = new + off * up
    held = pa.table(
        {
            "request_id": [f"r{i}" for i in range(n)],
            "entity": [f"e{i}" for i in rng.integers(0, per_day * 3, n)],
            "at": pa.array(
                [SPAN.held + (d + (i % per_day) / per_day) * DAY for i, d in enumerate(day)], INSTANT
            ),
            "late": late,
            "known_at": pa.array([SPAN.now] * n, INSTANT),
            "seg_origin": rng.choice(["EWR", "JFK", "LGA"], n, p=[0.45, 0.35, 0.2]).tolist(),
        }
    )
    segments = above_the_floor(PLAN, held)
    other = Opponent(SERVING, "gbm-2", serving)
    return not judged([hold_against(PLAN, SPAN, held, new, other, segments)]).accepted


def _chance(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def chance(per_day: int, worse: float, runs: int) -> float:
    """Return the share of retrainings that are refused."""
    seeds = np.random.default_rng([SEED, per_day, round(1e6 * worse)]).spawn(runs)
    return float(np.mean([refused(rng, per_day, worse) for rng in seeds]))


@pytest.mark.parametrize(("per_day", "most"), [(60, 0.16), (300, 0.04)])
def test_m12_a_retraining_that_is_as_good_is_seldom_refused(per_day, most):
    assert chance(per_day, 0.0, 25) <= most


def test_m12_one_that_is_worse_by_twice_the_margin_is_refused():
    assert chance(300, 2 * MARGIN, 10) >= 0.9


if __name__ == "__main__":
    for rows in (30, 60, 120, 300, 1_000):
        told = [f"{100 * chance(rows, worse, 150):.0f} %" for worse in (0.0, 2 * MARGIN)]
        words = f"{rows:>5} a day: refused {' and '.join(told)} of as good and of worse by twice the margin"
        sys.stdout.write(f"{words}\n")
