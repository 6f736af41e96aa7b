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
from headgate.capacity.figures import three
from headgate.capacity.forecast import UTILISATION, Forecast, StepLoad
from headgate.capacity.report import Result, Verdict, limits_of, saturates
from headgate.capacity.stage import Stage
from headgate.plan.model import Plan
from headgate.report.terminal import plain_table

_STYLES = {True: "bold green", False: "bold red", None: "bold yellow"}
_WORDS = {True: "passes", False: "fails", None: "cannot be told yet"}
_HELD = {Held.KEPT: "green", Held.BROKEN: "red", Held.UNCLEAR: "yellow"}


def headline(verdict: Verdict) -> str:
    """Return the verdict in one line."""
    return f"load test {_WORDS[verdict.passed]}: {verdict.reason}"


def result_tables(found: Result, plan: Plan) -> Group:
    """Return what an operator reads of a test."""
    verdict = found.verdict(plan)
    parts: list[RenderableType] = [
        Text(headline(verdict), style=_STYLES[verdict.passed]),
        Text(
            f"\nRates, through {found.plane} to {found.version}; latency counts from when a request was due",
            style="bold",
        ),
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
            f"{three(step.per_second)}/s",
            number(step.in_flight),
            servers(step),
            failures(step.failures),
            handled(step, found.can_handle),
        )
    return Group(table, Text(footnote(found), style="dim"))


def footnote(found: Forecast) -> str:
    """Return what the figures are made of."""
    counted = "; ".join(f"{one.kind}: {one.events:,} of {one.n:,} ({one.source})" for one in found.kinds)
    return (
        f"Volume: {found.volume.per_day:,.0f} requests a day; {found.volume.source}: "
        f"{three(found.volume.peak)}/s. Servers: so many that at most {UTILISATION:.0%} of what they can "
        "have under way is taken in the busiest hour (Little's law). Failures: "
        f"{f'{counted}; in brackets the 95 % bounds' if counted else 'none counted'}."
    )


def number(value: float | None) -> str:
    """Return a figure, or that there is none."""
    return "no data" if value is None else three(value)


def servers(step: StepLoad) -> str:
    """Return how many servers a step needs."""
    if step.instances is None:
        return "no data"
    return f"at most {step.instances}" if step.at_most and step.instances > 1 else str(step.instances)


def failures(day: PerDay | None) -> str:
    """Return failures per day with their bounds."""
    return "no data" if day is None else f"{three(day.expected)} [{three(day.low)} to {three(day.high)}]"


def handled(step: StepLoad, can_handle: float | None) -> str:
    """Return whether people can handle a step's failures."""
    if can_handle is None:
        return "not asked"
    if step.failures is None:
        return "no data"
    return {True: "enough", False: "too few", None: "cannot be told"}[step.handled]


def how(held: Held) -> str:
    """Return how a rate went."""
    return {Held.KEPT: "kept up", Held.BROKEN: "not kept up", Held.UNCLEAR: "unclear"}[held]


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
    stages = sorted(found.climb.stages, key=lambda stage: stage.rate)
    names = [f"{three(stage.rate)}/s" for stage in stages]
    table = plain_table("rate", "", "p50 ms", "p95 ms", "p99 ms", "faulty", "sent", "under way", names=names)
    for stage, name in zip(stages, names, strict=True):
        table.add_row(
            name, _kept(limits.judge(stage)[0]), number(stage.p50), number(stage.p95), number(stage.p99),
            _faulty(stage), f"{stage.sent:,}", number(stage.in_flight),
        )  # fmt: skip
    return table


def _kept(held: Held) -> str:
    return f"[{_HELD[held]}]{how(held)}[/]"


def _faulty(stage: Stage) -> str:
    if not stage.failed:
        return "0"
    worst = max(stage.faults, key=lambda fault: stage.faults[fault])
    return escape(f"{stage.failed:,} ({worst})")
