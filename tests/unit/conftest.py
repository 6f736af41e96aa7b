"""Fixtures of the tests of single tasks: a real store and lake in a folder, and a plane in memory."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headgate.adapters import store
from headgate.adapters.lake import Lake
from headgate.adapters.planes.in_process import InProcessPlane
from tasks import wiring
from tests.builders import APRIL, settings_in


@pytest.fixture
def wired(tmp_path: Path, empty_store: Path) -> Iterator[wiring.Wiring]:
    """Put adapters of this test in place; its folder is where the plan's paths start."""
    shutil.copy(empty_store, tmp_path / "store.db")
    plane = InProcessPlane()
    adapters = wiring.Wiring(
        engine=store.connect(f"sqlite:///{tmp_path / 'store.db'}"),
        lake=Lake(tmp_path / "exchanges", base=tmp_path),
        plane_of=lambda _service: plane,
        settings=settings_in(tmp_path),
    )
    with wiring.use(adapters):
        yield adapters
    adapters.engine.dispose()


@pytest.fixture
def requests_log(tmp_path: Path) -> Callable[..., None]:
    """Write a log of n requests, evenly over days from April 1: 60 % north, 30 % south, 10 % east."""

    def write(days: tuple[int, int], n: int) -> None:
        first, last = (APRIL + timedelta(days=day) for day in days)
        at = [first + (last - first) * i / n for i in range(n)]
        regions = (["north"] * 6 + ["south"] * 3 + ["east"]) * n
        table = pa.table(
            {
                "request_id": [f"r{i}" for i in range(n)],
                "at": pa.array(at, pa.timestamp("us", tz="UTC")),
                "tailnum": [f"N{i % 7}" for i in range(n)],
                "region": regions[:n],
            }
        )
        (tmp_path / "requests").mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / "requests" / "log.parquet")

    return write
