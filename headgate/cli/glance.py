"""What happened to a rollout, and why it is not moving."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headgate.cli.options import AsJson, RolloutId, SliceName
from headgate.cli.root import RUNNING, app, out, print_json, told
from headgate.plan.model import ALL
from headgate.report.chronicle import Happened, Kind, days
from headgate.report.explain import Explanation
from headgate.report.formats import utc, when
from headgate.report.missing import Need
from headgate.rollout.state import Move

_MARKS = {
    Kind.OPENED: ("●", "cyan"),
    Kind.MOVED: ("▲", "green"),
    Kind.HELD: ("·", "dim"),
    Kind.ANSWERED: ("✎", "magenta"),
    Kind.REFUSED: ("✗", "red"),
    Kind.ORDERED: ("!", "bold yellow"),
    Kind.CONFIRMED: ("✓", "dim"),
    Kind.SIGNED: ("✎", "magenta"),
    Kind.INCIDENT: ("!", "bold red"),
    Kind.ALERTED: ("»", "yellow"),
    Kind.DELIVERED: ("»", "dim"),
    Kind.UNDELIVERED: ("✗", "red"),
}
_FALLS = frozenset({Move.ROLL_BACK, Move.ABORT, Move.EXPIRE, Move.STEP_BACK, Move.FREEZE})
_ASKS = frozenset({Move.ASK, Move.PAUSE})


@app.command(rich_help_panel=RUNNING)
@told
def history(
    rollout: RolloutId,
    slice_: SliceName = None,
    every: Annotated[bool, typer.Option("--all", help="Every tick, holds too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell everything that happened to a rollout, in order of time (UTC)."""
    from headgate.adapters.chronicles import chronicle_of
    from tasks.wiring import build

    happened = chronicle_of(build().engine, rollout, slice_=slice_, every=every)
    if as_json:
        print_json([_plain(asdict(one)) for one in happened])
        return
    whose = len({one.slice for one in happened} - {ALL}) > 1
    for day, run in days(happened):
        out.print(Text(day, style="bold"))
        out.print(_lines(run, whose=whose))


def _lines(run: tuple[Happened, ...], *, whose: bool) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in run:
        mark, style = _MARKS[one.kind]
        if one.move in _FALLS:
            mark, style = "▼", "bold red"
        elif one.move in _ASKS:
            mark, style = "?", "yellow"
        who = f"{one.who} " if one.who else ""
        part = f"[{one.slice}] " if whose and one.slice != ALL else ""
        text = Text(f"{part}{who}{one.what}", style=style if one.kind is not Kind.HELD else "")
        if one.why:
            text.append(f": {one.why}", style="dim" if one.kind is not Kind.INCIDENT else "")
        table.add_row(Text(f"{utc(one.at):%H:%M}", style="dim"), Text(mark, style=style), text)
    return table


@app.command(rich_help_panel=RUNNING)
@told
def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[ROLLOUT|SERVICE]", help="Default: every rollout that is open.", show_default=False
        ),
    ] = None,
    plane: Annotated[
        bool, typer.Option("--plane/--no-plane", help="Ask the traffic plane what it reports.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Say why a rollout is not moving: what is missing, what comes next, what you can do now."""
    from tasks.standing import explained

    found = explained(name, ask_planes=plane)
    if as_json:
        print_json([_plain(asdict(one)) for one in found])
    elif not found:
        out.print("no rollout is open; `headgate status --all` shows those that are done")
    for number, one in enumerate(found if not as_json else ()):
        if number:
            out.print()
        _tell(one)


def _tell(one: Explanation) -> None:
    out.print(Text(one.headline, style="bold"))
    for sentence in one.why:
        out.print(_item("•", sentence))
    if one.needs:
        out.print(Text(f"\nWhat it takes {one.towards}", style="bold"))
        out.print(_needs(one.needs))
    out.print(Text("\nWhat comes next", style="bold"))
    for sentence in one.next:
        out.print(_item("•", sentence))
    out.print(Text("\nWhat you can do", style="bold"))
    for todo in one.todo:
        # A command stays on one line, so that it can be copied.
        out.print(f"  [cyan]{escape(todo.command)}[/]", soft_wrap=True, highlight=False)
        out.print(Text(f"      {todo.what}", style="dim"))


def _item(mark: str, sentence: str) -> Table:
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(no_wrap=True)
    line.add_column(overflow="fold")
    line.add_row(mark, Text(sentence))
    return line


def _needs(needs: tuple[Need, ...]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(min_width=8, overflow="fold")
    table.add_column(overflow="fold")
    marks = {True: ("✓", "green"), False: ("✗", "yellow"), None: ("·", "dim")}
    for need in needs:
        mark, style = marks[need.met]
        soon = need.ready_at is not None and need.met is False and need.what.startswith("gate ")
        about = f" (about {when(need.ready_at)})" if soon and need.ready_at else ""
        table.add_row(
            Text(mark, style=style),
            Text(need.what, style="" if need.met is False else "dim"),
            Text(f"{need.detail}{about}", style="" if need.met is False else "dim"),
        )
    return table


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: times in UTC with a Z, tuples as lists, enums by value."""
    match value:
        case dict():
            return {key: _plain(of) for key, of in value.items()}
        case list() | tuple():
            return [_plain(of) for of in value]
        case datetime():
            return utc(value).isoformat().replace("+00:00", "Z")
        case _:
            return value
