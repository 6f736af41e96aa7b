"""What `backtest`, `power` and `premortem` share: the plan they read, and the files they write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from headgate.cli.root import out
from headgate.errors import InputError
from headgate.plan import load_plan
from headgate.plan.model import Plan

said = Console(stderr=True)


def load(path: Path) -> Plan:
    """Return the plan; keys that a later version acts on are left aside, and said so."""
    left: list[str] = []
    plan = load_plan(path, leave_aside=left.append)
    for sentence in left:
        said.print(f"note: {path}: {sentence}", highlight=False, markup=False, soft_wrap=True)
    return plan


@contextmanager
def working(first: str) -> Iterator[Any]:
    """Show what is being done, on stderr; yields the function that is told."""
    with said.status(first) as status:

        def tell(what: str) -> None:
            if said.is_terminal:
                status.update(what)
            else:
                said.print(what, highlight=False, markup=False, soft_wrap=True)

        yield tell


def day(option: str, text: str) -> datetime:
    """Return a date or time as aware UTC; a date alone is its first moment in UTC.

    Raises
    ------
    InputError
        If it is neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option}: asked a date or time; found {text!r}; write 2026-03-01") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def write(option: str, path: Path, text: str) -> None:
    """Write a file and say so.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        raise InputError(f"{option}: asked to write {path}; found {err.strerror}; name another file") from err
    said.print(f"wrote {path}", highlight=False, markup=False, soft_wrap=True)


def show(tables: Any, body: Any, json_path: str | None) -> None:
    """Print the tables, or the JSON where ``-`` asks for it; write it where a file is named."""
    text = json.dumps(body, indent=2, allow_nan=False) + "\n"
    if json_path == "-":
        typer.echo(text, nl=False)
        return
    if json_path is not None:  # first: whoever pipes the tables into a pager may close it early
        write("--json", Path(json_path), text)
    out.print(tables)
