"""Every rollout in one table that a person reads in seconds, and the same as rows for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headgate.plan.model import ALL
from headgate.report.formats import utc
from headgate.report.glance import Due, Glance
from headgate.report.missing import units
from headgate.report.words import OUTCOMES, PHASES, percent
from headgate.rollout.state import Outcome, Phase

_COLOURS = {
    Outcome.PROMOTED: "green",
    Outcome.ROLLED_BACK: "red",
    Outcome.ABORTED: "red",
    Outcome.REJECTED: "red",
    Outcome.EXPIRED: "yellow",
    Outcome.SUPERSEDED: "dim",
}
#: Columns, and the width of the terminal from which on there is room for each.
_COLUMNS = {
    "rollout": 0, "service": 120, "where": 0, "share": 0, "waits for": 0, "for": 0, "next": 0,
    "deadline": 100, "last tick": 100,
}  # fmt: skip
#: Gates that a line names of those that are not proved yet.
_GATES = 3
#: What ends a clause in a reason; a line has room for two.
_CLAUSE = "; "


def brief(span: timedelta) -> str:
    """Return a duration in a few characters.

    Examples
    --------
    >>> brief(timedelta(days=14, hours=3)), brief(timedelta(minutes=90)), brief(timedelta(seconds=40))
    ('14 d', '1 h', '40 s')
    >>> brief(timedelta(days=4_000))
    '10 y'
    """
    seconds = max(0, int(span.total_seconds()))
    if seconds >= 3 * 365 * 86_400:
        return f"{seconds // (365 * 86_400)} y"
    units = (("d", 86_400), ("h", 3_600), ("min", 60))
    return next((f"{seconds // size} {name}" for name, size in units if seconds >= size), f"{seconds} s")


def rows_of(glances: Sequence[Glance]) -> list[dict[str, Any]]:
    """Return one row per slice as plain JSON values."""
    return [_row(one) for one in glances]


def _row(one: Glance) -> dict[str, Any]:
    state, decision, question = one.state, one.decision, one.question
    return {
        "rollout": one.rollout,
        "slice": state.slice,
        "service": one.service,
        "candidate": one.candidate,
        "attempt": one.attempt,
        "phase": state.phase.value,
        "outcome": state.outcome.value if state.outcome else None,
        "step": state.step,
        "percent": state.share_bp / 100,
        "paused": state.paused.reason if state.paused else None,
        "waiting_for": [waiting.value for waiting in state.waiting_for],
        "decision": decision.move.value,
        "reasons": list(decision.reasons),
        "at": _stamp(one.last.at),
        "due": _stamp(decision.due),
        "ended": one.ended.value if one.ended else None,
        "rank": one.rank,
        "since": _stamp(one.since),
        "deadline": _due(one.deadline),
        "next": _due(one.coming),
        "last_tick_age_seconds": int(one.age.total_seconds()),
        "ticks_stopped": one.stopped,
        "question": question
        and {
            "request": question.request,
            "expires_at": _stamp(question.expires_at),
            "needed": question.needed,
            "approved_by": list(question.approved_by),
        },
        "plane": one.plane,
    }


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else utc(at).isoformat().replace("+00:00", "Z")


def _due(due: Due | None) -> dict[str, str | None] | None:
    return None if due is None else {"at": _stamp(due.at), "what": due.what}


def where(one: Glance) -> str:
    """Return where a slice stands, in a word or two.

    The outcome is decided when rolling back begins; until the plane reports 0 it is not the end yet.
    """
    state = one.state
    match state.phase:
        case Phase.DONE:
            return OUTCOMES[state.outcome] if state.outcome else PHASES[Phase.DONE]
        case Phase.RAMP:
            return f"ramp {state.step}/{len(one.plan.steps) - 1 if one.plan else '?'}"
        case Phase.PREFLIGHT:
            return "preflight"
        case _:
            return PHASES[state.phase]


def waits_for(one: Glance) -> str:
    """Return what a slice waits for in the words of the record; a question with its count of answers."""
    if not one.open:
        return ""
    words = [waiting.value.replace("_", " ") for waiting in one.state.waiting_for]
    if one.question is not None and "approval" in words:
        count = f"approval {len(one.question.approved_by)}/{one.question.needed}"
        words[words.index("approval")] = count
    if one.frozen:
        words.insert(0, "frozen:")
    elif one.state.paused is not None:
        words.insert(0, "paused:")
    text = ", ".join(words).replace(":,", ":")
    return text or "the next tick"


def board(glances: Sequence[Glance], width: int, hidden: int = 0) -> RenderableType:
    """Return the table with what an operator has to know below it.

    Parameters
    ----------
    glances
        Slices in the order they are shown.
    width
        Of the terminal, characters.
    hidden
        Slices that are done and not shown.
    """
    names = [name for name, least in _COLUMNS.items() if width >= least]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in names:
        right = name in ("share", "for", "last tick")
        # Only what is waited for wraps: everything else is short, or a name.
        table.add_column(
            name,
            justify="right" if right else "left",
            no_wrap=name != "waits for",
            overflow="fold",
            min_width=12 if name == "waits for" else None,
        )
    for one in glances:
        cells = _cells(one, merged="deadline" not in names)
        table.add_row(*(cells[name] for name in names))
    notes = [note for one in glances if one.open for note in _notes(one)]
    if hidden:
        notes.append(Text(f"{hidden} more that are done: --all", style="dim"))
    return Group(table, *notes)


def _cells(one: Glance, *, merged: bool) -> dict[str, Text]:
    """Return a slice's cells by column; ``merged``: the next time holds for a deadline too."""
    state, limit, soon = one.state, one.deadline, one.coming
    first = min((due for due in (soon, limit) if due is not None), default=None) if merged else soon
    asking = state.paused is not None or one.question is not None
    unsure = "?" if one.live and state.confirmed_at is None else ""
    return {
        "rollout": Text(_name(one), style="bold" if one.open else ""),
        "service": Text(one.service),
        "where": Text(where(one), style=_COLOURS[state.outcome] if state.outcome else "cyan"),
        "share": Text(f"{percent(state.share_bp)}{unsure}"),
        "waits for": Text(waits_for(one), style="yellow" if asking else ""),
        # Of what is over, when it was over: how long ago that is helps nobody.
        "for": Text(brief(one.now - one.since))
        if one.open
        else Text(f"{utc(one.since):%Y-%m-%d}", style="dim"),
        "next": Text(_in(first, one.now), style=_urgent(first, one.now) if first == limit else ""),
        "deadline": Text(_in(limit, one.now), style=_urgent(limit, one.now)),
        "last tick": Text(brief(one.age) if one.open else "", style="bold red" if one.stopped else "dim"),
    }


