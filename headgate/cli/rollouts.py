"""Plans and rollouts: check, open, tick, look."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from headgate.cli.options import AsJson, Now, PlanPath, ServiceName, when, window_length
from headgate.cli.root import BEFORE, RUNNING, app, out, print_json, told
from headgate.errors import InputError, PlanError
from headgate.plan import load_plan
from headgate.plan.guard_notes import worth_knowing
from headgate.plan.model import ALL


@app.command(rich_help_panel=BEFORE)
@told
def validate(plan: PlanPath, as_json: AsJson = False) -> None:
    """Check a plan: every error with its line, what was asked, what was found, what to do. Exit 2 if any.

    What is allowed and yet should be known is told as a note.
    """
    try:
        loaded = load_plan(plan)
    except PlanError as err:
        if not as_json:
            raise
        problems = [
            {"line": p.line, "where": p.where, "asked": p.asked, "found": p.found, "todo": p.todo}
            for p in err.problems
        ]
        print_json({"plan": str(plan), "valid": False, "problems": problems})
        raise typer.Exit(err.exit_code) from None
    notes = worth_knowing(loaded)
    if as_json:
        told_of = {"plan_hash": loaded.hash, "problems": [], "notes": list(notes)}
        print_json({"plan": str(plan), "valid": True, **told_of})
        return
    climbs = "; ".join(
        ("" if name == ALL else f"{name}: ") + " -> ".join(f"{step.percent:g}" for step in steps) + " %"
        for name, steps in ((name, loaded.of_slice(name).steps) for name in loaded.slice_names)
    )
    out.print(
        f"[green]{escape(str(plan))} is valid.[/] {loaded.name} on {loaded.service}: {climbs}",
        highlight=False,
    )
    out.print(f"plan hash {loaded.hash}", highlight=False)
    for note in notes:
        out.print(f"[yellow]note[/]  {escape(note)}", highlight=False)


@app.command(rich_help_panel=RUNNING)
@told
def start(plan: PlanPath, now: Now = None, as_json: AsJson = False) -> None:
    """Open a rollout of this plan (flow `open`): it takes the service's lease, or queues for it."""
    from flows.open import open_rollout
    from tasks.verbs import queued_behind

    load_plan(plan)  # tell every error before a flow run starts
    rollout = open_rollout(str(plan), now=when(now))
    ahead = queued_behind(rollout)
    if as_json:
        print_json({"rollout": rollout, "queued_behind": ahead})
    elif ahead:
        out.print(f"opened [bold]{rollout}[/]; it is queued: {ahead} holds the service until it is done")
    else:
        out.print(f"opened [bold]{rollout}[/]; `headgate status` shows it, `headgate advance` ticks it")


@app.command(rich_help_panel=RUNNING)
@told
def shadow(
    service: ServiceName, now: Now = None, every: Annotated[str, typer.Option(help="Window length.")] = "1d"
) -> None:
    """Score every window that is complete and not scored yet with both sides (flow `shadow`)."""
    from flows.shadow import shadow as flow

    count = flow(service, now=when(now), every=window_length(every))
    out.print(f"{count} window(s) scored")


@app.command(rich_help_panel=RUNNING)
@told
def advance(service: ServiceName, now: Now = None, as_json: AsJson = False) -> None:
    """Take one tick: look, judge, decide, write down, move (flow `advance`). Safe at any time."""
    from flows.advance import advance as flow
    from tasks.standing import ticked

    moment = when(now)
    decision = flow(service, now=moment)
    slices = {row["slice"]: row for row in ticked(service, moment) if row["slice"] != ALL}
    if as_json:
        told = {
            name: {"decision": r["decision"], "reason": "; ".join(r["reasons"])} for name, r in slices.items()
        }
        answer = {"decision": decision and decision.move.value, "reason": decision and decision.reason}
        print_json(answer | ({"slices": told} if slices else {}))
    elif decision is None:
        out.print("nothing to do: no rollout of this service is open, or another tick had it")
    else:
        for name, row in slices.items():
            said = escape("; ".join(row["reasons"]))
            out.print(f"{name}: [bold]{row['decision']}[/]: {said}", highlight=False)
        if not slices:
            out.print(f"[bold]{decision.move.value}[/]: {escape(decision.reason)}", highlight=False)


@app.command(rich_help_panel=RUNNING)
@told
def report(
    rollouts: Annotated[list[str], typer.Argument(help="Ids of the rollouts to tell.", show_default=False)],
    path: Annotated[Path, typer.Option("--out", help="Where to write the page.")] = Path("report.html"),
) -> None:
    """Write a self-contained HTML page about one or more rollouts."""
    from headgate.adapters.stories import stories_of
    from headgate.report.page import render_page
    from tasks.wiring import build

    stories = [story for rollout in rollouts for story in stories_of(build().engine, rollout)]
    page = render_page(stories, title=", ".join(rollouts), generated_at=datetime.now(UTC), facts={})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as err:
        raise InputError(f"--out: asked to write {path}; found {err.strerror}; name another file") from err
    out.print(f"wrote {escape(str(path))}", soft_wrap=True)
