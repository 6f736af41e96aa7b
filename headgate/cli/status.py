"""Where every rollout stands: once, again and again, or until one of them is done."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from headgate.cli.options import AsJson, duration
from headgate.cli.root import RUNNING, app, out, print_json, told
from headgate.errors import InputError
from headgate.report.board import board, rows_of
from headgate.report.glance import Glance
from headgate.rollout.state import Outcome

#: Slices that are done and shown without ``--all``.
_DONE = 5
#: Seconds between two looks.
_EVERY_S = 2.0
#: Of ``--wait``: every outcome has an exit code of its own; 1 and 2 are errors, 130 is Ctrl-C.
EXITS = {
    Outcome.PROMOTED: 0,
    Outcome.ROLLED_BACK: 3,
    Outcome.REJECTED: 4,
    Outcome.ABORTED: 5,
    Outcome.EXPIRED: 6,
    Outcome.SUPERSEDED: 7,
}
TOO_LATE = 8

Look = Callable[[], list[Glance]]


@app.command(rich_help_panel=RUNNING)
@told
def status(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C; on a pipe one print per change.")
    ] = False,
    service: Annotated[
        str | None, typer.Option("--service", help="Only rollouts of this service.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every rollout that is done, too.")] = False,
    plane: Annotated[bool, typer.Option("--plane", help="Ask the traffic planes what they report.")] = False,
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait",
            metavar="ROLLOUT",
            help="Wait until it is done. Exit 0: promoted; 3: rolled back; 4: rejected; 5: aborted; "
            "6: expired; 7: superseded; 8: --timeout is over.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", help="The longest to --wait, e.g. 6h.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show where every rollout stands: share, what it waits for and since when, what is due next.

    A time in red is short, or a sign that ticks have stopped. `headgate explain` says why one is not moving.
    """
    from tasks.standing import glances

    def look() -> list[Glance]:
        return glances(service=service, rollout=wait, ask_planes=plane)

    if wait is not None:
        limit = duration("--timeout", timeout) if timeout else None
        raise typer.Exit(_wait(look, limit, as_json=as_json))
    if timeout is not None:
        raise InputError("--timeout: asked how long to wait; found no --wait; name a rollout to wait for")
    if watch:
        _watch(look, every=every, as_json=as_json)
    elif as_json:
        print_json(rows_of(look()))
    else:
        _show(look(), every=every)


def changes(look: Look, go_on: Callable[[], bool]) -> Iterator[list[Glance]]:
    """Yield what is seen, once per change, as long as ``go_on`` (which takes its time) says so."""
    before: list[dict[str, Any]] | None = None
    while True:
        seen = look()
        # Getting older is no change.
        rows = [{key: of for key, of in row.items() if "age" not in key} for row in rows_of(seen)]
        if rows != before:
            yield seen
        before = rows
        if not go_on():
            return


def _watch(look: Look, *, every: bool, as_json: bool) -> None:
    try:
        if out.is_terminal and not as_json:
            with Live(console=out, auto_refresh=False, vertical_overflow="visible") as live:
                while True:
                    live.update(_board(look(), every=every), refresh=True)
                    _pause()
        for seen in changes(look, _pause):
            _print(seen, every=every, as_json=as_json)
    except KeyboardInterrupt:
        return  # the way to end a watch


def _wait(look: Look, limit: timedelta | None, *, as_json: bool) -> int:
    """Print every change of one rollout until it is done; return the exit code."""
    until = math.inf if limit is None else time.monotonic() + limit.total_seconds()
    for seen in changes(look, lambda: time.monotonic() < until and _pause()):
        _print(seen, every=True, as_json=as_json)
        if seen and (outcome := seen[0].ended) is not None:
            return EXITS[outcome]
    return TOO_LATE


def _pause() -> bool:
    time.sleep(_EVERY_S)
    return True


def _print(seen: Sequence[Glance], *, every: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows_of(seen), allow_nan=False))  # a line per change, for programs that follow
    else:
        _show(seen, every=every)


def _show(seen: Sequence[Glance], *, every: bool) -> None:
    out.print(_board(seen, every=every) if seen else _NOTHING, highlight=False)


def _untold() -> str:
    """Return what people were not told in time, in a line; nothing where they were."""
    from tasks.clock import the_time
    from tasks.notices import late_notices

    late = late_notices(the_time())
    if not late:
        return ""
    first, more = late[0], f" (and {len(late) - 1} more)" if len(late) > 1 else ""
    return f"not told in time: {first.alert.subject}{more}: `headgate doctor` says why"


_NOTHING = "no rollout yet; open one with `headgate start PLAN`"


def _board(seen: Sequence[Glance], *, every: bool) -> Any:
    if not seen:
        return _NOTHING
    # What is open comes first: that is what people are asked about.
    running, done = [one for one in seen if one.ended is None], [one for one in seen if one.ended is not None]
    shown = done if every else done[:_DONE]
    table = board([*running, *shown], out.width, hidden=len(done) - len(shown))
    late = _untold()
    return Group(table, Text(late, style="red")) if late else table
