"""The command line. Imported by nobody; what is slow to import is imported where it is needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from headgate.errors import HeadgateError, InputError, PlanError
from headgate.plan import explain, load_plan
from headgate.plan.durations import parse_duration
from headgate.rollout.state import Answer, Verb

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Take a machine-learning model from shadow to full traffic, through gates that keep a promise.\n\n"
    "Begin with `headgate validate PLAN`, then `headgate start PLAN`; schedule the flows `shadow` and "
    "`advance`. See it all happen with `headgate demo`.",
)
out = Console()

#: Reasons that `status` shows of each rollout.
_REASONS = 3

PlanPath = Annotated[Path, typer.Argument(help="The plan, a YAML file (docs/plan.md).", show_default=False)]
RolloutId = Annotated[
    str, typer.Argument(help="The rollout's id, as `headgate status` shows it.", show_default=False)
]
ServiceName = Annotated[str, typer.Argument(help="The service's name, as in the plan.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Who = Annotated[str, typer.Option("--as", help="Who you are; this goes into the record.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Why; this goes into the record.", show_default=False)]
Now = Annotated[
    str | None,
    typer.Option(
        "--now", help="Act as of this time (ISO 8601 with offset); default: the clock.", show_default=False
    ),
]


def _told(command: Callable[..., None]) -> Callable[..., None]:
    """Turn our own errors into a message and an exit code; anything else is a bug and shows its trace."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except PlanError as err:
            typer.echo(explain(err), err=True)
            raise typer.Exit(err.exit_code) from None
        except HeadgateError as err:
            typer.echo(f"headgate: {err}", err=True)
            raise typer.Exit(err.exit_code) from None

    return run


def _when(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"--now: asked an ISO 8601 time; found {text!r}; write 2026-03-01T09:00:00Z"
        ) from None
    if when.tzinfo is None:
        raise InputError(f"--now: {text!r} has no offset; write it with one, e.g. {when.isoformat()}Z")
    return when.astimezone(UTC)


def _window_length(text: str) -> str:
    """Return a window length as given, once it is sure to be one: a flow run starts with it."""
    try:
        length = parse_duration(text)
    except ValueError as err:
        raise InputError(f"--every: asked {err}; found {text!r}; write 1d") from None
    if not isinstance(length, timedelta) or length <= timedelta(0):
        raise InputError(f"--every: asked a duration above zero; found {text!r}; write 1d")
    return text


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


@app.command()
@_told
def validate(plan: PlanPath, as_json: AsJson = False) -> None:
    """Check a plan: every error with its line, what was asked, what was found, what to do. Exit 2 if any."""
    try:
        loaded = load_plan(plan)
    except PlanError as err:
        if not as_json:
            raise
        problems = [
            {"line": p.line, "where": p.where, "asked": p.asked, "found": p.found, "todo": p.todo}
            for p in err.problems
        ]
        _print_json({"plan": str(plan), "valid": False, "problems": problems})
        raise typer.Exit(err.exit_code) from None
    if as_json:
        _print_json({"plan": str(plan), "valid": True, "plan_hash": loaded.hash, "problems": []})
        return
    climb = " -> ".join(f"{step.percent:g}" for step in loaded.steps)
    out.print(
        f"[green]{escape(str(plan))} is valid.[/] {loaded.name} on {loaded.service}: {climb} %",
        highlight=False,
    )
    out.print(f"plan hash {loaded.hash}", highlight=False)


@app.command()
@_told
def start(plan: PlanPath, now: Now = None, as_json: AsJson = False) -> None:
    """Open a rollout of this plan (flow `open`): it takes the service's lease, or queues for it."""
    from flows.open import open_rollout

    load_plan(plan)  # tell every error before a flow run starts
    rollout = open_rollout(str(plan), now=_when(now))
    if as_json:
        _print_json({"rollout": rollout})
    else:
        out.print(f"opened [bold]{rollout}[/]; `headgate status` shows it, `headgate advance` ticks it")


@app.command()
@_told
def shadow(
    service: ServiceName, now: Now = None, every: Annotated[str, typer.Option(help="Window length.")] = "1d"
) -> None:
    """Score every window that is complete and not scored yet with both sides (flow `shadow`)."""
    from flows.shadow import shadow as flow

    count = flow(service, now=_when(now), every=_window_length(every))
    out.print(f"{count} window(s) scored")


@app.command()
@_told
def advance(service: ServiceName, now: Now = None, as_json: AsJson = False) -> None:
    """Take one tick: look, judge, decide, write down, move (flow `advance`). Safe at any time."""
    from flows.advance import advance as flow

    decision = flow(service, now=_when(now))
    if as_json:
        _print_json({"decision": decision and decision.move.value, "reason": decision and decision.reason})
    elif decision is None:
        out.print("nothing to do: no rollout of this service is open, or another tick had it")
    else:
        out.print(f"[bold]{decision.move.value}[/]: {escape(decision.reason)}", highlight=False)


@app.command()
@_told
def approve(
    rollout: RolloutId, who: Who, comment: Annotated[str, typer.Option(help="Why.")] = "", now: Now = None
) -> None:
    """Say yes to the question a rollout has open. A later tick advances it, if it still holds."""
    _answer(rollout, Answer.APPROVE, who, comment, now)


@app.command()
@_told
def reject(
    rollout: RolloutId, who: Who, comment: Annotated[str, typer.Option(help="Why.")], now: Now = None
) -> None:
    """Say no: before any traffic the rollout ends as rejected, later it rolls back."""
    _answer(rollout, Answer.REJECT, who, comment, now)


