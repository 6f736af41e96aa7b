"""Reading the audit chain, and what it vouches for, as the database holds them now.

Values are read as the driver gives them: what was tampered with may be no time, no number and no text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text

from headgate.adapters.codec import stamp
from headgate.adapters.store.chaining import head_of_chain
from headgate.adapters.store.engine import reading
from headgate.adapters.store.history import BULK, SINGLE, columns_of, key_of, values_of
from headgate.audit import Checked, Finding, Head, Line, Row, Tampering, check, digest_of

_T = TypeVar("_T")
#: Shows how far a long reading is: takes what is read, what it is called and how much there is.
Watched = Callable[[Iterable[Any], str, int], Iterable[Any]]
_LINE = ("seq", "at", "kind", "rollout_id", "row_key", "digest", "prev", "hash")


def head(engine: Engine) -> Head:
    """Return the end of the chain: ``0:000…`` while nothing was written."""
    with reading(engine) as session:
        return head_of_chain(session.connection())


def lines_of(engine: Engine, rollout_id: str) -> list[Line]:
    """Return the lines of a rollout in their order."""
    with reading(engine) as session:
        query = f"SELECT {_names(_LINE)} FROM audit WHERE rollout_id = :rollout ORDER BY seq"  # noqa: S608 - our names
        return [_line(row) for row in session.connection().execute(text(query), {"rollout": rollout_id})]


def verify(
    engine: Engine, known: Head | None = None, anchors: Iterable[Head] = (), watched: Watched | None = None
) -> Checked:
    """Read the whole chain and all that it vouches for, at one moment, and say what does not fit."""
    watch: Watched = watched or (lambda rows, _what, _count: rows)
    with reading(engine) as session:
        connection = session.connection()
        counted = sum(_count(connection, table) for table in (*SINGLE, BULK))
        found = check(
            watch(lines(connection), "lines", _count(connection, "audit")),
            watch(_rows(connection), "rows", counted),
            known,
            anchors,
        )
        return replace(found, findings=(*found.findings, *_contradictions(connection)))


def lines(connection: Connection) -> Iterator[Line]:
    """Return all lines in their order."""
    return (_line(row) for row in _all(connection, f"SELECT {_names(_LINE)} FROM audit ORDER BY seq"))  # noqa: S608 - our names


def rows_of_line(connection: Connection, line: Line) -> list[dict[str, Any]]:
    """Return the values of the row that a line vouches for, secrets hashed; of evidence those of all rows.

    Empty if it is gone.
    """
    key: dict[str, Any] = json.loads(line.row_key)
    where = " AND ".join(f'"{name}" = :{name}' for name in key)
    if line.kind == BULK:
        where = "rollout_id = :rollout_id AND id BETWEEN :first AND :last ORDER BY id"
        del key["rows"]
    names = columns_of(line.kind)
    query = f'SELECT {_names(names)} FROM "{line.kind}" WHERE {where}'  # noqa: S608 - our names
    return [values_of(line.kind, row) for row in connection.execute(text(query), key)]


def _rows(connection: Connection) -> Iterator[Row]:
    for table in SINGLE:
        names = columns_of(table)
        for row in _all(connection, f'SELECT {_names(names)} FROM "{table}"'):  # noqa: S608 - our names
            values = values_of(table, row)
            yield Row(table, key_of(table, values), digest_of(values))
    yield from _bulk(connection)


def _bulk(connection: Connection) -> Iterator[Row]:
    """Return evidence as it was vouched for, in spans of ids; a row in none of them by itself."""
    spans: dict[Any, list[tuple[int, int, str]]] = {}
    for (key,) in _all(connection, "SELECT row_key FROM audit WHERE kind = 'evidence'"):
        if (span := _span(key)) is not None:
            spans.setdefault(span[0], []).append((span[1], span[2], key))
    names = columns_of(BULK)
    query = f"SELECT {_names(names)} FROM evidence ORDER BY rollout_id, id"  # noqa: S608 - our names
    values = (values_of(BULK, row) for row in _all(connection, query))
    for rollout_id, group in groupby(values, lambda row: row["rollout_id"]):
        own = iter(sorted(spans.get(_as_text(rollout_id), ())))
        yield from _in_spans(group, own)


def _in_spans(rows: Iterable[dict[str, Any]], spans: Iterator[tuple[int, int, str]]) -> Iterator[Row]:
    first, last, key = next(spans, (0, -1, ""))
    held: list[dict[str, Any]] = []
    for row in rows:
        while key and row["id"] > last:
            if held:
                yield _spanned(key, held)
            held = []
            first, last, key = next(spans, (0, -1, ""))
        if key and first <= row["id"]:
            held.append(row)
        else:
            yield Row(BULK, json.dumps({"id": row["id"]}), digest_of(row))
    if held:
        yield _spanned(key, held)


def _spanned(key: str, rows: list[dict[str, Any]]) -> Row:
    written = json.loads(key).get("rows")
    return Row(BULK, key, digest_of(*rows), f"{len(rows)} rows are there, {written} were written")


def _contradictions(connection: Connection) -> Iterator[Finding]:
    """Hold the one flag that is not chained against the ledger, which is."""
    query = """
        SELECT DISTINCT rollout.id FROM rollout JOIN slice ON slice.rollout_id = rollout.id
        WHERE rollout.done AND 'done' <> (
            SELECT phase FROM ledger WHERE ledger.rollout_id = rollout.id AND ledger.slice = slice.name
            ORDER BY tick DESC LIMIT 1
        ) ORDER BY rollout.id
    """
    for (rollout_id,) in connection.execute(text(query)):
        said = "it is marked as done; by its ledger it is not"
        yield Finding(Tampering.DISAGREES, None, f"rollout {rollout_id}", said)


def _all(connection: Connection, query: str) -> Iterator[Any]:
    return iter(connection.execute(text(query), execution_options={"yield_per": 2000}))


def _count(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one())  # noqa: S608 - our names


def _line(row: Any) -> Line:
    seq, *rest = row
    return Line(seq, *(_as_text(one) for one in rest))


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return stamp(value)
    return value if isinstance(value, str) else repr(value)


def _span(key: Any) -> tuple[Any, int, int] | None:
    """Return what a key of evidence says, unless somebody wrote something else there."""
    try:
        said = json.loads(key)
        return _as_text(said["rollout_id"]), int(said["first"]), int(said["last"])
    except (ValueError, TypeError, KeyError):
        return None


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
