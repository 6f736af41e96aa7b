"""What people say: yes, no, stop, go on."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from headgate.cli.options import Now, Reason, RolloutId, ServiceName, SliceName, Who, when
from headgate.cli.root import SAYING, app, out, told
from headgate.plan.model import ALL
from headgate.rollout.state import Answer, Verb


@app.command(rich_help_panel=SAYING)
@told
def approve(
    rollout: RolloutId,
    who: Who,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    now: Now = None,
    slice_: SliceName = None,
) -> None:
    """Say yes to the question a rollout has open. A later tick advances it, if it still holds."""
    _answer(rollout, Answer.APPROVE, who, comment, now, slice_)


@app.command(rich_help_panel=SAYING)
@told
def reject(
    rollout: RolloutId,
    who: Who,
    comment: Annotated[str, typer.Option(help="Why.")],
    now: Now = None,
    slice_: SliceName = None,
) -> None:
    """Say no: before any traffic the rollout ends as rejected, later it rolls back."""
    _answer(rollout, Answer.REJECT, who, comment, now, slice_)


def _answer(rollout: str, said: Answer, who: str, comment: str, now: str | None, slice_: str | None) -> None:
    from tasks import people

    recorded = people.answer(rollout, said, who, comment, when(now), slice_)
    out.print(
        f"recorded: {escape(recorded.approver)} {said.value}s step {recorded.step} of {rollout} (question "
        f"{recorded.attempt}); the next tick acts on it",
        highlight=False,
    )


@app.command(rich_help_panel=SAYING)
@told
def rollback(
    service: ServiceName, who: Who, reason: Reason, now: Now = None, slice_: SliceName = None
) -> None:
    """Take all traffic back to the incumbent, now (flow `advance`).

    The order is recorded before Prefect is asked for anything: should its server be down, the next tick
    acts on it.
    """
    from tasks import people

    moment = when(now)
    rollout = people.press(service, Verb.ROLLBACK, who, reason, moment, slice_ or ALL)
    out.print(f"recorded: rollback {rollout}")
    from flows.advance import advance as tick  # after the order is safe: Prefect may not even import

    tick(service, now=moment)
    out.print(f"[red]rolling back {rollout}[/]; `headgate status` shows when the plane reports 0 %")


def _press(service: str, verb: Verb, who: str, reason: str, now: str | None, slice_: str | None) -> None:
    from tasks import people

    rollout = people.press(service, verb, who, reason, when(now), slice_ or ALL)
    out.print(f"recorded: {verb.value} {rollout}; the next tick acts on it")


@app.command(rich_help_panel=SAYING)
@told
def abort(service: ServiceName, who: Who, reason: Reason, now: Now = None, slice_: SliceName = None) -> None:
    """End the rollout at the next tick: nothing beats an abort."""
    _press(service, Verb.ABORT, who, reason, now, slice_)


@app.command(rich_help_panel=SAYING)
@told
def pause(service: ServiceName, who: Who, reason: Reason, now: Now = None, slice_: SliceName = None) -> None:
    """Stand still at the present share from the next tick on; timers shift."""
    _press(service, Verb.PAUSE, who, reason, now, slice_)


@app.command(rich_help_panel=SAYING)
@told
def resume(service: ServiceName, who: Who, reason: Reason, now: Now = None, slice_: SliceName = None) -> None:
    """End a pause at the next tick; an alarm that paused it starts afresh at half its error level."""
    _press(service, Verb.RESUME, who, reason, now, slice_)
