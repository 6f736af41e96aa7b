"""Whether anybody changed the record: check it, note its head, hand it to an auditor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from headgate.audit import Checked, Head, head_of
from headgate.cli.options import AsJson, RolloutId
from headgate.cli.root import PROVING, app, out, print_json, told
from headgate.errors import InputError

if TYPE_CHECKING:
    from headgate.adapters.anchors import Anchors
    from headgate.adapters.settings import Settings

audit = typer.Typer(
    no_args_is_help=True,
    help="Prove that nobody changed the record, or find out what was. Needs no Prefect, and only reads.",
)
app.add_typer(audit, name="audit", rich_help_panel=PROVING)

#: Fewer are read before anybody asks how far it is.
_LONG = 20_000
_UNSEEN = (
    "no head and no anchors to hold it against: a chain that was hashed anew as a whole, or that lost its "
    "end, looks whole from here; give --head from an alert, or --anchors"
)

StoreAt = Annotated[
    str | None,
    typer.Option(
        "--store", help="URL or SQLite file of a store; default: that of the settings.", show_default=False
    ),
]
AnchorsAt = Annotated[
    Path | None,
    typer.Option(
        "--anchors",
        help="File of noted heads; default: that of the settings, for the store of the settings.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class _Held:
    """What a check was held against."""

    what: str
    given: Head | None
    anchors: Anchors | None

    @property
    def heads(self) -> Sequence[Head]:
        return self.anchors.heads if self.anchors else ()


@audit.command()
@told
def verify(
    store: StoreAt = None,
    head: Annotated[
        str | None,
        typer.Option("--head", help="SEQ:HASH that an alert or a page showed.", show_default=False),
    ] = None,
    anchors: AnchorsAt = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Check an export instead of a store.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the whole chain and every row it vouches for. Exit 0: whole; 1: tampered with; 2: bad input.

    Names every row and line that was edited, removed, added or moved, and an end that was cut off. Opens
    the store read-only, so a copy of it will do.
    """
    if file is not None and store is not None:
        raise InputError("asked to check a store or a file; found --store and --file; give one of them")
    given = None if head is None else head_of(head)
    if file is not None:
        from headgate.adapters.dossier import verify_file

        held = _Held(str(file), given, _noted(anchors, None, None))
        checked = verify_file(file, given, held.heads)
    else:
        checked, held = _of_store(store, given, anchors)
    if as_json:
        print_json(_plain(checked, held))
    else:
        _say(checked, held)
    if checked.findings:
        raise typer.Exit(1)


@audit.command("head")
@told
def show_head(store: StoreAt = None, as_json: AsJson = False) -> None:
    """Print the end of the chain, SEQ:HASH. Keep it anywhere but beside the store."""
    from headgate.adapters.store import audit as chain
    from headgate.adapters.store.engine import connect_to_read

    found = chain.head(connect_to_read(store or _settings().store_url))
    if as_json:
        print_json({"head": str(found), "seq": found.seq, "hash": found.hash})
    else:
        typer.echo(str(found))


@audit.command()
@told
def export(
    rollout: RolloutId,
    folder: Annotated[Path, typer.Option("--out", help="Folder for the two files.", show_default=False)],
    store: StoreAt = None,
    anchors: AnchorsAt = None,
) -> None:
    """Write the dossier of one rollout: dossier.html to read, dossier.jsonl to check. Exit 1: tampered with.

    Both hold everything about this rollout and no secret; lines of other rollouts come as hashes only.
    """
    from headgate.adapters.dossier import export as write
    from headgate.adapters.store.engine import connect_to_read

    settings = _settings()
    url = store or settings.store_url
    noted = _noted(anchors, settings, url)
    made = write(connect_to_read(url), rollout, folder, datetime.now(UTC), noted.heads if noted else ())
    out.print(
        f"wrote {escape(str(made.page))} and {escape(str(made.lines))}: {made.shown:,} lines of "
        f"{made.checked.lines:,}, head {made.head}",
        highlight=False,
        soft_wrap=True,
    )
    if made.checked.findings:
        _say_findings(made.checked)
        raise typer.Exit(1)


def _of_store(store: str | None, given: Head | None, anchors: Path | None) -> tuple[Checked, _Held]:
    from headgate.adapters.store import audit as chain
    from headgate.adapters.store.engine import connect_to_read, describe

    settings = _settings()
    url = store or settings.store_url
    engine = connect_to_read(url)
    held = _Held(describe(engine), given, _noted(anchors, settings, url))
    return chain.verify(engine, given, held.heads, _watched), held


def _settings() -> Settings:
    from headgate.adapters.settings import Settings

    return Settings()


def _noted(named: Path | None, settings: Settings | None, url: str | None) -> Anchors | None:
    """Return the heads to hold the chain against: of a file that is named, or of this very store's."""
    from headgate.adapters.anchors import read_anchors

    if named is not None:
        return read_anchors(named)
    if settings is None or url != settings.store_url or not settings.anchors.exists():
        return None
    return read_anchors(settings.anchors)


def _watched(rows: Iterable[Any], what: str, count: int) -> Iterable[Any]:
    """Show how far it is, on the error stream, where somebody is looking and it takes a while."""
    console = Console(stderr=True)
    if count < _LONG or not console.is_terminal:
        return rows
    return track(rows, f"reading {count:,} {what}", count, console=console, transient=True)


def _say(checked: Checked, held: _Held) -> None:
    out.print(f"{escape(held.what)}", highlight=False, soft_wrap=True)
    out.print(
        f"{checked.lines:,} lines vouch for {checked.rows:,} rows and spans of evidence", highlight=False
    )
    out.print(f"head {checked.head}", highlight=False, soft_wrap=True)
    for note in _notes(held):
        out.print(escape(note), highlight=False, soft_wrap=True)
    if checked.findings:
        _say_findings(checked)
    elif held.given is None and not held.heads:
        out.print("[green]whole by itself[/]: every line and every row fits the others", highlight=False)
    else:
        out.print("[green]whole[/]: nothing was edited, removed, added or reordered", highlight=False)


def _say_findings(checked: Checked) -> None:
    count = len(checked.findings)
    out.print(f"[bold red]TAMPERED WITH[/]: {count} finding{'s' if count > 1 else ''}", highlight=False)
    for finding in checked.findings:
        out.print(f"  {escape(str(finding))}", highlight=False, soft_wrap=True)


def _notes(held: _Held) -> list[str]:
    notes = []
    if held.given is not None:
        notes.append(f"held against the head you gave, line {held.given.seq}")
    if (noted := held.anchors) is not None:
        last = f", the last of line {noted.heads[-1].seq}" if noted.anchors else ""
        notes.append(f"held against {len(noted.anchors):,} heads noted in {noted.path}{last}")
        if noted.unreadable:
            numbers = ", ".join(str(number) for number in noted.unreadable)
            notes.append(f"left out of {noted.path}, as they are no heads: lines {numbers}")
    if held.given is None and not held.heads:
        notes.append(_UNSEEN)
    return notes


def _plain(checked: Checked, held: _Held) -> dict[str, Any]:
    noted = held.anchors
    return {
        "checked": held.what,
        "whole": not checked.findings,
        "lines": checked.lines,
        "rows": checked.rows,
        "head": str(checked.head),
        "given_head": None if held.given is None else str(held.given),
        "anchors": None if noted is None else {"file": str(noted.path), "count": len(noted.anchors)},
        "notes": _notes(held),
        "findings": [
            {"kind": one.kind.value, "line": one.seq, "row": one.row, "text": one.text}
            for one in checked.findings
        ],
    }
