"""Shadow scoring against a bare asynchronous client that fires the same batches at the same servers.

``python -m benchmarks --only shadow``. The bare client sends bodies made beforehand and does not look
at the answers; shadow scoring cleans, checks the contract, makes the bodies, reads and validates the
answers, and writes Parquet to disk. Rounds of both take turns, so that a busy machine slows both
alike; the servers are the worked example's own.
"""

from __future__ import annotations

import asyncio
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
import pyarrow as pa

from benchmarks.results import Figure, Section, table
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
ROUNDS, QUICK_ROUNDS = 25, 5
TARGET = 0.7
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
        # Nobody is there to sign, and a rollout that waits for signatures scores nothing.
        unsigned = {"signoffs": (), "questionnaire": None}
        yield plan.model_copy(update={**refs, **unsigned, "serving": serving}), Lake(home / "runs", base=home)


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
        HttpModel(ref, plan.serving, plan.answers, client, contract=plan.input)
        for ref in (plan.incumbent, plan.candidate)
    ]
    stays = (Entry(0, 0, 0, APRIL),)
    scored = await score(table, plan, *models, window=window, share_of=shares_of(stays))
    lake.write_exchanges("bench", window, scored.table)
    good = scored.counts["scored"]
    if not good == scored.counts["incumbent_ok"] == scored.counts["candidate_ok"]:
        raise RuntimeError(f"not every request was answered, the comparison is void: {scored.counts}")


async def compare(plan: Plan, lake: Lake, rounds: int) -> tuple[list[tuple[float, float]], int, int]:
    """Return each round's (bare, shadow) seconds after one to warm up, and how many requests and batches."""
    table = lake.read_requests(plan, APRIL, APRIL + SPAN)
    bodies = bodies_of(table, plan)
    seconds = []
    async with httpx.AsyncClient() as client:
        for turn in range(rounds + 1):
            begun = time.perf_counter()
            await bare(client, plan, bodies)
            between = time.perf_counter()
            await shadow(client, plan, table, lake, f"round-{turn}")
            seconds.append((between - begun, time.perf_counter() - between))
    return seconds[1:], table.num_rows, len(bodies)


def run(*, quick: bool) -> Section:
    """Measure."""
    with tempfile.TemporaryDirectory() as home, flights(Path(home)) as (plan, lake):
        rounds, requests, batches = asyncio.run(compare(plan, lake, QUICK_ROUNDS if quick else ROUNDS))
    ratios = [plain / ours for plain, ours in rounds]
    times = [
        (name, *(f"{x:.3f}" for x in (statistics.median(side), min(side), max(side))))
        for name, side in zip(("bare client", "shadow scoring"), zip(*rounds, strict=True), strict=True)
    ]
    spread = statistics.quantiles(ratios, n=4)
    detail = table(("seconds a round", "median", "least", "most"), times)
    detail += f"\n\nHalf of the rounds' ratios lie between {spread[0]:.2f} and {spread[2]:.2f}."
    return Section(
        title="Shadow scoring against a bare client",
        what="How much of the speed of a bare asynchronous client is left when shadow scoring sends the very "
        "same batches to the same servers. The bare client sends bodies made beforehand and does not read "
        "the answers; shadow scoring cleans, checks the contract, makes the bodies, retries, reads and "
        "validates the answers and writes Parquet.",
        how=f"{requests:,} real requests of two weeks in {batches} batches of {plan.serving.batch} to each "
        f"of the worked example's two servers, {plan.serving.concurrency} at a time per side; {len(rounds)} "
        "rounds, bare and shadow in turns, after one to warm up; the median of the rounds' ratios.",
        figures=(
            Figure(
                "shadow scoring's share of a bare client",
                statistics.median(ratios),
                at_least=TARGET,
                digits=2,
            ),
        ),
        detail=detail,
    )