def _answer(rollout: str, said: Answer, who: str, comment: str, now: str | None) -> None:
    from tasks import people

    recorded = people.answer(rollout, said, who, comment, _when(now))
    out.print(
        f"recorded: {escape(recorded.approver)} {said.value}s step {recorded.step} of {rollout} (question "
        f"{recorded.attempt}); the next tick acts on it",
        highlight=False,
    )


@app.command()
@_told
def rollback(service: ServiceName, who: Who, reason: Reason, now: Now = None) -> None:
    """Take all traffic back to the incumbent, now (flow `advance`).

    The order is recorded before Prefect is asked for anything: should its server be down, the next tick
    acts on it.
    """
    from tasks import people

    when = _when(now)
    rollout = people.press(service, Verb.ROLLBACK, who, reason, when)
    out.print(f"recorded: rollback {rollout}")
    from flows.advance import advance as tick  # after the order is safe: Prefect may not even import

    tick(service, now=when)
    out.print(f"[red]rolling back {rollout}[/]; `headgate status` shows when the plane reports 0 %")


def _press(service: str, verb: Verb, who: str, reason: str, now: str | None) -> None:
    from tasks import people

    rollout = people.press(service, verb, who, reason, _when(now))
    out.print(f"recorded: {verb.value} {rollout}; the next tick acts on it")


@app.command()
@_told
def abort(service: ServiceName, who: Who, reason: Reason, now: Now = None) -> None:
    """End the rollout at the next tick: nothing beats an abort."""
    _press(service, Verb.ABORT, who, reason, now)


@app.command()
@_told
def pause(service: ServiceName, who: Who, reason: Reason, now: Now = None) -> None:
    """Stand still at the present share from the next tick on; timers shift."""
    _press(service, Verb.PAUSE, who, reason, now)


@app.command()
@_told
def resume(service: ServiceName, who: Who, reason: Reason, now: Now = None) -> None:
    """End a pause at the next tick; an alarm that paused it starts afresh at half its error level."""
    _press(service, Verb.RESUME, who, reason, now)


@app.command()
@_told
def status(as_json: AsJson = False) -> None:
    """Show every rollout: phase, share, what it waits for and why."""
    from tasks.standing import all_standings

    rows = all_standings()
    if as_json:
        _print_json(rows)
        return
    if not rows:
        out.print("no rollout yet; open one with `headgate start PLAN`")
        return
    for row in rows:
        out.print(_standing(row))


def _standing(row: dict[str, Any]) -> Table:
    """Return one rollout's lines: where it stands, and the first reasons why."""
    shown = row["outcome"] or row["phase"]
    colour = {"promoted": "green", "rolled_back": "red"}.get(shown, "cyan")
    waits = f"waits for {', '.join(row['waiting_for'])}" if row["waiting_for"] else ""
    paused = "[yellow]paused[/] " if row["paused"] else ""
    head = (
        f"[bold]{row['rollout']}[/] on {row['service']}: [{colour}]{shown}[/] at {row['percent']:g} %  "
        f"{paused}{waits}"
    )
    lines = Table.grid(padding=(0, 0, 0, 2))
    lines.add_row(head)
    for reason in row["reasons"][:_REASONS]:
        lines.add_row(f"[dim]{escape(reason)}[/]")
    more = len(row["reasons"]) - _REASONS
    rest = f"; {more} more reason(s) with --json" if more > 0 else ""
    lines.add_row(f"[dim]tick of {row['at']}{rest}[/]")
    return lines


@app.command()
@_told
def report(
    rollouts: Annotated[list[str], typer.Argument(help="Ids of the rollouts to tell.", show_default=False)],
    path: Annotated[Path, typer.Option("--out", help="Where to write the page.")] = Path("report.html"),
) -> None:
    """Write a self-contained HTML page about one or more rollouts."""
    from headgate.adapters.stories import story_of
    from headgate.report.page import render_page
    from tasks.wiring import build

    stories = [story_of(build().engine, rollout) for rollout in rollouts]
    page = render_page(stories, title=", ".join(rollouts), generated_at=datetime.now(UTC), facts={})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as err:
        raise InputError(f"--out: asked to write {path}; found {err.strerror}; name another file") from err
    out.print(f"wrote {escape(str(path))}", soft_wrap=True)


def _refuse_to_empty(folder: Path) -> None:
    """Refuse a folder that holds something and is no run of the demo: it would all be gone."""
    if folder.exists() and not (
        folder.is_dir() and ((folder / "logs").is_dir() or not any(folder.iterdir()))
    ):
        raise InputError(
            f"--out: asked a folder for the run, which is emptied first; found {folder}, which holds "
            "something else; name a new folder"
        )


@app.command()
@_told
def demo(
    run: Annotated[Path, typer.Option("--out", help="Folder of the run; it is emptied first.")] = Path(
        "runs/demo"
    ),
    permute_outcomes: Annotated[
        bool, typer.Option("--permute-outcomes", help="Shuffle the labels in time: nobody may be promoted.")
    ] = False,
) -> None:
    """Play April to December 2013 on this machine: a good candidate climbs, a bad one falls.

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
    out.print(
        f"{result['live_requests']:,} live requests, {result['dropped_requests']} dropped, "
        f"{result['failed_answers']} failed; {result['flow_runs']} flow runs; {result['seconds']:.0f} s",
        highlight=False,
    )
    out.print(f"open {run / 'report.html'}; the figures are in {run / 'summary.json'}", highlight=False)


@app.command()
@_told
def up(
    run: Annotated[Path, typer.Option("--out", help="Folder that keeps its state.")] = Path("runs/up"),
) -> None:
    """Start the flights stack on this machine until Ctrl-C: Prefect, models, Envoy, deployments."""
    from deployments.up import run_stack

    run_stack(run, out)


if __name__ == "__main__":
    app()
