"""A forecast in words, as tables on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC
from math import ceil
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headgate.power.forecast import Forecast, GateForecast, Spread, StepForecast, WorldForecast
from headgate.report.terminal import plain_table

_NEVER = "not in time"


def as_json(forecasts: Sequence[Forecast]) -> list[dict[str, Any]]:
    """Return plain JSON values: times end in Z, what is not known is null."""
    return [_json(one) for one in forecasts]


def _json(one: Forecast) -> dict[str, Any]:
    body = asdict(one)
    body["start"] = one.start.astimezone(UTC).isoformat().replace("+00:00", "Z")
    body["assumptions"] = [
        {"name": name, "value": value, "source": source} for name, value, source in one.assumptions
    ]
    body["shares"] = [
        {**asdict(share), "days": {f"{at:g}": days for at, days in share.days.items()}}
        for share in one.shares
    ]
    body["finishes"] = not one.refusals
    return body


def headline(one: Forecast) -> str:
    """Return the answer in one sentence."""
    better = one.worlds[-1]
    where = f"{one.plan}, slice {one.slice}" if one.slice != "all" else one.plan
    if one.refusals:
        return f"{where} cannot finish before its deadline"
    return (
        f"{where}: a candidate as good as expected is promoted in {percent(better.promoted)} of the runs, "
        f"{when(better.days)}"
    )


def tables(one: Forecast) -> Group:
    """Return everything an ML engineer reads on the terminal."""
    parts: list[RenderableType] = [Text(headline(one), style="bold red" if one.refusals else "bold green")]
    parts += [Text(f"  {reason}", style="red") for reason in one.refusals]
    parts.append(_told(one))
    parts += [_steps(world) for world in one.worlds]
    parts += [_margins(one), *_shares(one), *_advice(one)]
    parts.append(
        Text(
            f"{one.runs} made-up rollouts per candidate (seed {one.seed}), opened "
            f"{one.start:%a %Y-%m-%d %H:%M} UTC, judged by the functions that judge real ones. Approvals are "
            "granted at once; preflight, pauses and false roll backs are not counted.",
            style="dim",
        )
    )
    return Group(*parts)


def _told(one: Forecast) -> Table:
    table = plain_table(
        "what", "value", "source", names=[name for name, _, _ in one.assumptions], title="Taken for granted"
    )
    for name, value, source in one.assumptions:
        style = "yellow" if source == "guessed" else ""
        table.add_row(escape(name.replace("_", " ")), escape(value), source, style=style)
    return table


def _steps(world: WorldForecast) -> Table:
    title = (
        f"A candidate that is {meaning(world)}: promoted in {percent(world.promoted)} of the runs, "
        f"{when(world.days)}"
    )
    table = plain_table(
        "step", "days 50 / 80 / 95 %", "left", "held by", "gates: samples and days to proof, 80 %",
        names=[step.name for step in world.steps], title=title,
    )  # fmt: skip
    for step in world.steps:
        gates = "\n".join(_gates(step)) or "-" if step.entered else "[dim]no run gets here in time[/]"
        table.add_row(step.name, _three(step.days), percent(step.left), _held(step), gates)
    return table


def _held(step: StepForecast) -> str:
    return f"{escape(step.bottleneck)} ({percent(step.held_by)})" if step.bottleneck else "-"


def _gates(step: StepForecast) -> Iterator[str]:
    waited = [gate for gate in step.gates if gate.days.most != 0]
    for gate in waited:
        yield f"{escape(gate.gate)}: {_proof(gate)}"
    if len(waited) < len(step.gates):
        yield f"[dim]{len(step.gates) - len(waited)} proved before[/]"


def _proof(gate: GateForecast) -> str:
    if gate.days.most is None:
        return f"[red]{_NEVER}[/] in {percent(1 - gate.proved)} of the runs"
    told = f"{gate.samples.most or 0:,.0f} {gate.unit}, {days(gate.days.most)}"
    return told if gate.events_per_day is None else f"{told}; {gate.events_per_day:.2g} events a day"


def _margins(one: Forecast) -> Table:
    title = "A candidate that is just bad on one gate, and fine on all others"
    table = plain_table(
        "gate", "at", "means", "advanced", "rolled back", "expired", "rolled back after, 50 / 80 %",
        names=[row.gate for row in one.at_margin], title=title,
    )  # fmt: skip
    for row in one.at_margin:
        table.add_row(
            escape(row.gate),
            f"{row.percent:g} %",
            row.means,
            percent(row.wrongly, 1),
            percent(row.rolled_back),
            percent(row.expired),
            _NEVER if row.days.half is None else f"{days(row.days.half)} / {days(row.days.most)}",
        )
    return table


def _shares(one: Forecast) -> Iterator[Table]:
    if not one.shares:
        return
    title = "From which share a gate can be proved: days that 80 % of the runs need at each share"
    columns = sorted({share for row in one.shares for share in row.days})
    table = plain_table(
        "gate", "from", *(f"{share:g} %" for share in columns),
        names=[row.gate for row in one.shares], title=title,
    )  # fmt: skip
    for row in one.shares:
        cells = (days(row.days[share]) if share in row.days else "" for share in columns)
        table.add_row(escape(row.gate), "none" if row.smallest is None else f"{row.smallest:g} %", *cells)
    yield table


def _advice(one: Forecast) -> Iterator[Table]:
    if not one.advice:
        return
    table = plain_table(
        "where", "key", "value", "why", names=[row.where for row in one.advice], title="What would fit"
    )
    for row in one.advice:
        table.add_row(escape(row.where), row.key, row.value, escape(row.why))
    yield table


def _three(spread: Spread) -> str:
    return " / ".join(_short(value) for value in (spread.half, spread.most, spread.nearly_all))


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value < 10 else f"{ceil(value)}"


def percent(share: float, digits: int = 0) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> percent(0.984), percent(0.0375, 1)
    ('98 %', '3.8 %')
    """
    return f"{100 * share:.{digits}f} %"


def when(taken: Spread) -> str:
    """Return how long the runs that get there take, as far as enough of them do.

    Examples
    --------
    >>> when(Spread(131, 143, 159))
    'half of all within 131 days, 80 % within 143 days, 95 % within 159 days'
    >>> when(Spread(131, None, None)), when(Spread(None, None, None))
    ('half of all within 131 days, 80 % not in time', 'the others not in time')
    """
    if taken.half is None:
        return "the others not in time"
    said = [f"half of all within {days(taken.half)}"]
    for part, value in (("80 %", taken.most), ("95 %", taken.nearly_all)):
        if value is None:
            return ", ".join([*said, f"{part} {_NEVER}"])
        said.append(f"{part} within {days(value)}")
    return ", ".join(said)


def meaning(world: WorldForecast) -> str:
    """Return what a made-up candidate is like: its kind, and in brackets what is told of its gates."""
    told = [one for one in dict.fromkeys(world.means.values()) if one != world.world]
    return f"{world.world} ({'; '.join(told)})" if told else world.world


def days(value: float | None) -> str:
    """Return days as a person reads them.

    Examples
    --------
    >>> days(0.3), days(1.0), days(45.2), days(None)
    ('8 hours', '1 day', '46 days', 'not in time')
    """
    if value is None:
        return _NEVER
    if value < 1:
        hours = ceil(value * 24 - 1e-9)
        return f"{hours} hour{'' if hours == 1 else 's'}"
    whole = ceil(value - 1e-9)
    return f"{whole} day{'' if whole == 1 else 's'}"
