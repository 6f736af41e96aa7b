"""``headgate profile``: what is kept of a window of rows, and how far two windows are apart."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from headgate.cli.forecasts import load, said, show
from headgate.cli.root import SEEING, app, told
from headgate.errors import InputError

if TYPE_CHECKING:
    from headgate.plan.sides import ColumnContract
    from headgate.profile import Profile

profile = typer.Typer(
    no_args_is_help=True,
    help="Profiles: what is kept of a window of rows, in kilobytes. Take one of what the model was trained "
    "on, and one of every window after it; they add up and can be compared. Whether a difference is drift, "
    "`headgate drift` says.",
)
app.add_typer(profile, name="profile", rich_help_panel=SEEING)

#: What a file of a profile ends with.
SUFFIX = ".profile"
_TAKE = (
    "Examples: `headgate profile take training/ --out gbm-2.profile --at scored_at`\n\n`headgate profile "
    "take lake/requests/2013-07 --like gbm-2.profile --plan plan.yaml --out july.profile`\n\nAny Arrow "
    "stream: `make-rows | headgate profile take - --out now.profile`"
)
_COMPARE = (
    "Examples: `headgate profile compare gbm-2.profile july.profile`\n\n`headgate profile compare "
    "gbm-2.profile lake/requests/2013-07 --json -`"
)

At = Annotated[
    str | None,
    typer.Option("--at", help="Column of times: its first and last are the window's.", show_default=False),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="Only this column. Repeat it. Default: all of them.", show_default=False),
]
Plan = Annotated[
    Path | None,
    typer.Option(
        "--plan", help="A plan: values outside its `input` contract are counted.", show_default=False
    ),
]
JsonPath = Annotated[
    str | None, typer.Option("--json", help="Write it as JSON; - for stdout.", show_default=False)
]


@profile.command("take", epilog=_TAKE)
@told
def take_command(
    rows: Annotated[
        Path,
        typer.Argument(
            help="A Parquet file, a folder of them (searched deep), or - for an Arrow stream on stdin.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write the profile to.", show_default=False)],
    like: Annotated[
        Path | None,
        typer.Option(
            help="The reference's profile. Windows that will be compared with it or merged must be taken "
            "like it: numbers are counted on its grid.",
            show_default=False,
        ),
    ] = None,
    column: Columns = None,
    at: At = None,
    plan: Plan = None,
    json_path: JsonPath = None,
) -> None:
    """Take the profile of a window: one pass over its rows, in bounded memory.

    Numbers are counted on a grid that is finest around the reference's median, texts value by value (of more
    than 16,384 values a random choice), booleans, and times by hour of the day. Missing, NaN and infinite
    values are counted, never filled in. The profile holds frequent values as they are: leave columns out that
    nobody may see (--column).

    Exit 0: written. 2: files or options are not as asked.
    """
    from headgate.profile import from_bytes, to_bytes
    from headgate.profile.telling import profile_json, profile_table

    reference = from_bytes(_read(like)) if like else None
    taken = _taken(rows, reference, column, at, _contract(plan))
    body = to_bytes(taken)
    _write(out, body)
    show(profile_table(taken), profile_json(taken), json_path)
    said.print(f"wrote {out}: {len(body) / 1024:,.0f} KiB", highlight=False, markup=False, soft_wrap=True)


@profile.command("compare", epilog=_COMPARE)
@told
def compare_command(
    reference: Annotated[Path, typer.Argument(help="A profile, or rows as for `take`.", show_default=False)],
    current: Annotated[
        Path,
        typer.Argument(
            help="A profile that was taken --like the reference, or rows as for `take`.", show_default=False
        ),
    ],
    column: Columns = None,
    plan: Plan = None,
    json_path: JsonPath = None,
) -> None:
    """Hold a window beside the reference, column by column: PSI, JS, KS, Wasserstein, chi², missing, unseen.

    It tells distances and judges nothing; a distance that does not exist stays empty. `headgate drift` says
    what of it is surely more than chance and matters.

    Exit 0: compared. 2: files or options are not as asked, or the two were not taken alike.
    """
    from headgate.profile import compare
    from headgate.profile.telling import comparison_json, comparison_table

    contract = _contract(plan)
    first = _profile_of(reference, None, column, contract)
    second = _profile_of(current, first, column, contract)
    found = compare(first, second)
    show(comparison_table(found), comparison_json(found), json_path)


def _profile_of(
    path: Path, like: Profile | None, columns: list[str] | None, contract: Mapping[str, ColumnContract] | None
) -> Profile:
    if path.suffix != SUFFIX and not _is_profile(path):
        return _taken(path, like, columns, None, contract)
    from headgate.profile import Profile, from_bytes

    found = from_bytes(_read(path))
    if columns is None:
        return found
    kept = {name: state for name, state in found.columns.items() if name in columns}
    return Profile(kept, found.rows, found.since, found.until)


def _taken(
    path: Path,
    like: Profile | None,
    columns: list[str] | None,
    at: str | None,
    contract: Mapping[str, ColumnContract] | None,
) -> Profile:
    from headgate.profile import take

    with _bar(f"profiling {path}") as tell:
        rows: Any = _stdin() if str(path) == "-" else path
        return take(rows, columns=columns, like=like, at=at, contract=contract, tell=tell)


@contextmanager
def _bar(what: str) -> Iterator[Any]:
    """Show rows done, on stderr, where somebody is looking."""
    parts = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*parts, console=said, transient=True, disable=not said.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _stdin() -> Any:
    import pyarrow as pa

    try:
        return pa.ipc.open_stream(sys.stdin.buffer)
    except (pa.ArrowException, OSError) as err:
        raise InputError(
            f"-: asked an Arrow IPC stream on stdin; found {err}; write one with pyarrow.ipc.new_stream"
        ) from err


def _contract(plan: Path | None) -> Mapping[str, ColumnContract] | None:
    if plan is None:
        return None
    loaded = load(plan)
    if loaded.input is None:
        raise InputError(f"--plan {plan}: asked a plan with `input`; found none; leave --plan out")
    return loaded.input.columns


def _is_profile(path: Path) -> bool:
    from headgate.profile.keep import SIGNATURE

    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise InputError(f"{path}: asked a profile; found {err.strerror}; name another file") from err


def _write(path: Path, body: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    except OSError as err:
        raise InputError(f"--out: asked to write {path}; found {err.strerror}; name another file") from err
