"""The demo: nine months of a real service, two candidates, one climb and one fall."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console

from deployments.demo.board import Board
from deployments.demo.callers import Callers, Live
from deployments.demo.permuted import permute_outcomes
from deployments.demo.player import Player
from deployments.demo.summary import Renewed, Told, summary
from deployments.plans import write_plan
from deployments.ports import address_of_new_versions
from deployments.prefect_server import flows_here, start_prefect
from deployments.processes import Processes, ended_by_signals, free_port
from deployments.stack import LOST_STEP, Prepared, prepare, serve_model
from headgate.adapters import store
from headgate.adapters.lake import Lake
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.settings import Settings, variable_of
from headgate.adapters.store import retrainings
from headgate.plan import Plan, load_plan
from headgate.report.page import render_page
from headgate.rollout.state import Outcome, Tick
from headgate.routing import FULL_BP
from tasks import wiring

if TYPE_CHECKING:
    from deployments.demo.renewal import Renewal
    from deployments.demo.service import DemoService

START = datetime(2013, 4, 1, tzinfo=UTC)
END = datetime(2014, 1, 6, tzinfo=UTC)
EVERY = timedelta(days=7)
#: Besides a drift, a schedule asks for retrainings, once a quarter: this is its day after the promotion.
SCHEDULED = (datetime(2013, 12, 15, 3, tzinfo=UTC),)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One rollout of the demo: the plan's names, and how its server is started."""

    name: str
    service: str
    options: tuple[str, ...] = ()
    kept: bool = False  # watched and retrained, once it is promoted


CANDIDATES = (
    Candidate("flights-gbm", "flight-delays", kept=True),
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


def renewed_traffic(share_bp: int) -> Live:
    """Return the same for a model trained anew: its shadow has weeks where the first one's had months."""
    return Live(part=0.1, per_second=300) if share_bp == 0 else live_traffic(share_bp)


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
        stage = _Stage(run, prepared, api_url, stack, processes, board)
        played = [_play(candidate, stage) for candidate in CANDIDATES]
        told = [one.first for one in played] + [later for one in played for later in one.later]
        result = summary(
            told,
            flow_runs=_flow_runs(api_url),
            seconds=time.monotonic() - began,
            renewed=played[0].renewed,
        )
        (run / "summary.json").write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
        page = render_page(
            [one.story for one in told],
            title="Headgate demo: a climb, a fall, and what came after",
            generated_at=datetime.now(UTC),
            facts=_facts(result, permute=permute),
        )
        (run / "report.html").write_text(page, encoding="utf-8")
        board.note(f"stopping what was started; {time.monotonic() - began:.0f} s in all")
    return result


def _begin(run: Path, processes: Processes, board: Board, *, permute: bool) -> tuple[Prepared, str]:
    board.note("starting a Prefect server; building the request log; training both models")
    with ThreadPoolExecutor(1) as pool:
        server = pool.submit(start_prefect, processes, run / "prefect", few_services=True, automations=True)
        prepared = prepare(run)
        if permute:
            permute_outcomes(prepared.lake / "outcomes")
            board.note("outcomes permuted: no model can be better than the other now")
        api_url = server.result()
    board.note(f"Prefect answers at {api_url.removesuffix('/api')}")
    return prepared, api_url


@dataclass(frozen=True, slots=True)
class _Stage:
    """What every service of the demo runs on."""

    run: Path
    prepared: Prepared
    api_url: str
    stack: ExitStack
    processes: Processes
    board: Board


@dataclass(frozen=True, slots=True)
class _Played:
    """One service: its candidate's rollout, and what came after it."""

    first: Told
    later: Sequence[Told] = ()
    renewed: Renewed | None = None


def _play(candidate: Candidate, stage: _Stage) -> _Played:
    from deployments.demo.kept import told_of
    from deployments.demo.renewal import Renewal
    from deployments.demo.service import DemoService

    run, processes = stage.run, stage.processes
    url = address_of_new_versions() if candidate.kept else None
    plan, path = _plan_of(candidate, stage, url)
    plane = EnvoyPlane(run / "planes" / candidate.service, free_port())
    stage.stack.callback(plane.stop)
    settings = _settings(run)
    adapters = wiring.Wiring(
        engine=store.connect(settings.store_url),
        lake=Lake(run / settings.lake),
        plane_of=lambda _service: plane,
        settings=settings,
    )
    renewal = Renewal(processes, stage.api_url, candidate.service) if url else None
    if renewal is not None:
        renewal.start(_as_variables(settings))
    with wiring.use(adapters):
        service = DemoService(plan, path, callers_of(plan, plane), "7d", live_traffic)

        def tell(tick: Tick) -> None:
            stage.board.told(plan.name, tick, service.tally.sent)

        last = Player(service, START, END, EVERY, told=tell).play()
        first = told_of(service)
        if renewal is None or last.state.outcome is not Outcome.PROMOTED:
            return _Played(first)
        return _go_on(first, service, renewal, last, stage)


def _go_on(first: Told, service: DemoService, renewal: Renewal, promoted: Tick, stage: _Stage) -> _Played:
    """Play the rest of the year: the promoted model is watched, and trained anew when the world moves."""
    from deployments.demo.afterwards import play_on
    from deployments.demo.kept import KeptService

    renewal.ready()
    kept = KeptService(replace(service, live=renewed_traffic), renewal, SCHEDULED, stage.board.note)

    def tell(tick: Tick) -> None:
        stage.board.told(kept.of.plan.candidate.version, tick, kept.of.tally.sent)

    weeks = -(-(promoted.at - START) // EVERY)
    play_on(kept, START + weeks * EVERY, END, EVERY, tell)
    known = retrainings.all(wiring.build().engine, service.plan.service)
    return _Played(first, kept.told, Renewed(list(kept.drifts.values()), known))


def _plan_of(candidate: Candidate, stage: _Stage, next_url: str | None) -> tuple[Plan, Path]:
    """Serve both models, and return the plan that names where they are."""
    models, processes, name = stage.prepared.models, stage.processes, candidate.name
    incumbent = serve_model(processes, f"{name}-incumbent", models.incumbent)
    served = serve_model(processes, f"{name}-candidate", models.candidate, *candidate.options)
    path = write_plan(stage.run, name, candidate.service, incumbent, served, next_url)
    return load_plan(path), path


def _settings(run: Path) -> Settings:
    """Return settings that keep everything in the run's folder."""
    return Settings(
        store_url=f"sqlite:///{run / 'headgate.db'}", home=run, lake="exchanges", shelf="shelf",
        retrainings=Path("retrainings"), planes=Path("planes"), anchors=run / "anchors.jsonl",
        pages=run / "pages", key_file=run / "headgate.key",
    )  # fmt: skip


def _as_variables(settings: Settings) -> dict[str, str]:
    """Return the same settings for a process of its own."""
    told = settings.model_dump(mode="json", exclude_unset=True)
    return {variable_of(name): str(value) for name, value in told.items()}


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
