"""Small histories for faults: tables as `headgate.backtest.history.History` yields them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

INSTANT = pa.timestamp("us", tz="UTC")
START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def block(day: float = 0, n: int = 400, *, seed: int = 1, length: float = 1.0, **changes: Any) -> pa.Table:
    """One day (or part of it) of exchanges, sorted by (entity, request id); every label known a day later.

    The candidate knows a little more than the incumbent. ``changes`` replace whole columns.
    """
    rng = np.random.default_rng([seed, round(day * 24)])
    chance = rng.uniform(0.05, 0.95, n)
    label = (rng.random(n) < chance).astype(float)
    entity = np.sort(rng.integers(0, max(n // 4, 1), n))
    at = [START + day * DAY + timedelta(seconds=float(s)) for s in rng.uniform(0, 86_000 * length, n)]
    columns: dict[str, Any] = {
        "request_id": [f"d{round(day * 24):04d}-{i:06d}" for i in range(n)],
        "entity": [f"e{e:05d}" for e in entity],
        "at": pa.array(at, INSTANT),
        "incumbent_prediction": np.clip(0.5 + 0.6 * (chance - 0.5), 0, 1),
        "candidate_prediction": np.clip(chance + rng.normal(0, 0.05, n), 0, 1),
        "incumbent_status": ["ok"] * n,
        "candidate_status": ["ok"] * n,
        "incumbent_latency_ms": rng.exponential(20, n),
        "candidate_latency_ms": rng.exponential(20, n),
        "label": label,
        "known_at": pa.array([moment + DAY for moment in at], INSTANT),
        "seg_region": rng.choice(["north", "south", "west"], n, p=[0.45, 0.35, 0.2]),
    }
    return pa.table({**columns, **changes})


@dataclass
class Days:
    """A `History` in memory."""

    tables: list[pa.Table]
    data_quality: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def first_at(self) -> datetime:
        return min(min(t["at"].to_pylist()) for t in self.tables)

    @cached_property
    def last_at(self) -> datetime:
        return max(max(t["at"].to_pylist()) for t in self.tables)

    @property
    def rows(self) -> int:
        return sum(t.num_rows for t in self.tables)

    @property
    def outcomes(self) -> int:
        return self.rows

    @cached_property
    def segments(self) -> Mapping[str, Mapping[str, int]]:
        counts: dict[str, int] = {}
        for table in self.tables:
            for value in table["seg_region"].to_pylist():
                counts[value] = counts.get(value, 0) + 1
        return {"region": counts}

    def blocks(self) -> Iterator[pa.Table]:
        yield from self.tables


def days(count: int, n: int = 400, *, blocks_a_day: int = 1, **changes: Any) -> Days:
    """So many days of exchanges, ``n`` in each block."""
    parts = [day + part / blocks_a_day for day in range(count) for part in range(blocks_a_day)]
    return Days([block(part, n, length=1 / blocks_a_day, **changes) for part in parts])
