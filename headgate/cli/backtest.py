"""``headgate backtest``: what a plan would have decided on history."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from headgate.cli.forecasts import load, said, write
from headgate.cli.options import duration
from headgate.cli.root import BEFORE, app, out, told

if TYPE_CHECKING:
    from headgate.backtest.replay import Replay

_EXAMPLE = (
    "headgate backtest plan.yaml --exchanges history/exchanges --outcomes history/outcomes.parquet "
    "--json result.json"
)


class Approve(StrEnum):
    """Whether approvals are given."""

    AUTO = "auto"
    NEVER = "never"


Plans = Annotated[
    list[Path], typer.Argument(help="One plan, or several to compare (docs/plan.md).", show_default=False)
]
Exchanges = Annotated[
    str,
    typer.Option(
        help="Parquet or CSV, a file, a folder or a pattern: request_id, entity, at, incumbent_prediction, "
        "candidate_prediction; optionally statuses, latencies, costs, served_by, share_bp, segment columns.",
        show_default=False,
    ),
]
Outcomes = Annotated[
    str,
    typer.Option(help="The same with request_id, label, known_at.", show_default=False),
]


@app.command(epilog=f"Example: {_EXAMPLE}", rich_help_panel=BEFORE)
@told
def backtest(
    plans: Plans,
    exchanges: Exchanges,
    outcomes: Outcomes,
    every: Annotated[str, typer.Option(help="Time between two ticks, e.g. 6h or 1d.")] = "1d",
    approve: Annotated[
        Approve, typer.Option(help="Give every approval at once, or none ever.")
    ] = Approve.AUTO,
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write the result as JSON; - for stdout.", show_default=False)
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page, as the demo does.", show_default=False)
    ] = None,
) -> None:
    """Replay history through a plan: what it would have decided, when and why.

    Every tick goes through the same judge, decide and apply as a live rollout; nothing is deployed. Exit 0
    whatever the outcome, 2 where plan or files are not as asked.
    """
    from headgate.backtest.told import as_text

    length = duration("--every", every)
    replays = [_replay(plan, exchanges, outcomes, length, approve=approve is Approve.AUTO) for plan in plans]
    if json_path == "-":
        typer.echo(as_text(replays), nl=False)
    else:
        from headgate.cli.replayed import compare, tell

        for replay in replays:
            tell(replay, out)
        if len(replays) > 1:
            compare(replays, out)
        if json_path is not None:
            write("--json", Path(json_path), as_text(replays))
    if report is not None:
        write("--report", report, _page(replays))


def _replay(path: Path, exchanges: str, outcomes: str, every: timedelta, *, approve: bool) -> Replay:
    from headgate.adapters.history import open_history
    from headgate.backtest.replay import replay

    plan = load(path)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=said, transient=True, disable=not said.is_terminal) as bar:
        task = bar.add_task(f"{plan.name}: reading", total=None)
        with open_history(
            plan, exchanges, outcomes, tell=lambda what: bar.update(task, description=f"{plan.name}: {what}")
        ) as history:

            def progress(done: int, rows: int) -> None:
                bar.update(task, description=f"{plan.name}: replaying", completed=done, total=rows)

            return replay(plan, history, every=every, approve=approve, progress=progress)


def _page(replays: list[Replay]) -> str:
    from headgate.backtest.story import stories_of
    from headgate.report.page import render_page

    facts = {"how": "replayed over history; nothing was deployed"}
    newest = max(replay.last_at for replay in replays)
    title = ", ".join(dict.fromkeys(replay.plan.name for replay in replays))
    stories = [story for replay in replays for story in stories_of(replay)]
    return render_page(stories, title=f"Backtest of {title}", generated_at=newest, facts=facts)
