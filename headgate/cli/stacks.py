"""Whole stacks on this machine: the demo, and one that stays up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headgate.cli.root import SEEING, app, out, told
from headgate.errors import InputError


def _refuse_to_empty(folder: Path) -> None:
    """Refuse a folder that holds something and is no run of the demo: it would all be gone."""
    if folder.exists() and not (
        folder.is_dir() and ((folder / "logs").is_dir() or not any(folder.iterdir()))
    ):
        raise InputError(
            f"--out: asked a folder for the run, which is emptied first; found {folder}, which holds "
            "something else; name a new folder"
        )


@app.command(rich_help_panel=SEEING)
@told
def demo(
    run: Annotated[Path, typer.Option("--out", help="Folder of the run; it is emptied first.")] = Path(
        "runs/demo"
    ),
    permute_outcomes: Annotated[
        bool, typer.Option("--permute-outcomes", help="Shuffle the labels in time: nobody may be promoted.")
    ] = False,
) -> None:
    """Play April to December 2013 on this machine: a good candidate climbs, a bad one falls.

    Then the year goes on: the monitor watches what was promoted, a drift retrains it through the server's
    automation, and what comes of that has to prove itself like any candidate.

    A real Prefect server, real model servers, a real Envoy, and the flows that run in production; only
    the clock is played. Leaves the store, the exchanges, summary.json and report.html in the folder.
    """
    _refuse_to_empty(run)
    from deployments.demo.run import run_demo

    try:
        result = run_demo(run, permute=permute_outcomes, console=out)
    except KeyboardInterrupt:
        typer.echo("stopped; everything that was started has ended", err=True)
        raise typer.Exit(130) from None
    for rollout in result["rollouts"]:
        out.print(
            f"[bold]{rollout['name']}[/]: {rollout['outcome']}, at most {rollout['max_percent']:g} %, "
            f"{len(rollout['ticks'])} ticks",
            highlight=False,
        )
    for drift in result["drift"]:
        out.print(f"{drift['at'][:10]} drift of {', '.join(drift['columns'])}", highlight=False)
    for one in result["retrainings"]:
        word = {True: "accepted", False: "refused", None: "never ended"}[one["accepted"]]
        went = f", its rollout: {one['outcome'] or 'under way when the data ends'}" if one["rollout"] else ""
        out.print(f"{one['at'][:10]} retrained by {one['trigger']}: {word}{went}", highlight=False)
    out.print(
        f"{result['live_requests']:,} live requests, {result['dropped_requests']} dropped, "
        f"{result['failed_answers']} failed; {result['flow_runs']} flow runs; {result['seconds']:.0f} s",
        highlight=False,
    )
    out.print(f"open {run / 'report.html'}; the figures are in {run / 'summary.json'}", highlight=False)


@app.command(rich_help_panel=SEEING)
@told
def up(
    run: Annotated[
        Path, typer.Option("--out", help="Folder that keeps its state; started again, it goes on.")
    ] = Path("runs/up"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Empty the folder first.")] = False,
    play: Annotated[
        bool,
        typer.Option("--play/--no-play", help="Play the example's year up to each question, or start only."),
    ] = True,
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Prefect's port; default: 4200, or a free one.")
    ] = None,
    plane_port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="The callers' port; default: 8100, or a free one.")
    ] = None,
) -> None:
    """Start the flights stack on this machine until Ctrl-C: Prefect, worker, models, Envoy, deployments.

    A rollout is played quickly to its first question, which waits for you in the browser
    (docs/operators.md); after your answer the days go by one by one, to the next question.
    """
    from deployments.up import Asked, run_stack

    try:
        run_stack(Asked(run, fresh, play, {"prefect": port, "plane": plane_port}), out)
    except KeyboardInterrupt:
        typer.echo("stopped; everything that was started has ended", err=True)
        raise typer.Exit(130) from None
