"""Appending to the audit chain: a transaction that writes history vouches for it before it commits.

What a session adds is noted at every flush. The lines are written last of all, so that nobody waits
for the chain's lock but to append to it and commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, event, insert, inspect, text
from sqlmodel import Session, col, select

from headgate.adapters.codec import stamp
from headgate.adapters.store.history import BULK, SINGLE, bulk_key, columns_of, key_of, values_of
from headgate.adapters.store.tables import AlertRow, AuditRow, BatchRow
from headgate.audit import GENESIS, Head, Line, digest_of, link

#: What a line says besides its place: kind, rollout, key, digest.
Entry = tuple[str, str, str, str]

# Any number, as long as every Headgate takes the same one ("audit" in ASCII).
_APPENDING = 0x6175646974
_ADDED = "headgate: rows to chain"


class ChainedSession(Session):
    """A session that remembers what history it added."""


@event.listens_for(ChainedSession, "after_flush")
def _note(session: Session, _: Any) -> None:
    new = (row for row in session.new if row.__tablename__ in SINGLE)
    session.info.setdefault(_ADDED, []).extend(new)


def add_bulk(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert evidence of one rollout, whose lock the caller holds, and have it vouched for by one line."""
    rollout_id = rows[0]["rollout_id"]
    mark = _last_batch(session, rollout_id)
    session.connection().execute(insert(BatchRow), list(rows))
    # Read again: what the chain vouches for is what the database holds, with the ids it gave.
    entry = bulk_entry(rollout_id, _batches(session, rollout_id, mark))
    session.info.setdefault(_ADDED, []).append(entry)


def bulk_entry(rollout_id: str, rows: Sequence[dict[str, Any]]) -> Entry:
    """Return what vouches for these rows of evidence, which have rising ids."""
    return BULK, rollout_id, bulk_key(rollout_id, [row["id"] for row in rows]), digest_of(*rows)


def append(session: Session) -> None:
    """Write a line for all that this transaction added; nothing of it may be added afterwards."""
    added = session.info.pop(_ADDED, [])
    if entries := [_entry(session, one) for one in _once(added)]:
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            # SQLite has one writer; here two would follow the same line.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _APPENDING})
        write_lines(connection, entries)


def write_lines(connection: Connection, entries: Iterable[Entry]) -> None:
    """Append lines behind the chain's end. The caller holds the lock."""
    head, at = head_of_chain(connection), datetime.now(UTC)
    lines = []
    for entry in entries:
        line = link(head, stamp(at), *entry)
        lines.append(_row(line, at))
        head = Head(line.seq, line.hash)
    if lines:
        connection.execute(insert(AuditRow), lines)


def head_of_chain(connection: Connection) -> Head:
    """Return the end of the chain."""
    query = select(AuditRow.seq, AuditRow.hash).order_by(col(AuditRow.seq).desc()).limit(1)
    found = connection.execute(query).one_or_none()
    return Head(0, GENESIS) if found is None else Head(*found)


def _once(added: list[Any]) -> list[Any]:
    """Return rows once each, and none that a savepoint took back."""
    kept: dict[int, Any] = {}
    for one in added:
        if isinstance(one, tuple) or inspect(one).persistent:
            kept.setdefault(id(one), one)
    return list(kept.values())


def _entry(session: Session, row: Any) -> Entry:
    if isinstance(row, tuple):
        return row  # of `add_bulk`
    kind = row.__tablename__
    values = values_of(kind, (getattr(row, name) for name in columns_of(kind)))
    return kind, _whose(session, row), key_of(kind, values), digest_of(values)


def _whose(session: Session, row: Any) -> str:
    match row.__tablename__:
        case "rollout":
            return str(row.id)
        case "delivery":
            alert = session.get(AlertRow, row.alert_id)
            return "" if alert is None else alert.rollout_id
        case "plan" | "approver" | "monitored" | "retraining":
            return ""
        case _:
            return str(row.rollout_id)


def _last_batch(session: Session, rollout_id: str) -> int:
    query = (
        select(BatchRow.id)
        .where(BatchRow.rollout_id == rollout_id)
        .order_by(col(BatchRow.id).desc())
        .limit(1)
    )
    return session.exec(query).one_or_none() or 0


def _batches(session: Session, rollout_id: str, mark: int) -> list[dict[str, Any]]:
    names = columns_of(BULK)
    query = (
        select(*(getattr(BatchRow, name) for name in names))
        .where(BatchRow.rollout_id == rollout_id, col(BatchRow.id) > mark)
        .order_by(col(BatchRow.id))
    )
    found = session.connection().execute(query)
    return [values_of(BULK, row) for row in found]


def _row(line: Line, at: datetime) -> dict[str, Any]:
    return {
        "seq": line.seq,
        "at": at,
        "kind": line.kind,
        "rollout_id": line.rollout_id,
        "row_key": line.row_key,
        "digest": line.digest,
        "prev": line.prev,
        "hash": line.hash,
    }
