"""How fast, and in how much memory, ten million exchanges are replayed; whether both grow as they should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.results import Figure, Section, table
from benchmarks.running import say

SIZES = (1_000_000, 2_000_000, 5_000_000, 10_000_000)
QUICK = (20_000, 40_000)
DAYS = 100
ENTITIES = 1_000_000
LONGEST, MOST = 60, 1024
"""Seconds and MiB at ten million exchanges."""
_CHUNK = 500_000
_START = 1_735_689_600_000_000  # 2025-01-01 UTC, microseconds
_SEGMENTS = {
    "origin": ("EWR", "JFK", "LGA"),
    "carrier": ("AA", "B6", "DL", "EV", "MQ", "UA", "US", "WN"),
    "band": ("a", "b", "c", "d", "e"),
}

PLAN: dict[str, Any] = {
    "version": 1,
    "name": "bench",
    "service": "bench",
    "owner": {"name": "Benchmarks", "contact": "bench@example.org"},
    "author": "bench@example.org",
    "incumbent": {"kind": "http", "url": "http://127.0.0.1:8101", "model": "m", "version": "1"},
    "candidate": {"kind": "http", "url": "http://127.0.0.1:8102", "model": "m", "version": "2"},
    "requests": {"path": "requests"},
    "unit": {"entity": "entity", "block": "1d", "block_bound": 0.02},
    "outcomes": {"path": "outcomes", "label": "label", "known_at": "known_at", "maturity": "2d"},
    "prediction": {"kind": "probability"},
    "gates": [
        {"name": "quality", "metric": "brier", "margin": 0.005, "min_samples": 3},
        {"name": "errors", "metric": "error_rate", "ceiling": 0.01, "from": 5},
        {"name": "latency-mirror", "metric": "latency", "quantile": 0.95, "ratio": 1.5, "applies": "shadow"},
        {"name": "latency", "metric": "latency", "quantile": 0.95, "ratio": 1.5, "applies": "split"},
    ],
    "segments": {"by": list(_SEGMENTS), "floor": 0.02, "gates": {"quality": 0.01}},
    "steps": [
        {"percent": 0, "dwell": "14d"},
        {"percent": 5, "dwell": "14d", "approval": {"approvers": 1}},
        {"percent": 50, "dwell": "28d"},
        {"percent": 100, "dwell": "14d"},
    ],
    "watch": "14d",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """One replay: exchanges, wall and processor seconds, peak resident MiB, how the rollout ended."""

    rows: int
    wall: float
    cpu: float
    peak: float
    outcome: str
    ticks: int


def run(*, quick: bool) -> Section:
    """Measure."""
    sizes = QUICK if quick else SIZES
    runs = []
    for rows in sizes:
        say(f"backtest: {rows:,} exchanges")
        runs.append(measured(rows))
    last, first = runs[-1], runs[0]
    longest, most = (None, None) if quick else (LONGEST, MOST)
    per_row = (last.cpu / last.rows) / (first.cpu / first.rows)
    told = [
        (f"{r.rows:,}", f"{r.wall:.1f}", f"{r.cpu:.1f}", f"{r.peak:.0f}", r.outcome, r.ticks) for r in runs
    ]
    return Section(
        title="Backtest: ten million exchanges",
        what="`headgate backtest` on Parquet exchanges of 100 days with labels, a million entities: quality "
        "by day blocks over three segment columns, errors, latency in shadow and in the split, ids looked "
        "through for duplicates.",
        how="Seeded files, written before; the command as a child, its own wall and processor time and its "
        "peak resident memory. Smaller files have the same days and fewer exchanges a day.",
        figures=(
            Figure(f"{last.rows:,} exchanges, wall", last.wall, "s", at_most=longest, digits=1),
            Figure("the same, peak memory", last.peak, "MiB", at_most=most),
            Figure(
                f"processor time per exchange, against that at {first.rows:,}",
                per_row,
                at_most=None if quick else 1.2,
                digits=2,
            ),
        ),
        detail=table(("exchanges", "wall s", "CPU s", "peak MiB", "outcome", "ticks"), told),
    )


def measured(rows: int) -> Run:
    """Write a history of that many exchanges and replay it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_history(folder, rows)
        (folder / "plan.yaml").write_text(yaml.safe_dump(PLAN), encoding="utf-8")
        result = folder / "result.json"
        command = [sys.executable, "-m", "headgate.cli", "backtest", str(folder / "plan.yaml")]
        command += ["--exchanges", str(folder / "exchanges.parquet")]
        command += ["--outcomes", str(folder / "outcomes.parquet"), "--json", str(result)]
        began = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command line
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        if child.returncode:
            raise RuntimeError(f"headgate backtest ended with code {child.returncode}")
        found = json.loads(result.read_text(encoding="utf-8"))
    unit = 2**20 if sys.platform == "darwin" else 2**10
    cpu = used.ru_utime + used.ru_stime
    return Run(rows, wall, cpu, used.ru_maxrss / unit, str(found["outcome"]), len(found["ticks"]))


def write_history(folder: Path, rows: int) -> None:
    """Write exchanges.parquet and outcomes.parquet, in order of time, the same for the same ``rows``."""
    draw = np.random.default_rng(rows)
    exchanges = outcomes = None
    for first in range(0, rows, _CHUNK):
        tables = _chunk(draw, np.arange(first, min(first + _CHUNK, rows)), rows)
        if exchanges is None or outcomes is None:
            exchanges, outcomes = (
                pq.ParquetWriter(folder / f"{name}.parquet", one.schema, compression="zstd")
                for name, one in zip(("exchanges", "outcomes"), tables, strict=True)
            )
        exchanges.write_table(tables[0])
        outcomes.write_table(tables[1])
    for writer in (exchanges, outcomes):
        if writer is not None:
            writer.close()


def _chunk(draw: np.random.Generator, numbers: np.ndarray, rows: int) -> tuple[pa.Table, pa.Table]:
    n, instant = len(numbers), pa.timestamp("us", "UTC")
    at = _START + (numbers * (DAYS * 86_400_000_000 / rows)).astype(np.int64)
    truth = draw.beta(2, 5, n)
    ids = pa.array(np.char.add("r", numbers.astype(str)))
    failed = draw.random(n) < 0.001
    exchanges = {
        "request_id": ids,
        "entity": pa.array(np.char.add("e", draw.integers(0, ENTITIES, n).astype(str))),
        "at": pa.array(at, instant),
        "incumbent_prediction": np.clip(truth + draw.normal(0, 0.1, n), 0, 1),
        "candidate_prediction": pa.array(np.clip(truth + draw.normal(0, 0.08, n), 0, 1), mask=failed),
        "incumbent_status": pa.array(np.full(n, "ok")),
        "candidate_status": pa.array(np.where(failed, "error", "ok")),
        "incumbent_latency_ms": draw.gamma(4, 5, n),
        "candidate_latency_ms": draw.gamma(4, 5, n),
    } | {
        column: pa.array(np.array(values)[draw.integers(0, len(values), n)])
        for column, values in _SEGMENTS.items()
    }
    known_at = at + draw.integers(3_600, 86_400, n) * 1_000_000
    label = (draw.random(n) < truth).astype(np.int8)
    outcomes = {"request_id": ids, "label": label, "known_at": pa.array(known_at, instant)}
    return pa.table(exchanges), pa.table(outcomes)
