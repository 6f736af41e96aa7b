"""The command ``headgate power``: how long a rollout will take, and whether it can finish at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group

from headgate.cli.forecasts import day, load, said, show, working, write
from headgate.cli.options import PlanPath
from headgate.cli.root import BEFORE, app, told
from headgate.errors import InputError

if TYPE_CHECKING:
    from headgate.plan.model import Plan
    from headgate.power.assumptions import Assumptions
    from headgate.power.forecast import Forecast

_PER_DAY = {"day": 1.0, "d": 1.0, "hour": 24.0, "h": 24.0, "min": 1440.0, "m": 1440.0, "s": 86_400.0}
_EXAMPLES = (
    "Examples: `headgate power plan.yaml --rate 900/day --disagreement 0.08`\n\n`headgate power plan.yaml "
    "--exchanges history/exchanges --outcomes history/outcomes.parquet --report power.html`"
)


def _option(text: str) -> Any:
    return typer.Option(help=text, show_default=False)


@app.command(epilog=_EXAMPLES, rich_help_panel=BEFORE)
@told
def power(
    plan: PlanPath,
    rate: Annotated[
        str | None, _option("Requests: 900/day, 40/hour, 5/s. Without it, as in history.")
    ] = None,
    disagreement: Annotated[
        float | None, _option("Share of requests on which the two decisions differ.")
    ] = None,
    base_rate: Annotated[float | None, _option("Share of labels that are 1.")] = None,
    loss_sd: Annotated[float | None, _option("Standard deviation of one request's loss difference.")] = None,
    block_sd: Annotated[
        float | None, _option("The same of a block's mean difference; beats --loss-sd and --within.")
    ] = None,
    within: Annotated[
        float | None, _option("Correlation of two requests of one block: shared shocks.")
    ] = None,
    error_rate: Annotated[
        float | None, _option("The candidate's rate of errors, fallbacks, rejects.")
    ] = None,
    latency_shape: Annotated[
        float | None, _option("Tail of the latency: 1 exponential, below it heavier (Weibull's shape).")
    ] = None,
    cost_sd: Annotated[float | None, _option("Standard deviation of one request's cost difference.")] = None,
    entities: Annotated[
        float | None, _option("Entities first seen per day; in a split each counts once.")
    ] = None,
    missing: Annotated[float | None, _option("Share of labels that are not there in time.")] = None,
    segment: Annotated[
        list[str] | None, _option("Share of a segment, column=value:share, e.g. origin=JFK:0.33. Repeat it.")
    ] = None,
    slice_: Annotated[
        list[str] | None,
        typer.Option("--slice", help="Share of a slice, name:share. Repeat it.", show_default=False),
    ] = None,
    exchanges: Annotated[
        str | None, _option("Measure from history instead: exchanges as for backtest.")
    ] = None,
    outcomes: Annotated[str | None, _option("Outcomes as for backtest.")] = None,
    start: Annotated[
        str | None, _option("When it would open (the calendar counts from there); default: now.")
    ] = None,
    runs: Annotated[int, typer.Option(help="Made-up rollouts per candidate.", min=20, max=5_000)] = 400,
    seed: Annotated[int, typer.Option(help="Of what is drawn: the same seed, the same figures.")] = 20260101,
    json_path: Annotated[
        str | None,
        typer.Option("--json", help="Write the forecast as JSON; - for stdout.", show_default=False),
    ] = None,
    report: Annotated[Path | None, _option("Write an HTML page with a chart.")] = None,
) -> None:
    """Say how many samples and days each step and gate need, and refuse a plan that cannot finish.

    Candidates that are as good as the incumbent, better (`expect`, or half the margin) and just bad are made
    up many times and judged by the functions that judge real ones. Figures nobody gives are measured from
    history where that is named, else guessed, and every guess is listed. Exit 2 where the plan cannot finish
    before its deadline, with the gate, the days it needs and what would help.
    """
    from headgate.power.asking import forecast
    from headgate.power.course import Runs
    from headgate.power.telling import as_json, tables

    loaded = load(plan)
    given = {
        "disagreement": disagreement, "base_rate": base_rate, "loss_sd": loss_sd, "block_sd": block_sd,
        "within": within, "error_rate": error_rate, "latency_shape": latency_shape, "cost_sd": cost_sd,
        "entities": entities, "missing": missing,
    }  # fmt: skip
    shares = {"segments": _shares("--segment", segment), "slices": _shares("--slice", slice_)}
    _check_names(loaded, shares)
    opens = day("--start", start) if start else datetime.now(UTC)
    with working("reading") as tell:
        known = _known(loaded, _rate(rate), (exchanges, outcomes), tell)
        known = _with(known, given, shares)
        found = forecast(loaded, known, opens, Runs(runs, seed), tell)
    if report is not None:
        from headgate.power.page import page

        write("--report", report, page(found, loaded, datetime.now(UTC)))
    show(Group(*(tables(one) for one in found)), _one_or_all(as_json(found)), json_path)
    _refuse([one for one in found if one.refusals])


def _refuse(found: Sequence[Forecast]) -> None:
    """End with code 2 where a plan cannot finish, and say why and what would help."""
    from headgate.power.telling import headline

    for one in found:
        said.print(f"headgate: {headline(one)}", markup=False, highlight=False, soft_wrap=True)
        for reason in one.refusals:
            said.print(f"  {reason}", markup=False, highlight=False, soft_wrap=True)
    if found:
        raise typer.Exit(2)


def _one_or_all(bodies: list[dict[str, object]]) -> object:
    return bodies[0] if len(bodies) == 1 else bodies


def _known(plan: Plan, rate: float | None, files: tuple[str | None, str | None], tell: object) -> Assumptions:
    """Return what history says, or nothing but the rate."""
    from headgate.adapters.history import open_history
    from headgate.power.assumptions import Assumptions
    from headgate.power.measured import measure

    exchanges, outcomes = files
    if (exchanges is None) != (outcomes is None):
        raise InputError("asked --exchanges and --outcomes together; found one of them; name both files")
    if exchanges is None or outcomes is None:
        if rate is None:
            raise InputError(
                "--rate: asked how many requests there are; found nothing; write --rate 900/day, or name "
                "--exchanges and --outcomes to count them"
            )
        return Assumptions(rate=rate)
    with open_history(plan, exchanges, outcomes, tell=tell) as history:  # type: ignore[arg-type]  # it is told words
        return measure(plan, history, rate)


def _with(
    known: Assumptions, given: dict[str, float | None], shares: dict[str, dict[str, float]]
) -> Assumptions:
    """Return the assumptions with what a person said in place of what was measured."""
    said_so: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    said_so |= {name: value for name, value in shares.items() if value}
    return replace(known, **said_so, measured=known.measured - said_so.keys())  # type: ignore[arg-type]  # by name


def _rate(text: str | None) -> float | None:
    """Return requests per day of ``900/day``, ``40/hour`` or ``5/s``; a bare number is per day."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*([0-9][0-9_,]*(?:\.[0-9]+)?(?:e[0-9]+)?)\s*(?:/\s*([a-z]+))?\s*", text)
    unit = (match[2] or "day") if match else ""
    if match is None or unit not in _PER_DAY or not float(match[1].replace(",", "")):
        raise InputError(
            f"--rate: asked requests per time above 0; found {text!r}; write 900/day, 40/hour, 3/min or 5/s"
        )
    return float(match[1].replace(",", "")) * _PER_DAY[unit]


def _shares(option: str, texts: list[str] | None) -> dict[str, float]:
    found = {}
    for text in texts or []:
        name, _, share = text.rpartition(":")
        try:
            found[name] = float(share)
        except ValueError:
            found[name] = 0.0
        if not name or not 0 < found[name] <= 1:
            raise InputError(
                f"{option}: asked name:share with a share in (0, 1]; found {text!r}; write jfk:0.33"
            )
    return found


def _check_names(plan: Plan, shares: dict[str, dict[str, float]]) -> None:
    by = plan.segments.by if plan.segments else ()
    for name in shares["segments"]:
        if name.partition("=")[0] not in by or not name.partition("=")[2]:
            raise InputError(
                f"--segment: asked column=value with a column among {', '.join(by) or 'none (no segments)'}; "
                f"found {name!r}; correct it"
            )
    slices = [part.name for part in plan.slices]
    for name in shares["slices"]:
        if name not in slices:
            raise InputError(
                f"--slice: asked a slice among {', '.join(slices) or 'none (the plan has no slices)'}; "
                f"found {name!r}; correct it"
            )
