"""A replay told to a person: what happened when and why, what it waited for, how the gates stood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from headgate.backtest.replay import Replay, ReplayedTick
from headgate.backtest.story import stories_of
from headgate.plan.model import ALL
from headgate.report.formats import lasting
from headgate.report.narration import headline
from headgate.report.terminal import plain_table
from headgate.rollout.state import Move, Outcome
from headgate.verdicts import GateVerdict, Role, Verdict

_COLOURS = {Outcome.PROMOTED: "green", Outcome.ROLLED_BACK: "red", Outcome.ABORTED: "red"}
_VERDICTS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.ERROR: "red"}
#: Segments of a gate that are told one by one.
_MOST_SEGMENTS = 8


def tell(replay: Replay, out: Console) -> None:
    """Print the story of one replay."""
    span = f"{replay.first_at:%Y-%m-%d} to {replay.last_at:%Y-%m-%d}"
    out.print(f"[bold]{escape(replay.plan.name)}[/], replayed from {span}", highlight=False)
    out.print(f"{replay.exchanges:,} exchanges, {replay.outcomes:,} outcomes", highlight=False)
    changed, both = replay.changed
    if both and replay.plan.prediction.kind != "number":
        out.print(
            f"the candidate decides otherwise on {changed:,} of {both:,} ({100 * changed / both:.1f} %)",
            highlight=False,
        )
    for reason, count in replay.data_quality.items():
        said = reason.replace("outcomes.", "outcomes: ").replace("_", " ")
        out.print(f"  [yellow]{count:,}[/] {escape(said)}", highlight=False)
    for story in stories_of(replay):
        if len(replay.plan.slice_names) > 1:
            out.print(f"[bold]{escape(story.rollout)}[/]")
        colour = _COLOURS.get(story.outcome, "cyan") if story.outcome else "cyan"
        out.print(f"[{colour}]{escape(headline(story))}[/]", highlight=False)
    for name in replay.plan.slice_names:
        ticks = [one for one in replay.ticks if one.slice == name]
        if ticks:
            if any(one.tick.decision.move is not Move.HOLD for one in ticks):
                out.print(_moves(ticks, name if len(replay.plan.slice_names) > 1 else ""))
            out.print(_waits(ticks), highlight=False)
            if unproved := _unproved(ticks):
                out.print(unproved, highlight=False)
            out.print(_gates(ticks[-1]))
    if replay.outcome is None:
        out.print("The data ends before the rollout does.", highlight=False)


def compare(replays: Sequence[Replay], out: Console) -> None:
    """Print several replays side by side, a row per plan and slice."""
    rows = [_compared(replay, name) for replay in replays for name in replay.plan.slice_names]
    table = plain_table(
        "plan", "outcome", "most", "live from", "ended", "ticks",
        names=[row[0] for row in rows], title="compared",
    )  # fmt: skip
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)


def _compared(replay: Replay, name: str) -> tuple[str, ...]:
    ticks = [one.tick for one in replay.ticks if one.slice == name]
    outcome = ticks[-1].state.outcome if ticks else None
    live = [tick.at for tick in ticks if tick.state.share_bp]
    most = max((tick.state.share_bp for tick in ticks), default=0)
    return (
        replay.plan.name if name == ALL else f"{replay.plan.name} {name}",
        outcome.value if outcome else "not ended",
        f"{most / 100:g} %",
        _day(live[0] if live else None),
        _day(ticks[-1].at if outcome else None),
        str(len(ticks)),
    )


def _moves(ticks: Sequence[ReplayedTick], name: str) -> Table:
    """Return what was done when and why: all but the holds."""
    table = plain_table(
        "when", "decision", "share", "why", names=["2013-04-01 00:00"], title=f"what happened {name}".strip()
    )
    for one in ticks:
        tick = one.tick
        if tick.decision.move is not Move.HOLD:
            share = f"{tick.state.share_bp / 100:g} %"
            table.add_row(
                f"{tick.at:%Y-%m-%d %H:%M}", tick.decision.move.value, share, escape(tick.decision.reason)
            )
    return table


def _waits(ticks: Sequence[ReplayedTick]) -> str:
    """Return how long was waited for what; what was waited for together counts for each."""
    told = _times(ticks, lambda one: [what.value for what in one.tick.decision.waiting_for])
    return f"\nwaited for: {told}" if told else "\nnever waited"


def _unproved(ticks: Sequence[ReplayedTick]) -> str:
    """Return how long each gate that counts had not passed yet: the longest held the rollout."""

    def missing(one: ReplayedTick) -> list[str]:
        counting = (v for v in one.tick.verdicts if v.applies and v.role is not Role.REPORT)
        return list(dict.fromkeys(v.gate for v in counting if v.verdict is not Verdict.PASS))

    told = _times(ticks, missing)
    return f"not proved yet: {escape(told)}" if told else ""


def _times(ticks: Sequence[ReplayedTick], what: Callable[[ReplayedTick], Iterable[str]]) -> str:
    """Return for how long, between ticks, each thing was the case; the longest first."""
    lasted: dict[str, float] = {}
    for one, after in pairwise(ticks):
        for name in what(one):
            lasted[name] = lasted.get(name, 0.0) + (after.tick.at - one.tick.at).total_seconds()
    longest = sorted(lasted.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {lasting(timedelta(seconds=seconds))}" for name, seconds in longest)


def _gates(last: ReplayedTick) -> Table:
    """Return how every gate stood at the last tick."""
    table = plain_table(
        "gate", "verdict", "why", names=[_name(verdict) for verdict in last.tick.verdicts],
        title=f"the gates on {last.tick.at:%Y-%m-%d %H:%M}",
    )  # fmt: skip
    shown: dict[str, int] = {}
    for verdict in last.tick.verdicts:
        shown[verdict.gate] = shown.get(verdict.gate, 0) + (verdict.segment is not None)
        if verdict.segment is None or shown[verdict.gate] <= _MOST_SEGMENTS:
            table.add_row(*_gate(verdict))
    for gate, segments in shown.items():
        if segments > _MOST_SEGMENTS:
            table.add_row(gate, "", f"{segments - _MOST_SEGMENTS} more segments, told by --json")
    return table


def _name(verdict: GateVerdict) -> str:
    return f"{verdict.gate}[{verdict.segment}]" if verdict.segment else verdict.gate


def _gate(verdict: GateVerdict) -> tuple[str, str, str]:
    colour = _VERDICTS.get(verdict.verdict, "yellow")
    if not verdict.applies:
        colour = "dim"
    return (
        escape(_name(verdict)),
        f"[{colour}]{verdict.verdict.value}[/]",
        escape(verdict.reason.partition(": ")[2]),
    )


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "-"
