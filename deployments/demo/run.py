"""The demo: nine months of a real service, two candidates, one climb and one fall."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from deployments.demo.board import Board
from deployments.demo.callers import Callers, Live, Tally
from deployments.demo.permuted import permute_outcomes
from deployments.demo.player import Player
from deployments.demo.summary import Told, summary
from deployments.plans import write_plan
from deployments.prefect_server import flows_here, start_prefect
from deployments.processes import Processes, ended_by_signals, free_port
from deployments.stack import LOST_STEP, Prepared, prepare, serve_model
from headgate.adapters import store
from headgate.adapters.lake import Lake
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.settings import Settings
from headgate.adapters.stories import story_of
from headgate.plan import Plan, load_plan
from headgate.report.page import render_page
from headgate.routing import FULL_BP
from tasks import wiring

START = datetime(2013, 4, 1, tzinfo=UTC)
END = datetime(2014, 1, 6, tzinfo=UTC)
EVERY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One rollout of the demo: the plan's names, and how its server is started."""

    name: str
    service: str
    options: tuple[str, ...] = ()


CANDIDATES = (
    Candidate("flights-gbm", "flight-delays"),
    # The very same model, whose server lost one preprocessing step in redeployment.
    Candidate("flights-lost-step", "flight-delays-too", ("--lose-step", LOST_STEP)),
)


def live_traffic(share_bp: int) -> Live:
    """Return how much of a service's traffic callers also send live at a share (basis points), how fast.

    There is more in nine months than five minutes can carry one by one. In shadow a few requests are enough
    to compare latencies on mirrored copies, sent slowly: the candidate answers every copy besides. The
    smaller the share, the more it takes until the candidate has answered enough.
    """
    if share_bp == 0:
        return Live(part=0.04, per_second=300)
    if share_bp <= 500:
        return Live(part=0.7 if share_bp <= 100 else 0.9, per_second=500)
    return Live(part=0.25 if share_bp < FULL_BP else 0.1, per_second=500)


def run_demo(run: Path, *, permute: bool, console: Console) -> dict[str, Any]:
    """Play April to December 2013 in ``run``; return the summary that is also left there."""
    began = time.monotonic()
    # A retry is counted where it matters; a line for each would bury the story on the terminal.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    if run.exists():
        shutil.rmtree(run)
    run.mkdir(parents=True)
    with ExitStack() as stack:
        stack.enter_context(ended_by_signals())
        processes = stack.enter_context(Processes(run / "logs"))
        board = stack.enter_context(Board(console))
        prepared, api_url = _begin(run, processes, board, permute=permute)
        stack.enter_context(flows_here(run / "prefect", api_url))
        told = [_play(candidate, run, prepared, stack, processes, board) for candidate in CANDIDATES]
        result = summary(told, flow_runs=_flow_runs(api_url), seconds=time.monotonic() - began)
        (run / "summary.json").write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
        page = render_page(
            [one.story for one in told],
            title="Headgate demo: one climb, one fall",
            generated_at=datetime.now(UTC),
            facts=_facts(result, permute=permute),
        )
        (run / "report.html").write_text(page, encoding="utf-8")
        board.note(f"stopping what was started; {time.monotonic() - began:.0f} s in all")
    return result


def _begin(run: Path, processes: Processes, board: Board, *, permute: bool) -> tuple[Prepared, str]:
    board.note("starting a Prefect server; building the request log; training both models")
    with ThreadPoolExecutor(1) as pool:
        server = pool.submit(start_prefect, processes, run / "prefect", few_services=True)
        prepared = prepare(run)
        if permute:
            permute_outcomes(prepared.lake / "outcomes")
            board.note("outcomes permuted: no model can be better than the other now")
        api_url = server.result()
    board.note(f"Prefect answers at {api_url.removesuffix('/api')}")
    return prepared, api_url


def _play(
    candidate: Candidate, run: Path, prepared: Prepared, stack: ExitStack, processes: Processes, board: Board
) -> Told:
    from deployments.demo.service import DemoService

    incumbent_url = serve_model(processes, f"{candidate.name}-incumbent", prepared.models.incumbent)
    candidate_url = serve_model(
        processes, f"{candidate.name}-candidate", prepared.models.candidate, *candidate.options
    )
    path = write_plan(run, candidate.name, candidate.service, incumbent_url, candidate_url)
    plan = load_plan(path)
    plane = EnvoyPlane(run / "planes" / candidate.service, free_port())
    stack.callback(plane.stop)
    adapters = wiring.Wiring(
        engine=store.connect(f"sqlite:///{run / 'headgate.db'}"),
        lake=Lake(run / "exchanges"),
        plane_of=lambda _service: plane,
        settings=Settings(anchors=run / "anchors.jsonl", pages=run / "pages", key_file=run / "headgate.key"),
    )
    with wiring.use(adapters):
        tally = Tally()
        service = DemoService(plan, path, callers_of(plan, plane), "7d", live_traffic, tally)
        player = Player(service, START, END, EVERY, told=lambda tick: board.told(plan.name, tick, tally.sent))
        player.play()
        return Told(story_of(adapters.engine, service.rollout), tally, plane.observe().share_bp)


def callers_of(plan: Plan, plane: EnvoyPlane) -> Callers:
    """Return who sends this plan's requests through a plane."""
    assert plan.input is not None  # noqa: S101 - the worked example has a contract
    kinds = {
        "integer": "INT64",
        "number": "FP64",
        "category": "BYTES",
        "boolean": "BOOL",
        "timestamp": "BYTES",
    }
    columns = [(name, kinds[column.type.value]) for name, column in plan.input.columns.items()]
    return Callers(
        plane.url, plan.incumbent.model, columns, plan.requests.id, plan.requests.at, plan.unit.entity
    )


def _flow_runs(api_url: str) -> int:
    """Return how many flow runs the server has seen."""
    return int(httpx.post(f"{api_url}/flow_runs/count", json={}, timeout=30).raise_for_status().json())


def _facts(result: Mapping[str, Any], *, permute: bool) -> dict[str, str]:
    facts = {
        "played": f"{START:%Y-%m-%d} to at most {END:%Y-%m-%d}, in windows of a week",
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "flow runs": f"{result['flow_runs']:,}",
        "live requests": f"{result['live_requests']:,}, {result['dropped_requests']} dropped, "
        f"{result['failed_answers']} failed",
        "took": f"{result['seconds']:.0f} s",
    }
    return {**facts, "outcomes": "permuted at random: nobody may be promoted"} if permute else facts
