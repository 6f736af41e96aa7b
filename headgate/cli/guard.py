"""``headgate guard``: the service between callers and the plane, and its queue."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.options import AsJson, PlanPath, duration
from headgate.cli.root import RUNNING, app, out, print_json, told
from headgate.errors import InputError

if TYPE_CHECKING:
    from headgate.adapters.guard.draining import Drained, Drainer
    from headgate.plan.model import Plan

guard = typer.Typer(
    no_args_is_help=True,
    help="Run the guard: it checks requests before the plane sees them, and stands in for models.\n\n"
    "callers → guard → plane → models. What it does is in the plan (`input`, `output`, `serving`) and in "
    "docs/traffic.md. Callers may also talk to the plane directly and forgo it.",
)
app.add_typer(guard, name="guard", rich_help_panel=RUNNING)

PlaneUrl = Annotated[
    str | None,
    typer.Option("--plane", help="Where the plane answers; default: as in the settings.", show_default=False),
]
#: Longer than usual callers keep an idle connection.
_KEEP_ALIVE_SECONDS = 75
_DRAIN_SECONDS = 10


@guard.command()
@told
def serve(
    plan: PlanPath,
    host: Annotated[
        str, typer.Option(help="Address to listen on; loopback unless you say so.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Port; default: HEADGATE_GUARD_PORT.", show_default=False)
    ] = None,
    plane: PlaneUrl = None,
    replica: Annotated[
        str, typer.Option(help="Name of this guard; several of one service need different ones.")
    ] = "one",
) -> None:
    """Serve until told to stop (SIGTERM): answers under way are finished, logs are written out.

    It keeps nothing but its queue and its logs, so several may serve beside each other behind any balancer.
    `GET /openapi.json` describes it, `GET /v2/guard` tells what it counted.
    """
    import logging

    import uvicorn

    from headgate.adapters.guard.app import guard_app
    from tasks.guarding import stand
    from tasks.wiring import read_settings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line per call would be most of the log
    loaded = _loaded(plan)
    standing = stand(loaded, _name(replica), plane)
    config = uvicorn.Config(
        guard_app(standing.guard),
        host=host,
        port=port or read_settings().guard_port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    try:
        uvicorn.Server(config).run()
    finally:
        standing.lock.close()


@guard.command()
@told
def drain(
    plan: PlanPath,
    plane: PlaneUrl = None,
    patience: Annotated[str, typer.Option("--for", help="How long to go on, e.g. 1h.")] = "5m",
    replica: Annotated[
        str, typer.Option(help="Name that its log is kept under; two drains at once need different ones.")
    ] = "drain",
    as_json: AsJson = False,
) -> None:
    """Ask the models what is in the queue, until it is empty or time is up. Exit 1 if something is left.

    A guard that serves does this by itself; this is for one that does not serve any more. What a guard
    had under way when it died is free after some minutes.
    """
    seconds = duration("--for", patience).total_seconds()
    done = asyncio.run(_drained(_loaded(plan), _name(replica), plane, seconds, quiet=as_json))
    if as_json:
        print_json(
            {
                "answered": done.answered,
                "put_off": done.put_off,
                "expired": done.expired,
                "waiting": done.waiting,
            }
        )
    else:
        out.print(f"answered {done.answered}, expired {done.expired}, {done.waiting} still wait")
    if done.waiting:
        raise typer.Exit(1)


@guard.command()
@told
def openapi(plan: PlanPath) -> None:
    """Print the guard's OpenAPI document, as it serves it at /openapi.json."""
    from headgate.guard.asked import Door
    from headgate.guard.openapi import openapi as document

    loaded = _loaded(plan)
    print_json(document(loaded, Door(loaded, str).columns))


async def _drained(plan: Plan, replica: str, plane: str | None, seconds: float, *, quiet: bool) -> Drained:
    from tasks.guarding import drain as draining

    made = draining(plan, replica, plane)
    try:
        return await _rounds(made.drainer, seconds, quiet=quiet)
    finally:
        await made.drainer.close()
        made.lock.close()


async def _rounds(drainer: Drainer, seconds: float, *, quiet: bool) -> Drained:
    from headgate.adapters.guard.draining import Drained

    until = asyncio.get_running_loop().time() + seconds
    total = Drained(0, 0, 0, 0)
    while True:
        done = await drainer.round()
        total = Drained(
            total.answered + done.answered,
            total.put_off + done.put_off,
            total.expired + done.expired,
            done.waiting,
        )
        if not done.waiting or asyncio.get_running_loop().time() >= until:
            return total
        if not quiet and (done.answered or done.put_off):
            out.print(f"answered {total.answered}, {done.waiting} still wait", highlight=False)
        if not done.answered:
            await asyncio.sleep(0.5)


def _loaded(plan: Path) -> Plan:
    from headgate.plan import load_plan

    return load_plan(plan)


def _name(replica: str) -> str:
    if not replica or not replica.replace("-", "").isalnum() or not replica.isascii():
        raise InputError(
            f"--replica: asked letters, digits and dashes; found {replica!r}; choose another name"
        )
    return replica
