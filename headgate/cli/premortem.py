"""The command ``headgate premortem``: what happens if the candidate breaks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.backtest import Exchanges, Outcomes
from headgate.cli.forecasts import day, load, show, working, write
from headgate.cli.options import PlanPath, duration
from headgate.cli.root import BEFORE, app, told
from headgate.errors import InputError

if TYPE_CHECKING:
    from headgate.backtest.history import History

_EXAMPLES = (
    "Examples: `headgate premortem plan.yaml --exchanges history/exchanges --outcomes "
    "history/outcomes.parquet`\n\nThe same with `--faults worse,errors --at 2013-06-01 --json premortem.json`"
)


@app.command(epilog=_EXAMPLES, rich_help_panel=BEFORE)
@told
def premortem(
    plan: PlanPath,
    exchanges: Exchanges,
    outcomes: Outcomes,
    faults: Annotated[
        str | None,
        typer.Option(
            help="Names, separated by commas: nothing, worse, worse-twice, worse-in-segment, errors, slow, "
            "late-labels, skewed-split, dropped-feature, wrong-rows. Default: all.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="When faults begin: a date, or days after the first exchange. Default: after the unharmed "
            "replay first went live.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[str, typer.Option(help="Time between two ticks, e.g. 6h or 1d.")] = "1d",
    seeds: Annotated[
        int, typer.Option(help="Replays of an equal candidate to count false alarms on.", min=0, max=1_000)
    ] = 3,
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write the result as JSON; - for stdout.", show_default=False)
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page with a chart.", show_default=False)
    ] = None,
) -> None:
    """Put named faults into history, replay the plan on each, and say which would reach full traffic.

    For each fault: found or not, by which gate, after how many requests and days, at which share, how many
    live requests were harmed, how the rollout ends; and how often a candidate that is neither better nor
    worse is stopped. Exit 0 when it ran, 2 where plan, files or options are not as asked.
    """
    from headgate.adapters.history import open_history
    from headgate.premortem.catalogue import named
    from headgate.premortem.drill import premortem as drill
    from headgate.premortem.telling import as_json, tables

    chosen = named(None if faults is None else tuple(n.strip() for n in faults.split(",") if n.strip()))
    length = duration("--every", every)
    loaded = load(plan)
    with working("reading") as tell, open_history(loaded, exchanges, outcomes, tell=tell) as history:
        onset = _onset(at, history)
        found = drill(
            loaded, history, chosen, onset=onset, every=length, seeds=seeds,
            progress=lambda what: tell(f"replaying: {what}"),
        )  # fmt: skip
    if report is not None:
        from headgate.premortem.page import page

        write("--report", report, page(found, datetime.now(UTC)))
    show(tables(found), as_json(found), json_path)


def _onset(text: str | None, history: History) -> datetime | None:
    if text is None:
        return None
    try:
        return history.first_at + timedelta(days=float(text))
    except (ValueError, OverflowError):
        pass
    try:
        return day("--at", text)
    except InputError:
        raise InputError(
            f"--at: asked a date, or days after the first exchange; found {text!r}; write 2026-03-01 or 30"
        ) from None
