"""The flights stack on this machine until Ctrl-C, and a year of traffic played beside it.

Prefect's server with its UI, a work pool, every deployment, automations and a worker; both model servers and
Envoy; two operators with secrets of their own. What approves is a person in the browser: docs/operators.md.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from deployments import leftovers, prefect_work
from deployments.demo.board import Board
from deployments.duty import OPERATORS, enrol_operators, secret_file, sign_for
from deployments.handover import Handover
from deployments.plans import write_plan
from deployments.ports import Ports, address_of_new_versions, choose_ports
from deployments.prefect_server import flows_here, prefect_env, start_prefect
from deployments.processes import Processes, ended_by_signals
from deployments.stack import prepare, serve_model
from headgate.adapters.clock import read_clock, set_clock
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.settings import Settings
from headgate.errors import InputError, PlaneRefused
from headgate.plan import Plan, load_plan
from headgate.ports import Endpoint, Route

NAME, SERVICE, POOL = "flights-gbm", "flight-delays", "headgate"
START = datetime(2013, 4, 1, tzinfo=UTC)
END = datetime(2014, 1, 6, tzinfo=UTC)
#: The example's schedule ticks more often than `prefect.yaml` asks: people watch it.
TICK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asked for."""

    run: Path
    fresh: bool = False
    play: bool = True
    ports: Mapping[str, int | None] = field(default_factory=dict)


def run_stack(asked: Asked, console: Console) -> None:
    """Start everything, say where it listens, and go on until interrupted.

    The folder keeps the store, the lake, the clock, the ports and the plane's state: started again, the stack
    goes on where it was.
    """
    # A retry is counted where it matters; a line for each would bury the story on the terminal.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    run = asked.run.resolve()
    with ExitStack() as stack:
        stack.enter_context(ended_by_signals())
        stack.enter_context(leftovers.only_one(run))
        leftovers.end_leftovers(run)
        if asked.fresh:
            _empty(run)
        ports = choose_ports(run, asked.ports)
        processes = stack.enter_context(Processes(run / "logs"))
        board = stack.enter_context(Board(console))
        env = _settings(run, ports)
        handover = Handover(run, ports, SERVICE, env)
        plan, path = _start(run, ports, processes, board, env, stack)
        stack.callback(board.note, "stopping what was started")
        stack.callback(_stop_the_clock, run)
        stack.enter_context(flows_here(run / "prefect", env["PREFECT_API_URL"]))
        _go_on(asked, handover, plan, path, processes, board)


def _empty(run: Path) -> None:
    """Forget the run. Only what looks like one is emptied."""
    for left in sorted(run.iterdir()):
        if left.name == "lock":
            continue
        if not (run / "ports.json").exists() and not (run / "logs").is_dir():
            raise InputError(
                f"--fresh: asked to empty {run}; it holds {left.name} and is no run; name another --out"
            )
    for left in run.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        elif left.name != "lock":
            left.unlink()


def _settings(run: Path, ports: Ports) -> dict[str, str]:
    """Tell every process where everything is, and leave the same in a file to source."""
    api_url = f"http://127.0.0.1:{ports.prefect}/api"
    env = {
        **prefect_env(run / "prefect", api_url),
        "HEADGATE_STORE_URL": f"sqlite:///{run / 'headgate.db'}",
        "HEADGATE_HOME": str(run),
        "HEADGATE_LAKE": "exchanges",
        "HEADGATE_SHELF": "shelf",
        "HEADGATE_RETRAININGS": "retrainings",
        "HEADGATE_PLANES": "planes",
        "HEADGATE_PLANE_PORTS": json.dumps({SERVICE: ports.plane}),
        "HEADGATE_PAGES": str(run / "pages"),
        "HEADGATE_KEY_FILE": str(run / "headgate.key"),
        "HEADGATE_ANCHORS": str(run / "anchors.jsonl"),
        "HEADGATE_WORK_POOL": POOL,
        "HEADGATE_CLOCK": str(run / "clock.json"),
    }
    os.environ |= env
    Settings()  # a mistake shows here, not in the first flow run
    _leave_for_the_shell(run, env)
    clock = run / "clock.json"
    set_clock(clock, read_clock(clock).now(datetime.now(UTC)) if clock.exists() else START)
    return env


def _leave_for_the_shell(run: Path, env: Mapping[str, str]) -> None:
    """Leave a file to source: whoever does is the first operator, and finds `headgate`."""
    yours = {**env, "HEADGATE_APPROVER_SECRET_FILE": str(secret_file(run, OPERATORS[0]))}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in yours.items()]
    lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"\n')
    (run / "env").write_text("".join(lines), encoding="utf-8")


