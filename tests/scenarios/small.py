"""What the small world is made of: its plan, how its models answer, and three weeks of requests and outcomes.

A request carries ``signal``, the true chance of its outcome.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.builders import APRIL
from tests.integration.oip_server import Columns

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
#: The log begins two days before the rollout: preflight looks at history.
BEGIN = APRIL - 2 * DAY
EVERY = timedelta(minutes=10)
DAYS = 24
ENTITIES = 240
#: Calls of one shadow window of a few hours: one per side.
BATCH = 256

#: Blocks of four hours and hardly any noise: proof comes after a day and a half.
SMALL: dict[str, Any] = {
    "requests": {"path": "requests", "id": "request_id", "at": "at"},
    "unit": {"entity": "tailnum", "block": "4h", "block_bound": 0.2},
    "outcomes": {"path": "outcomes", "label": "late", "known_at": "known_at", "maturity": "4h"},
    "input": {
        "columns": {
            "signal": {"type": "number", "min": 0, "max": 1},
            "region": {"type": "category", "values": ["north", "south"]},
        }
    },
    "gates": [
        {
            "name": "quality", "metric": "brier", "margin": 0.05, "expect": -0.1, "harm": 0.1,
            "variance": 0.02, "min_samples": 3,
        },
        {"name": "errors", "metric": "error_rate", "ceiling": 0.2, "from": 10},
    ],
    "segments": {"by": ["region"], "floor": 0.1, "gates": {"quality": 0.1}},
    "steps": [
        {"percent": 0, "dwell": "1d"},
        {"percent": 10, "dwell": "12h", "approval": {"approvers": 1, "expires": "20h"}},
        {"percent": 50, "dwell": "12h"},
        {"percent": 100},
    ],
    "watch": "1d",
    "deadline": {"step": "6d", "rollout": "20d"},
    "serving": {
        "timeout": "3s", "batch": BATCH, "concurrency": 1,
        "retry": {"attempts": 3, "base": "1ms"},
        "circuit": {"min_calls": 4, "half_open_after": "1ms", "window": "1s"},
    },
}  # fmt: skip


# ---------------------------------------------------------------- how models answer


def knows_nothing(columns: Columns) -> list[Any]:
    """Answer a half whatever the request: a Brier loss of exactly 0.25."""
    return [0.5] * len(columns["signal"])


def better(columns: Columns) -> list[Any]:
    """Answer the truth: a Brier loss of 0.09."""
    return list(columns["signal"])


def worse(columns: Columns) -> list[Any]:
    """Answer the truth upside down."""
    return [1 - value for value in columns["signal"]]


def out_of_range(columns: Columns) -> list[Any]:
    """Answer no probability."""
    return [7.0] * len(columns["signal"])


# ---------------------------------------------------------------- the logs


@lru_cache
def logs() -> tuple[pa.Table, pa.Table]:
    """Return requests and outcomes, always the same ones."""
    rng = np.random.default_rng(20130401)
    n = DAYS * DAY // EVERY
    ids = [f"r{i:05d}" for i in range(n)]
    at = [BEGIN + i * EVERY for i in range(n)]
    signal = rng.choice([0.1, 0.9], n)
    instant = pa.timestamp("us", tz="UTC")
    requests = pa.table(
        {
            "request_id": ids,
            "at": pa.array(at, instant),
            "tailnum": [f"N{k:03d}" for k in rng.integers(0, ENTITIES, n)],
            "region": rng.choice(["north", "south"], n),
            "signal": signal,
        }
    )
    known = pa.array([moment + 2 * HOUR for moment in at], instant)
    late = (rng.random(n) < signal).astype(np.int8)
    return requests, pa.table({"request_id": ids, "late": late, "known_at": known})


def permuted(outcomes: pa.Table) -> pa.Table:
    """Return the outcomes with their labels shuffled over all requests: nothing can be learnt any more."""
    order = np.random.default_rng(7).permutation(outcomes.num_rows)
    return outcomes.set_column(1, "late", outcomes["late"].take(pa.array(order)))


def write(folder: Path, requests: pa.Table, outcomes: pa.Table) -> None:
    """Put both logs where the plan looks for them."""
    for name, table in (("requests", requests), ("outcomes", outcomes)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / name / "log.parquet")
