"""``headgate parity``: golden examples of a served model, recorded, and held against its server."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from headgate.cli.options import AsJson, Now, PlanPath, when
from headgate.cli.root import BEFORE, app, out, print_json, told
from headgate.errors import InputError
from headgate.ports import Side

if TYPE_CHECKING:
    import pyarrow as pa

    from headgate.plan import Plan

parity = typer.Typer(
    no_args_is_help=True,
    help="Whether a served model does with a request what was done in training: its golden examples are "
    "recorded once and asked again. A preprocessing step that is dropped, moved or changed is named. "
    "docs/parity.md says more.",
)
app.add_typer(parity, name="parity", rich_help_panel=BEFORE)

#: How far back requests are looked at for examples.
_LOOK_BACK = timedelta(days=28)
_RECORD = (
    "Example: `headgate parity record plan.yaml --out golden/gbm-2.parity`, with the pilot's server up; then "
    '`parity: {record: "golden/{version}.parity"}` in the plan. A version that a retraining made has its '
    "record on the shelf already."
)
_CHECK = (
    "Examples: `headgate parity check plan.yaml`\n\n`headgate parity check plan.yaml --side incumbent --json`"
)

SideName = Annotated[str, typer.Option("--side", help="Whose server is asked: candidate or incumbent.")]


@parity.command("record", epilog=_RECORD)
@told
def record_command(
    plan: PlanPath,
    out_file: Annotated[Path, typer.Option("--out", help="File to write.", show_default=False)],
    side: SideName = "candidate",
    examples: Annotated[int, typer.Option(min=1, max=1_000, help="How many requests.")] = 64,
    now: Now = None,
) -> None:
    """Record what a server that is known to be right does with a few requests of the log.

    The requests are drawn from the last 28 days of the plan's request log: some with each missing value,
    least and largest number and word, then others at random. What happens at every step is recorded where the
    server tells it. A file that is there is not overwritten.
    """
    from headgate.adapters.goldens import recorded_of_a_server, ref_of
    from headgate.adapters.scoring import sent
    from headgate.parity import to_bytes
    from headgate.plan import load_plan
    from headgate.tables import clean_requests
    from tasks.wiring import lake_alone

    asked, which, until = load_plan(plan), _side(side), when(now)
    requests = lake_alone().read_requests(asked, until - _LOOK_BACK, until)
    table = sent(_allowed(asked, clean_requests(requests, asked).table), asked)
    if not table.num_rows:
        raise InputError(
            f"asked requests of the {_LOOK_BACK.days} days before {until:%Y-%m-%d %H:%M} UTC; "
            f"{asked.requests.path} has none; say `--now` as of which time, or correct requests.path"
        )
    golden = recorded_of_a_server(asked, ref_of(asked, which), table, examples)
    try:
        out_file.parent.mkdir(parents=True, exist_ok=True)
        with out_file.open("xb") as file:
            file.write(to_bytes(golden))
    except OSError as err:
        raise InputError(
            f"--out: asked to write {out_file}; found {err.strerror}; name another file"
        ) from err
    steps = ", ".join(golden.recipe.names) if golden.recipe else "its server tells nothing of its steps"
    out.print(
        f"recorded [bold]{escape(golden.version)}[/]: {golden.rows} golden examples in "
        f"{escape(str(out_file))}\n  steps: {escape(steps)}",
        highlight=False,
        soft_wrap=True,
    )


@parity.command("check", epilog=_CHECK)
@told
def check_command(plan: PlanPath, side: SideName = "candidate", as_json: AsJson = False) -> None:
    """Ask a server its golden examples, and name what is different. Nothing is written down.

    Exit 0: it does what was recorded. Exit 1: it does something else, or does not answer.
    """
    from headgate.adapters.goldens import look
    from headgate.parity import told as sentences
    from headgate.plan import load_plan
    from headgate.plan.parity import ParityCheck
    from tasks.wiring import read_settings, shelf_alone

    asked = load_plan(plan)
    found = look(asked, asked.parity or ParityCheck(), _side(side), shelf_alone(), read_settings().home)
    if as_json:
        print_json({"passed": found.passed, **found.to_json()})
    else:
        word = {True: "[green]same[/]", False: "[red]changed[/]", None: "[yellow]no answer[/]"}[found.passed]
        lines = sentences(found.found, found.version) if found.found is not None else (found.said,)
        out.print(f"[bold]{escape(found.version)}[/] {word}", highlight=False)
        for line in lines:
            out.print(f"  {escape(line)}", highlight=False, soft_wrap=True)
    if not found.passed:
        raise typer.Exit(1)


def _side(text: str) -> Side:
    try:
        return Side(text)
    except ValueError:
        raise InputError(f"--side: asked candidate or incumbent; found {text!r}; write one of both") from None


def _allowed(plan: Plan, table: pa.Table) -> pa.Table:
    """Return the requests that the input contract lets through."""
    from headgate.contract import check

    return table if plan.input is None else table.filter(check(table, plan.input).mask_ok)