def _start(
    run: Path, ports: Ports, processes: Processes, board: Board, env: Mapping[str, str], stack: ExitStack
) -> tuple[Plan, Path]:
    """Start everything that listens; deployments and worker follow as soon as the server answers."""
    board.note("starting Prefect; building the request log; training both models (about half a minute)")
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(_start_prefect, run, ports, processes, env)
        try:
            plan, path = _start_service(run, ports, processes, stack)
            work.result()
        except BaseException:
            processes.stop()  # also what the other thread waits for: Ctrl-C must not wait for it
            raise
    leftovers.note(run, processes)
    return plan, path


def _start_service(run: Path, ports: Ports, processes: Processes, stack: ExitStack) -> tuple[Plan, Path]:
    prepared = prepare(run)
    urls = [
        serve_model(processes, side, model, port=port)
        for side, model, port in (
            ("incumbent", prepared.models.incumbent, ports.incumbent),
            ("candidate", prepared.models.candidate, ports.candidate),
        )
    ]
    path = write_plan(run, NAME, SERVICE, urls[0], urls[1], address_of_new_versions())
    plan = load_plan(path)
    plane = EnvoyPlane(run / "planes" / SERVICE, ports.plane)
    stack.callback(plane.stop)
    _serve_callers(plan, plane)
    return plan, path


def _start_prefect(run: Path, ports: Ports, processes: Processes, env: Mapping[str, str]) -> None:
    api_url = start_prefect(processes, run / "prefect", seconds=300, port=ports.prefect)
    leftovers.note(run, processes)  # should we be killed before all is there
    prefect_work.create_pool(api_url, POOL)
    everything = {**os.environ, **env}
    worker = prefect_work.start_worker(processes, POOL, everything)
    prefect_work.deploy_all(processes, run, everything, tick_seconds=TICK_SECONDS)
    prefect_work.apply_automations(processes, everything)
    processes.wait(worker, lambda: prefect_work.has_worker(api_url, POOL), seconds=180)


def _serve_callers(plan: Plan, plane: EnvoyPlane) -> None:
    """Serve callers at the share the plane's files hold; before any rollout by the incumbent alone."""
    host, port = plan.incumbent.url.removeprefix("http://").split(":")
    route = Route(
        service=SERVICE, rollout="", salt="", share_bp=0, mirror=False, token=0, generation=0,
        incumbent=Endpoint(host, int(port)), candidate=None, model=plan.incumbent.model,
    )  # fmt: skip
    # Refused where the plane holds a rollout's route already: then Envoy runs, at that very share.
    with contextlib.suppress(PlaneRefused):
        plane.reconcile(route)


def _go_on(
    asked: Asked, handover: Handover, plan: Plan, path: Path, processes: Processes, board: Board
) -> None:
    # Imported once their server runs: Prefect reads its settings while it is imported.
    from deployments.demo.renewal import Renewal
    from deployments.demo.run import callers_of
    from deployments.live_stage import LiveStage
    from deployments.year import Year

    run, clock = handover.run, handover.run / "clock.json"
    enrol_operators(run, read_clock(clock).now(datetime.now(UTC)))
    plane = EnvoyPlane(run / "planes" / SERVICE, handover.ports.plane)
    renewal = Renewal(processes, os.environ["PREFECT_API_URL"], SERVICE)
    stage = LiveStage(
        plan, path, callers_of(plan, plane), lambda rollout, now: sign_for(run, rollout, now), renewal
    )
    board.note(handover.table())

    def idle() -> None:
        for name in processes.revive():
            board.note(f"{name} had ended and was started again; see {processes.logs / name}.log")
            leftovers.note(run, processes)

    year = Year(
        stage, clock, END,
        told=lambda tick: board.told(plan.name, tick, stage.tally.sent),
        waits=lambda tick: board.note(handover.question(tick)),
        failed=lambda err: board.note(f"a flow run failed, the next one makes up for it: {escape(str(err))}"),
        idle=idle,
    )  # fmt: skip
    if asked.play:
        year.play()
    else:
        board.note(handover.by_hand(path))
        year.stand_by()


def _stop_the_clock(run: Path) -> None:
    """Let no time pass until the stack is started again: an open question would expire meanwhile."""
    clock = run / "clock.json"
    set_clock(clock, read_clock(clock).now(datetime.now(UTC)), speed=0.0)