def _name(one: Glance) -> str:
    return one.rollout if one.state.slice == ALL else f"{one.rollout} / {one.state.slice}"


def _span(one: Glance) -> str:
    # Of what is over, when it was over: how long ago that is helps nobody.
    return brief(one.now - one.since) if one.open else f"{utc(one.since):%Y-%m-%d}"


def _in(due: Due | None, now: datetime) -> str:
    if due is None:
        return ""
    word = due.what.split()[0]  # of "dwell ends", "step deadline": the heading says the rest
    return f"{word} in {brief(due.at - now)}" if due.at > now else f"{word} now"


def _urgent(due: Due | None, now: datetime) -> str:
    return "red" if due is not None and due.at - now < timedelta(days=1) else "dim"


def _notes(one: Glance) -> list[RenderableType]:
    """Return why it is not moving, and what is not as it should be: a line each."""
    notes = []
    if one.stopped:
        usual = f", usually every {brief(one.gap)}" if one.gap else ""
        notes.append(("bold red", f"no tick for {brief(one.age)}{usual}: do the flows run?"))
    if one.decision.reasons:
        notes.append(("dim", _reason(one)))
    if one.rank:
        notes.append(("dim", f"by value and risk: {one.rank}"))
    if one.plane is not None:
        notes.append(("dim", f"the plane: {one.plane}"))
    notes += [
        ("yellow", f"{order.by} pressed {order.verb.value}: the next tick acts on it") for order in one.orders
    ]
    return [_note(_name(one), style, text) for style, text in notes]


def _reason(one: Glance) -> str:
    """Return what is missing in a line: units per gate, else the first reason in the record's words."""
    judged = {v.reason: v for v in one.last.verdicts}
    gates = [judged[reason] for reason in one.decision.reasons if reason in judged]
    told = [f"{v.gate}[{v.segment}] {units(v)}" if v.segment else f"{v.gate} {units(v)}" for v in gates]
    shown = told[:_GATES] or [_CLAUSE.join(one.decision.reasons[0].split(_CLAUSE)[:2])]
    more = len(one.decision.reasons) - len(shown)
    rest = f" (and {more} more: headgate explain {one.rollout})" if more else ""
    return ", ".join(shown) + rest


def _note(name: str, style: str, text: str) -> Table:
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(no_wrap=True)
    line.add_column(overflow="fold")
    line.add_row(Text(f"{name}:", style=style), f"[{style}]{escape(text)}[/]")
    return line
