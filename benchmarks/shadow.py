"""Shadow scoring against a bare asynchronous client that fires the same batches at the same servers.

Run ``python benchmarks/shadow.py``; it prints a table and one line of JSON. The bare client sends
bodies made beforehand and does not look at the answers; shadow scoring cleans, checks the contract,
makes the bodies, reads and validates the answers, and writes Parquet to disk. Rounds of both take
turns, so that a busy machine slows both alike; the servers are the worked example's own.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import psutil
import pyarrow as pa

from deployments.flights.requests import build
from deployments.flights.training import train
from deployments.processes import Processes, answers, free_port
from headgate.adapters.lake import Lake
from headgate.adapters.models import HttpModel
from headgate.adapters.oip import encode
from headgate.adapters.scoring import score, shares_of
from headgate.evidence import Entry
from headgate.plan import load_plan
from headgate.plan.model import ModelRef, Plan

ROOT = Path(__file__).parent.parent
APRIL = datetime(2013, 4, 1, tzinfo=UTC)
SPAN = timedelta(days=14)
ROUNDS = 15
HEADERS = {"content-type": "application/json"}


@contextmanager
def flights(home: Path) -> Iterator[tuple[Plan, Lake]]:
    """Build the lake, train both models and serve them; yield the plan that points there."""
    build(ROOT / "data", home / "lake")
    trained = train(home / "lake", home / "shelf")
    plan = load_plan(ROOT / "deployments/flights/plan.yaml")
    with Processes(home / "logs") as processes:
        refs = {}
        for side, path in (("incumbent", trained.incumbent), ("candidate", trained.candidate)):
            port = free_port()
            command = [sys.executable, "-m", "deployments.flights.serving"]
            command += ["--model", str(path), "--name", "delays", "--port", str(port)]
            url = f"http://127.0.0.1:{port}"
            child = processes.start(side, command, os.environ)
            processes.wait(child, partial(answers, f"{url}/v2/health/ready"), seconds=60)
            refs[side] = ModelRef(kind="http", url=url, model="delays", version=getattr(plan, side).version)
        # A busy machine must not turn into timeouts here: both sides of the ratio wait as long as it takes.
        serving = plan.serving.model_copy(update={"timeout": timedelta(seconds=10)})
        yield plan.model_copy(update={**refs, "serving": serving}), Lake(home / "runs", base=home)


def bodies_of(table: pa.Table, plan: Plan) -> list[bytes]:
    """Return the body of every batch, as shadow scoring would send it."""
    assert plan.input is not None  # noqa: S101 - the example's plan has a contract
    kinds = {name: column.type for name, column in plan.input.columns.items()}
    table = table.select(list(kinds))
    size = plan.serving.batch
    return [encode(table.slice(i, size).to_pydict(), kinds) for i in range(0, table.num_rows, size)]


async def bare(client: httpx.AsyncClient, plan: Plan, bodies: list[bytes]) -> None:
    """Fire every body at both servers, as many at a time as the plan allows per side."""

    async def work(url: str, todo: Iterator[bytes]) -> None:
        for body in todo:
            response = await client.post(url, content=body, headers=HEADERS, timeout=None)
            response.raise_for_status()

    async with asyncio.TaskGroup() as group:
        for ref in (plan.incumbent, plan.candidate):
            todo = iter(bodies)
            for _ in range(plan.serving.concurrency):
                group.create_task(work(f"{ref.url}/v2/models/{ref.model}/infer", todo))


async def shadow(client: httpx.AsyncClient, plan: Plan, table: pa.Table, lake: Lake, window: str) -> None:
    """Score the window as the flow does, from the request log's rows to a file on disk."""
    models = [
        HttpModel(ref, plan.serving, plan.output, client, contract=plan.input)
        for ref in (plan.incumbent, plan.candidate)
    ]
    stays = (Entry(0, 0, 0, APRIL),)
    scored = await score(table, plan, *models, window=window, share_of=shares_of(stays))
    lake.write_exchanges("bench", window, scored.table)
    good = scored.counts["scored"]
    if not good == scored.counts["incumbent_ok"] == scored.counts["candidate_ok"]:
        raise SystemExit(f"not every request was answered, the comparison is void: {scored.counts}")


async def compare(plan: Plan, lake: Lake) -> list[tuple[float, float]]:
    """Return (bare, shadow) seconds of every round after one to warm up."""
    table = lake.read_requests(plan, APRIL, APRIL + SPAN)
    bodies = bodies_of(table, plan)
    print(f"{table.num_rows} requests in {len(bodies)} batches to each of two servers, {ROUNDS} rounds")
    seconds = []
    async with httpx.AsyncClient() as client:
        for turn in range(ROUNDS + 1):
            begun = time.perf_counter()
            await bare(client, plan, bodies)
            between = time.perf_counter()
            await shadow(client, plan, table, lake, f"round-{turn}")
            seconds.append((between - begun, time.perf_counter() - between))
    return seconds[1:]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home, flights(Path(home)) as (plan, lake):
        rounds = asyncio.run(compare(plan, lake))
    ratios = [plain / ours for plain, ours in rounds]
    for plain, ours in rounds:
        print(f"bare {plain:6.3f} s   shadow {ours:6.3f} s   ratio {plain / ours:.2f}")
    result = {
        "shadow_ratio": round(statistics.median(ratios), 3),
        "shadow_ratio_worst": round(min(ratios), 3),
        "peak_mb": round(psutil.Process(os.getpid()).memory_info().rss / 2**20),
        "target": 0.7,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
