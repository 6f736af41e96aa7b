"""The commands ``headgate load``: what the candidate bears, and what every step will take."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.forecasts import load as load_plan
from headgate.cli.forecasts import said, show, working, write
from headgate.cli.options import Now, when
from headgate.cli.root import BEFORE, app, told
from headgate.errors import InputError

if TYPE_CHECKING:
    from headgate.capacity import Result
    from tasks.loading import Subject

load = typer.Typer(
    no_args_is_help=True, help="Load-test the candidate; forecast servers and failures per day."
)
app.add_typer(load, name="load", rich_help_panel=BEFORE)

What = Annotated[
    str,
    typer.Argument(
        help="A rollout's id, or a plan file for a rehearsal that nothing remembers.", show_default=False
    ),
]
JsonPath = Annotated[
    str | None, typer.Option("--json", help="Write the result as JSON; - for stdout.", show_default=False)
]
Report = Annotated[
    Path | None, typer.Option("--report", help="Write an HTML page with a chart.", show_default=False)
]


@load.command(
    "test",
    epilog="Examples: `headgate load test plan.yaml --report load.html`, `headgate load test flights-gbm-1`",
)
@told
def load_test(what: What, report: Report = None, json_path: JsonPath = None, now: Now = None) -> None:
    """Send N times the pilot's volume to the candidate, through a plane of its own, and find its limit.

    The requests are real ones of the four weeks before, sent when they are due whether or not earlier ones
    were answered. The service's own plane and callers are not touched: only the candidate's server works. For
    a rollout the result is recorded, and its preflight goes on. Exit 1 where the candidate does not bear the
    load or people not its failures, 2 where the test cannot be made.
    """
    from deployments.processes import ended_by_signals
    from tasks import loading

    subject = _subject(what, now)
    # On SIGTERM too: its plane would go on without it.
    with ended_by_signals(), working("starting a plane") as tell:
        found = loading.load_test(subject, tell)
    _show(found, subject, report, json_path)
    verdict = found.verdict(subject.plan)
    if subject.rollout is not None:
        said.print(f"recorded for {subject.rollout}; its next tick reads it", highlight=False, soft_wrap=True)
    if verdict.passed is not True:
        raise typer.Exit(1)


@load.command("forecast", epilog="Example: `headgate load forecast flights-gbm-1 --report load.html`")
@told
def load_forecast(what: What, report: Report = None, json_path: JsonPath = None, now: Now = None) -> None:
    """Say what every step takes: requests under way, servers, failures per day against what people handle.

    Of a rollout by its newest load test; of a plan file by its request log alone, which says nothing of the
    candidate. Exit 2 where there is neither.
    """
    from headgate.capacity import forecast
    from headgate.capacity.telling import forecast_json, forecast_tables
    from tasks.load_pilot import pilot_of
    from tasks.loading import newest_test

    subject = _subject(what, now)
    found = newest_test(subject.rollout) if subject.rollout else None
    if found is not None:
        _show(found, subject, report, json_path)
        return
    if report is not None:
        raise InputError(
            f"--report: asked a page of a load test; found none; run `headgate load test {what}`"
        )
    pilot = pilot_of(subject.plan, subject.until)
    steps = forecast(subject.plan, pilot.volume, None, pilot.kinds)
    show(forecast_tables(steps), forecast_json(steps), json_path)


def _subject(what: str, now: str | None) -> Subject:
    from tasks.loading import Subject, of_rollout

    if Path(what).suffix in {".yaml", ".yml"} or Path(what).is_file():
        return Subject(load_plan(Path(what)), when(now))
    return of_rollout(what)


def _show(found: Result, subject: Subject, report: Path | None, json_path: str | None) -> None:
    from headgate.capacity.telling import result_json, result_tables

    if report is not None:
        from headgate.capacity.page import page

        write("--report", report, page(found, subject.plan, datetime.now(UTC)))
    show(result_tables(found, subject.plan), result_json(found, subject.plan), json_path)
