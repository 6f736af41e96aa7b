"""One rollout's record taken out of the store: a page to read, and lines that anybody can check.

Lines of this rollout come open, with their rows; those of others sealed. A secret never leaves: its
place in a row is taken by its hash, which is what the chain vouches for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from headgate.adapters.codec import stamp
from headgate.adapters.store import audit
from headgate.adapters.store.chaining import head_of_chain
from headgate.adapters.store.engine import reading
from headgate.audit import Checked, Head, Line, Row, Sealed, check, digest_of, head_of
from headgate.audit.page import Dossier, page
from headgate.audit.telling import Event, event_of
from headgate.errors import InputError

PAGE, LINES = "dossier.html", "dossier.jsonl"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and what a check of the whole store said first."""

    page: Path
    lines: Path
    head: Head
    shown: int
    checked: Checked


def export(
    engine: Engine, rollout_id: str, folder: Path, now: datetime, anchors: Sequence[Head] = ()
) -> Exported:
    """Write the dossier of a rollout into a folder.

    Raises
    ------
    InputError
        If there is no such rollout, or the folder cannot be written.
    """
    checked = audit.verify(engine, anchors=anchors)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with reading(engine) as session:
            written = _write(session.connection(), rollout_id, folder / LINES, now)
    except OSError as err:
        raise InputError(f"--out: asked to write {folder}; {err.strerror}; name another folder") from err
    file_hash = hashlib.sha256((folder / LINES).read_bytes()).hexdigest()
    made = Dossier(rollout_id, *written, checked, len(anchors), LINES, file_hash, now)
    (folder / PAGE).write_text(page(made), encoding="utf-8")
    return Exported(folder / PAGE, folder / LINES, made.head, len(made.events), checked)


def verify_file(path: Path, known: Head | None = None, anchors: Sequence[Head] = ()) -> Checked:
    """Check an exported file; it is read twice, and never kept whole.

    Raises
    ------
    InputError
        If it cannot be read, or is no export.
    """
    title = next(_read(path), {})
    if title.get("headgate_dossier") != _VERSION:
        raise InputError(f"asked an export of `headgate audit export`; found something else in {path}")
    heads = [*anchors, head_of(str(title.get("head")))]
    return check((_line(said, path) for said in _body(path)), _rows(path), known, heads)


def _write(
    connection: Connection, rollout_id: str, path: Path, now: datetime
) -> tuple[tuple[Event, ...], Head]:
    mine = _Mine(connection, rollout_id)
    events: list[Event] = []
    newest: dict[str, Event] = {}
    head = head_of_chain(connection)
    with path.open("w", encoding="utf-8") as file:
        title = {"headgate_dossier": _VERSION, "rollout": rollout_id, "head": str(head)}
        file.write(_json(title | {"exported_at": stamp(now)}))
        for line in audit.lines(connection):
            if not mine.has(line):
                file.write(_json(asdict(line.sealed())))
                continue
            rows = audit.rows_of_line(connection, line)
            file.write(_json(asdict(line) | {"rows": rows}))
            slice_ = str(rows[0].get("slice")) if rows else ""
            events.append(event_of(line, rows, newest.get(slice_)))
            if line.kind == "ledger":
                newest[slice_] = events[-1]
    return tuple(events), head


class _Mine:
    """Which lines a rollout's dossier shows: its own, its plan's, and the enrolments of who answered."""

    def __init__(self, connection: Connection, rollout_id: str) -> None:
        query = text("SELECT plan_hash FROM rollout WHERE id = :id")
        found = connection.execute(query, {"id": rollout_id}).scalar_one_or_none()
        if found is None:
            raise InputError(f"asked the rollout {rollout_id!r}; the store holds no such rollout")
        self.rollout_id, self.plan_key = rollout_id, json.dumps({"hash": found}, separators=(",", ":"))
        enrolled = text(
            "SELECT id FROM approver WHERE person IN ("
            "SELECT person FROM said WHERE rollout_id = :id "
            "UNION SELECT person FROM approval WHERE rollout_id = :id "
            "UNION SELECT person FROM signoff WHERE rollout_id = :id)"
        )
        ids = connection.execute(enrolled, {"id": rollout_id}).scalars()
        self.approver_keys = {json.dumps({"id": one}, separators=(",", ":")) for one in ids}

    def has(self, line: Line) -> bool:
        if line.kind == "plan":
            return line.row_key == self.plan_key
        if line.kind == "approver":
            return line.row_key in self.approver_keys
        return line.rollout_id == self.rollout_id


def _rows(path: Path) -> Iterator[Row]:
    for said in _body(path):
        if rows := said.get("rows"):
            yield Row(str(said.get("kind")), str(said.get("row_key")), digest_of(*rows))


def _line(said: dict[str, Any], path: Path) -> Line | Sealed:
    given = {name: value for name, value in said.items() if name != "rows"}
    kind = Sealed if "content" in given else Line
    asked = {field.name: int if field.name == "seq" else str for field in fields(kind)}
    if {name: type(value) for name, value in given.items()} != asked:
        raise InputError(f"asked lines of an audit chain with {', '.join(asked)}; {path} holds {given}")
    return kind(**given)


def _body(path: Path) -> Iterator[dict[str, Any]]:
    lines = _read(path)
    next(lines, None)
    return lines


def _read(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                said = json.loads(line)
                if not isinstance(said, dict):
                    raise InputError(f"asked JSON objects; line {number} of {path} is none")
                yield said
    except OSError as err:
        raise InputError(f"--file: asked {path}; {err.strerror}") from err
    except ValueError as err:
        raise InputError(f"--file: asked lines of JSON; found something else in {path}: {err}") from err


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"
