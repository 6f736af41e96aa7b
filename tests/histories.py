"""Small histories for tests of backtests: seeded, written as files or held in memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tests.builders import APRIL, plan

INSTANT = pa.timestamp("us", "UTC")
MICRO = timedelta(microseconds=1)


def exchanges(
    days: int = 40,
    per_day: int = 100,
    *,
    seed: int = 1,
    worse_by: float = 0.0,
    worse_from: float = 0.0,
    errors: float = 0.0,
    errors_from: float = 0.0,
    entities: int = 1_000,
    **more: Any,
) -> pa.Table:
    """Return exchanges; the candidate's answers lie ``worse_by`` further from the truth from a day on.

    The chance of a 1 is known to both sides; label and truth: see `outcomes`.
    """
    draw = np.random.default_rng(seed)
    n = days * per_day
    day = np.arange(n) / per_day
    label = truth(days, per_day, seed)
    incumbent = np.where(label == 1, 0.6, 0.4) + draw.normal(0, 0.02, n)
    off = np.where(day >= worse_from, worse_by, 0.0)
    candidate = incumbent + np.where(label == 1, -off, off)
    failed = (day >= errors_from) & (draw.random(n) < errors)
    start = (APRIL - APRIL.replace(year=1970, month=1, day=1)) // MICRO
    columns = {
        "request_id": pa.array([f"r{i}" for i in range(n)]),
        "entity": pa.array([f"e{i}" for i in draw.integers(0, entities, n)]),
        "at": pa.array((start + day * 86_400e6).astype(np.int64), INSTANT),
        "incumbent_prediction": np.clip(incumbent, 0, 1),
        "candidate_prediction": pa.array(np.clip(candidate, 0, 1), mask=failed),
        "incumbent_status": pa.array(["ok"] * n),
        "candidate_status": pa.array(np.where(failed, "error", "ok")),
        "origin": pa.array([("JFK", "LGA")[i] for i in draw.integers(0, 2, n)]),
    }
    return pa.table(columns | more)


def truth(days: int, per_day: int, seed: int = 1) -> np.ndarray:
    """Return what happened, shape (days x per_day,)."""
    return (np.random.default_rng(10_000 + seed).random(days * per_day) < 0.4).astype(np.int64)


def outcomes(
    days: int = 40, per_day: int = 100, *, seed: int = 1, late: timedelta = timedelta(hours=6), **more: Any
) -> pa.Table:
    """Return the outcomes of `exchanges`, each known ``late`` after its request."""
    made = exchanges(days, per_day, seed=seed)
    known = np.asarray(made["at"].cast(pa.int64())) + late // MICRO
    columns = {"request_id": made["request_id"], "label": truth(days, per_day, seed)}
    return pa.table(columns | {"known_at": pa.array(known, INSTANT)} | more)


def small_plan(**changes: Any) -> Any:
    """Return a plan that a good candidate climbs in about a month."""
    body: dict[str, Any] = {
        "unit": {"entity": "entity", "block": "1d", "block_bound": 0.05},
        "outcomes": {"path": "o", "label": "label", "known_at": "known_at", "maturity": "1d"},
        "gates": [
            {"name": "quality", "metric": "brier", "margin": 0.02, "min_samples": 3},
            {"name": "errors", "metric": "error_rate", "ceiling": 0.1, "from": 50},
        ],
    }
    return plan(**(body | changes))


def two_slices(**changes: Any) -> Any:
    """Return the same plan with a slice for each origin, ``jfk`` and ``lga``."""
    steps = [{"percent": 0, "dwell": "2d"}, {"percent": 50, "dwell": "1d"}, {"percent": 100}]
    slices = [{"name": at.lower(), "where": f"origin == '{at}'", "steps": steps} for at in ("JFK", "LGA")]
    return small_plan(**({"steps": None, "slices": slices} | changes))


def write(folder: Path, made: pa.Table, known: pa.Table, kind: str = "parquet") -> tuple[str, str]:
    """Write both tables; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = (folder / f"exchanges.{kind}", folder / f"outcomes.{kind}")
    for path, table in zip(paths, (made, known), strict=True):
        put(path, table)
    return str(paths[0]), str(paths[1])


def put(path: Path, table: pa.Table) -> None:
    """Write one table; CSV as most tools write it, times with a Z."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return
    columns: Mapping[str, pa.ChunkedArray] = dict(zip(table.column_names, table.columns, strict=True))
    plain = {
        name: [value.isoformat().replace("+00:00", "Z") for value in column.to_pylist()]
        if pa.types.is_timestamp(column.type)
        else column
        for name, column in columns.items()
    }
    pa.csv.write_csv(pa.table(plain), path)
