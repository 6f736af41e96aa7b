"""A pre-mortem in words, as a table on the terminal and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headgate.premortem.catalogue import NOTHING
from headgate.premortem.found import Premortem, Result
from headgate.report.terminal import plain_table


def as_json(one: Premortem) -> dict[str, Any]:
    """Return plain JSON values: times end in Z, what is not known is null."""
    return {
        "plan": one.plan,
        "plan_hash": one.plan_hash,
        "first_at": _z(one.first_at),
        "last_at": _z(one.last_at),
        "onset": _z(one.onset),
        "exchanges": one.exchanges,
        "summary": headline(one),
        "faults": [_json(result) for result in one.results],
        "false_alarms": {"replays": one.alarms.replays, "stopped": one.alarms.stopped},
    }


def _json(result: Result) -> dict[str, Any]:
    found = result.detection
    return {
        "name": result.fault.name,
        "story": result.story,
        "imitates": result.fault.imitates,
        "skipped": result.skipped or None,
        "detected": None if result.skipped else found is not None,
        "by": found.by if found else None,
        "decision": found.decision if found else None,
        "detected_at": _z(found.at) if found else None,
        "requests_to_detection": found.requests if found else None,
        "days_to_detection": found.days if found else None,
        "percent_at_detection": found.percent if found else None,
        "net_difference": result.net,
        "harmful": None if result.skipped else result.harmful and result.fault.name != NOTHING.name,
        "tolerated": None if result.skipped else result.tolerated,
        "harmed_requests": None if result.skipped else result.harmed,
        "outcome": result.outcome,
        "final_percent": None if result.skipped else result.final_percent,
        "max_percent_after_onset": None if result.skipped else result.max_percent,
        "reached_full_traffic": None if result.skipped else result.full_traffic,
    }


def _z(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def headline(one: Premortem) -> str:
    """Return the answer in a few sentences."""
    tried = one.faults
    through = [r for r in tried if r.full_traffic and r.harmful]
    if not tried:
        said = "No fault was tried."
    elif not through:
        said = f"No fault that does harm would reach full traffic ({len(tried)} tried)."
    else:
        verb = "fault would reach" if len(tried) == 1 else "faults would reach"
        names = ", ".join(r.fault.name for r in through)
        said = f"{len(through)} of {len(tried)} {verb} full traffic: {names}."
    return " ".join(
        [said, *_tolerated(one), *_outweighed(one), *_held(one), _as_it_is(one), _alarms(one)]
    ).strip()


def _tolerated(one: Premortem) -> list[str]:
    names = [r.fault.name for r in one.faults if r.full_traffic and r.tolerated]
    if not names:
        return []
    return [f"The plan tolerates {', '.join(names)}: worse than the incumbent by less than the margin."]


def _outweighed(one: Premortem) -> list[str]:
    """Say which faults reach full traffic rightly: the candidate was better by more than they take."""
    names = [r.fault.name for r in one.faults if r.full_traffic and not r.harmful]
    if not names:
        return []
    return [f"With {', '.join(names)} the candidate is still no worse than the incumbent, and is promoted."]


def _held(one: Premortem) -> list[str]:
    """Say which faults raised no alarm and were only held back for want of proof."""
    held = [r.fault.name for r in one.faults if r.detection is None and not r.full_traffic]
    return [f"No alarm, but no promotion either: {', '.join(held)}."] if held else []


def _as_it_is(one: Premortem) -> str:
    for result in one.results:
        if result.fault.name == NOTHING.name and not result.skipped:
            return f"With nothing injected the rollout {_ended(result)}."
    return ""


def _ended(result: Result) -> str:
    match result.outcome:
        case None:
            return f"is still at {result.final_percent:g} % where the history ends"
        case "promoted":
            return "is promoted"
        case "rolled_back":
            return "is rolled back: the recorded candidate itself does harm"
        case other:
            return f"ends as {other}"


def _alarms(one: Premortem) -> str:
    if not one.alarms.replays:
        return ""
    return (
        f"False alarms: {one.alarms.stopped} of {one.alarms.replays} candidates that are neither better nor "
        "worse were stopped."
    )


def tables(one: Premortem) -> Group:
    """Return everything an ML engineer reads on the terminal."""
    missed = any(r.full_traffic and r.harmful for r in one.faults)
    note = (
        f"{one.exchanges:,} exchanges, {one.first_at:%Y-%m-%d} to {one.last_at:%Y-%m-%d}; faults begin "
        f"{one.onset:%Y-%m-%d %H:%M} UTC. Harmed: answered by the candidate after that, in the part the "
        "fault is in, by the shares in force. Approvals are granted at once."
    )
    line = Text(headline(one), style="bold red" if missed else "bold green")
    return Group(line, "", _found(one), "", _injected(one), "", Text(note, style="dim"))


def _names(one: Premortem) -> list[str]:
    return [result.fault.name for result in one.results]


def _found(one: Premortem) -> Table:
    table = plain_table(
        "fault", "found by", "requests", "days", "at", "live requests harmed", "ends", names=_names(one)
    )
    for result in one.results:
        table.add_row(escape(result.fault.name), *_row(result))
    return table


def _injected(one: Premortem) -> Table:
    table = plain_table("fault", "what is injected", names=_names(one))
    for result in one.results:
        skipped = f" [yellow](not tried: {escape(result.skipped)})[/]" if result.skipped else ""
        table.add_row(escape(result.fault.name), f"{escape(injected(result))}{skipped}")
    return table


def injected(result: Result) -> str:
    """Return what is put into history, and what that makes of the candidate where it is measured."""
    if result.net is None:
        return result.story
    side = "worse" if result.net > 0 else "better"
    return f"{result.story}: then {abs(result.net):.2g} {side} than the incumbent"


def harmed(result: Result) -> str:
    """Return how many live requests were harmed; a dash where the candidate does no harm."""
    harmless = result.fault.name == NOTHING.name or not result.harmful
    return "-" if harmless else f"{result.harmed:,}"


def ended(result: Result) -> str:
    """Return how the rollout ends, or at which share the history leaves it."""
    return result.outcome or f"open at {result.final_percent:g} %"


def _row(result: Result) -> tuple[str, ...]:
    if result.skipped:
        return "[dim]not tried[/]", "", "", "", "", ""
    found, harm = result.detection, harmed(result)
    if found is None:
        return ("-" if harm == "-" else "[yellow]nobody[/]"), "", "", "", harm, _end(result)
    after = f"{found.requests:,}", f"{found.days:.1f}"
    return escape(found.by), *after, f"{found.percent:g} %", harm, _end(result)


def _end(result: Result) -> str:
    missed = result.full_traffic and result.harmful and result.fault.name != NOTHING.name
    return f"[red]{ended(result)}[/]" if missed else ended(result)
