"""A load test and a forecast in words: tables on the terminal, and JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headgate.capacity.climb import Held, Limits
from headgate.capacity.failures import PerDay
from headgate.capacity.forecast import UTILISATION, Forecast, StepLoad
from headgate.capacity.report import Result, Verdict, limits_of, saturates
from headgate.capacity.stage import Stage
from headgate.plan.model import Plan
from headgate.report.terminal import plain_table

_STYLES = {True: "bold green", False: "bold red", None: "bold yellow"}
_WORDS = {True: "passes", False: "fails", None: "cannot be told yet"}
_HELD = {Held.KEPT: "[green]kept[/]", Held.BROKEN: "[red]not kept[/]", Held.UNCLEAR: "[yellow]unclear[/]"}


def headline(verdict: Verdict) -> str:
    """Return the verdict in one line."""
    return f"load test {_WORDS[verdict.passed]}: {verdict.reason}"


def result_tables(found: Result, plan: Plan) -> Group:
    """Return what an operator reads of a test."""
    verdict = found.verdict(plan)
    parts: list[RenderableType] = [
        Text(headline(verdict), style=_STYLES[verdict.passed]),
        _stages(found, limits_of(plan)),
        forecast_tables(found.forecast(plan)),
    ]
    return Group(*parts)


def forecast_tables(found: Forecast) -> Group:
    """Return what every step takes."""
    title = "What every step takes"
    names = [f"{step.percent:g} %" for step in found.steps]
    table = plain_table(
        "step", "requests a day", "busiest hour", "under way", "servers", "failures a day", "people",
        names=names, title=title,
    )  # fmt: skip
    for step, name in zip(found.steps, names, strict=True):
        table.add_row(
            name,
            f"{step.per_day:,.0f}",
            f"{step.per_second:.3g}/s",
            number(step.in_flight),
            servers(step),
            failures(step.failures),
            handled(step),
        )
    return Group(table, Text(footnote(found), style="dim"))


def footnote(found: Forecast) -> str:
    """Return what the figures are made of."""
    counted = "; ".join(f"{one.kind}: {one.events:,} of {one.n:,} ({one.source})" for one in found.kinds)
    return (
        f"Volume: {found.volume.per_day:,.0f} requests a day; {found.volume.source}: "
        f"{found.volume.peak:.3g}/s. Servers: so many that at most {UTILISATION:.0%} of what they can have "
        f"under way is taken in the busiest hour (Little's law). Failures: {counted or 'none counted'}; in "
        "brackets the 95 % bounds."
    )


def number(value: float | None) -> str:
    """Return a figure, or that there is none."""
    return "no data" if value is None else f"{value:.3g}"


def servers(step: StepLoad) -> str:
    """Return how many servers a step needs."""
    if step.instances is None:
        return "no data"
    return f"at most {step.instances}" if step.at_most and step.instances > 1 else str(step.instances)


def failures(day: PerDay | None) -> str:
    """Return failures per day with their bounds."""
    return "no data" if day is None else f"{day.expected:.3g} [{day.low:.3g} to {day.high:.3g}]"


def handled(step: StepLoad) -> str:
    """Return whether people can handle a step's failures."""
    if step.failures is None:
        return "no data"
    return {True: "enough", False: "too few", None: "-"}[step.handled]


def result_json(found: Result, plan: Plan) -> dict[str, Any]:
    """Return plain JSON values: what is not known is null."""
    verdict, limits = found.verdict(plan), limits_of(plan)
    return found.to_json() | {
        "passed": verdict.passed,
        "reason": verdict.reason,
        "saturates": saturates(found.climb),
        "judged": [limits.judge(stage)[0].value for stage in found.climb.stages],
        "limits": asdict(limits),
        "forecast": forecast_json(found.forecast(plan)),
    }


def forecast_json(found: Forecast) -> dict[str, Any]:
    """Return plain JSON values of a forecast."""
    return asdict(found)


def _stages(found: Result, limits: Limits) -> Table:
    title = f"Stages, through {found.plane}, {found.version}; latency counts from when a request was due"
    stages = sorted(found.climb.stages, key=lambda stage: stage.rate)
    names = [f"{stage.rate:.3g}/s" for stage in stages]
    table = plain_table(
        "rate", "sent", "p50 ms", "p95 ms", "p99 ms", "faulty", "under way", "", names=names, title=title
    )
    for stage, name in zip(stages, names, strict=True):
        table.add_row(
            name, f"{stage.sent:,}", number(stage.p50), number(stage.p95), number(stage.p99), _faulty(stage),
            number(stage.in_flight), _HELD[limits.judge(stage)[0]],
        )  # fmt: skip
    return table


def _faulty(stage: Stage) -> str:
    if not stage.failed:
        return "0"
    worst = max(stage.faults, key=lambda fault: stage.faults[fault])
    return escape(f"{stage.failed:,} ({worst})")
