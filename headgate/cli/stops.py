"""Stop buttons: roll back, abort, pause, go on, take back, try again, and the kill switch."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from headgate.cli.options import AsJson, Now, Reason, ServiceName, SliceName, Who, when
from headgate.cli.root import SAYING, app, out, print_json, told
from headgate.errors import HeadgateError, InputError
from headgate.plan.model import ALL
from headgate.rollout.state import Verb

if TYPE_CHECKING:
    from tasks.killing import Killed


@app.command(rich_help_panel=SAYING)
@told
def rollback(
    service: ServiceName,
    who: Who,
    reason: Reason,
    now: Now = None,
    slice_: SliceName = None,
    as_json: AsJson = False,
) -> None:
    """Take all traffic back to the incumbent, now (flow `advance`).

    The order is recorded before Prefect is asked for anything: should its server be down, the next tick
    acts on it. `headgate kill` needs no server.
    """
    from tasks import verbs

    moment = when(now)
    rollout = verbs.press(service, Verb.ROLLBACK, who, reason, moment, slice_ or ALL)
    _act(service, rollout, Verb.ROLLBACK, moment, as_json=as_json)


@app.command(rich_help_panel=SAYING)
@told
def undo(
    service: ServiceName,
    who: Who,
    reason: Reason,
    now: Now = None,
    slice_: SliceName = None,
    as_json: AsJson = False,
) -> None:
    """Take a promotion back while no other rollout came after it (flow `advance`).

    The rollout is open again and rolls back: it ends as rolled_back, and can be retried.
    """
    from tasks import verbs

    moment = when(now)
    rollout = verbs.undo(service, who, reason, moment, slice_ or ALL)
    _act(service, rollout, Verb.UNDO, moment, as_json=as_json)


def _act(service: str, rollout: str, verb: Verb, moment: datetime, *, as_json: bool) -> None:
    """Tick at once. The order is safe by now: Prefect may not even import."""
    if not as_json:
        out.print(f"recorded: {verb.value} {rollout}")
    from flows.advance import advance as tick

    tick(service, now=moment)
    if as_json:
        print_json({"rollout": rollout, "recorded": verb.value, "ticked": True})
    else:
        out.print(f"[red]rolling back {rollout}[/]; `headgate status` shows when the plane reports 0 %")


@app.command(rich_help_panel=SAYING)
@told
def abort(
    service: ServiceName,
    who: Who,
    reason: Reason,
    now: Now = None,
    slice_: SliceName = None,
    as_json: AsJson = False,
) -> None:
    """End the rollout at the next tick: nothing beats an abort."""
    _press(service, Verb.ABORT, who, reason, now, slice_, as_json=as_json)


@app.command(rich_help_panel=SAYING)
@told
def pause(
    service: ServiceName,
    who: Who,
    reason: Reason,
    now: Now = None,
    slice_: SliceName = None,
    as_json: AsJson = False,
) -> None:
    """Stand still at the present share from the next tick on; timers shift."""
    _press(service, Verb.PAUSE, who, reason, now, slice_, as_json=as_json)


@app.command(rich_help_panel=SAYING)
@told
def resume(
    service: ServiceName,
    who: Who,
    reason: Reason,
    now: Now = None,
    slice_: SliceName = None,
    as_json: AsJson = False,
) -> None:
    """End a pause at the next tick; an alarm that paused it starts afresh at half its error level."""
    _press(service, Verb.RESUME, who, reason, now, slice_, as_json=as_json)


def _press(
    service: str, verb: Verb, who: str, reason: str, now: str | None, slice_: str | None, *, as_json: bool
) -> None:
    from tasks import verbs

    rollout = verbs.press(service, verb, who, reason, when(now), slice_ or ALL)
    if as_json:
        print_json({"rollout": rollout, "recorded": verb.value, "ticked": False})
    else:
        out.print(f"recorded: {verb.value} {rollout}; the next tick acts on it")


@app.command(rich_help_panel=SAYING)
@told
def retry(
    rollout: Annotated[
        str, typer.Argument(help="The rollout's id, or its service: then its newest.", show_default=False)
    ],
    who: Who,
    reason: Reason,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Open a rollout anew that was rolled back, aborted, rejected or expired, with the same frozen plan."""
    from tasks import verbs

    new = verbs.retry(rollout, who, reason, when(now))
    ahead = verbs.queued_behind(new)
    if as_json:
        print_json({"rollout": new, "recorded": "retry", "queued_behind": ahead})
    else:
        waits = f"; it is queued behind [bold]{ahead}[/]" if ahead else ""
        out.print(f"opened [bold]{new}[/]{waits}; `headgate status` shows it")


@app.command(rich_help_panel=SAYING)
@told
def kill(
    who: Who,
    reason: Reason,
    service: Annotated[
        str | None, typer.Argument(help="The service's name; or --all.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every service with an open rollout.")] = False,
    unrecorded: Annotated[
        bool, typer.Option("--unrecorded", help="Without the store, where that cannot be used.")
    ] = False,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Set the candidate's share to 0 now: no Prefect server and no model server is needed.

    The order is recorded, decided and brought in force by this very command, until the plane itself
    reports 0. A promotion that nothing came after is taken back. With --unrecorded it needs no store
    either: the next tick then waits for an operator.
    """
    if (service is None) == (not every):
        found = "both" if every else "neither"
        raise InputError(
            f"asked a service or --all; found {found}; headgate kill SERVICE --as WHO --reason WHY"
        )
    done, failures = [], []
    for name in [service] if service else _every(unrecorded=unrecorded):
        try:
            done.append(_kill(name, who, reason, now, unrecorded=unrecorded))
        except HeadgateError as err:
            if service:
                raise
            failures.append(err)
            typer.echo(f"headgate: {name}: {err}", err=True)
    if as_json:
        print_json([asdict(one) for one in done])
    else:
        for one in done:
            _tell(one)
        if not done and not failures:
            out.print("no service has a rollout open: nothing to kill")
    if failures:
        raise typer.Exit(failures[0].exit_code)


def _every(*, unrecorded: bool) -> list[str]:
    from tasks import killing, wiring

    return wiring.planes_here() if unrecorded else killing.killable()


def _kill(service: str, who: str, reason: str, now: str | None, *, unrecorded: bool) -> Killed:
    from tasks.killing import kill as act

    try:
        moment = when(now)
    except HeadgateError:
        if not unrecorded or now is not None:
            raise
        moment = datetime.now(UTC)  # a played clock that is lost keeps no share up
    return act(service, who, reason, moment, unrecorded=unrecorded)


def _tell(one: Killed) -> None:
    mirror = "on" if one.mirror else "off"
    out.print(
        f"[red]{one.service}[/]: the plane reports share {one.share_bp / 100:g} %, mirror {mirror}, "
        f"generation {one.generation} of {one.rollout or 'no rollout'}",
        highlight=False,
        soft_wrap=True,
    )
    if not one.recorded:
        where = (
            f"NOT written ({escape(one.trouble)}): keep it" if one.trouble else "written beside its folder"
        )
        out.print(
            f"the store knows nothing of it; the note was {where}: {escape(one.note)}",
            highlight=False,
            soft_wrap=True,
        )
