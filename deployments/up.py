"""The flights stack on one machine until Ctrl-C: server, models, plane, and the flows as deployments."""

from __future__ import annotations

import json
import os
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.console import Console

from deployments.plans import write_plan
from deployments.prefect_server import flows_here, start_prefect
from deployments.processes import Processes, free_port
from deployments.stack import Prepared, prepare, serve_model
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.settings import Settings
from headgate.plan import load_plan
from headgate.ports import Endpoint, Route

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

NAME, SERVICE = "flights-gbm", "flight-delays"


def run_stack(run: Path, console: Console) -> None:
    """Start everything, say where it listens, and serve the flows until interrupted.

    The folder keeps the store, the lake and the plane's state: started again, the stack goes on where
    it was.
    """
    run.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        processes = stack.enter_context(Processes(run / "logs"))
        api_url = start_prefect(processes, run / "prefect")
        console.print(f"Prefect     {api_url.removesuffix('/api')}", highlight=False)
        plan_path, plane = _start(run, prepare(run), processes, console)
        stack.callback(plane.stop)
        env_file = _settings(run, plane, api_url)
        stack.enter_context(flows_here(run / "prefect", api_url))
        console.print(
            f"\nThe request log ends in 2013, so the flows are told the time. In another terminal:\n\n"
            f"  source {env_file}\n"
            f"  headgate start {plan_path} --now 2013-04-01T00:00:00Z\n"
            f"  headgate advance {SERVICE} --now 2013-04-01T00:01:00Z\n"
            f"  headgate shadow {SERVICE} --now 2013-04-08T00:00:00Z --every 7d\n"
            f"  headgate status\n\nCtrl-C ends it all.",
            highlight=False,
            soft_wrap=True,
        )
        _serve()


def _start(run: Path, prepared: Prepared, processes: Processes, console: Console) -> tuple[Path, EnvoyPlane]:
    urls = {
        side: serve_model(processes, side, model)
        for side, model in (
            ("incumbent", prepared.models.incumbent),
            ("candidate", prepared.models.candidate),
        )
    }
    for side, url in urls.items():
        console.print(f"{side:<11} {url}", highlight=False)
    path = write_plan(run, NAME, SERVICE, urls["incumbent"], urls["candidate"])
    plane = EnvoyPlane(run / "planes" / SERVICE, free_port())
    plane.reconcile(_nobody_yet(path))
    console.print(f"callers     {plane.url}", highlight=False)
    return path, plane


def _nobody_yet(path: Path) -> Route:
    """Return the route before any rollout: the incumbent alone."""
    plan = load_plan(path)
    host, port = plan.incumbent.url.removeprefix("http://").split(":")
    return Route(
        service=SERVICE, rollout="", salt="", share_bp=0, mirror=False, token=0, generation=0,
        incumbent=Endpoint(host, int(port)), candidate=None, model=plan.incumbent.model,
    )  # fmt: skip


def _settings(run: Path, plane: EnvoyPlane, api_url: str) -> Path:
    """Tell the flow runs, which are processes of their own, where everything is; return it as a file too."""
    found = {
        "PREFECT_API_URL": api_url,
        "HEADGATE_STORE_URL": f"sqlite:///{(run / 'headgate.db').resolve()}",
        "HEADGATE_LAKE": str((run / "exchanges").resolve()),
        "HEADGATE_PLANES": str((run / "planes").resolve()),
        "HEADGATE_PLANE_PORTS": json.dumps({SERVICE: int(plane.url.rsplit(":", 1)[1])}),
    }
    os.environ |= found
    Settings()  # a mistake shows here, not in the first flow run
    path = run / "env"
    path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in found.items()))
    return path


def _serve() -> None:
    # Imported once their server runs: Prefect reads its settings while it is imported.
    from prefect import serve

    from flows.advance import advance
    from flows.open import open_rollout
    from flows.rollback import rollback
    from flows.shadow import shadow

    mine = {"service": SERVICE}
    deployments = [
        open_rollout.to_deployment(name="default"),
        shadow.to_deployment(name=SERVICE, parameters=mine),
        advance.to_deployment(name=SERVICE, parameters=mine),
        rollback.to_deployment(name=SERVICE, parameters=mine),
    ]
    serve(*cast("list[RunnerDeployment]", deployments))  # coroutines only where a loop is running
