"""Evidence: batches written once, read back in one fixed order."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy import select as columns  # SQLModel's select types four columns at most
from sqlmodel import Session, col, func, select

from headgate.adapters.codec import compact, stamp
from headgate.adapters.store.chaining import add_bulk
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.rollout_rows import row_of
from headgate.adapters.store.tables import BatchRow
from headgate.errors import InputError, StoreError
from headgate.evidence import EvidenceRow, Source, from_json, to_json

_Key = tuple[datetime, str, str, int, int, str, str, str]
_KEY = (
    col(BatchRow.batch), col(BatchRow.gate), col(BatchRow.segment), col(BatchRow.entry),
    col(BatchRow.share_bp), col(BatchRow.source), col(BatchRow.part), col(BatchRow.slice),
)  # fmt: skip
#: Kinds that only closed batches have.
_CLOSED = ("block", "unit", "unpaired", "calibration")
_NAMES = ("batch", "gate", "segment", "entry", "share_bp", "source", "part", "slice")


def add_evidence(engine: Engine, rollout_id: str, rows: Iterable[EvidenceRow], tick: int) -> int:
    """Write batches, all or none, and return how many were new.

    A batch that is there with the same sums is skipped, so a repeated task adds nothing.

    Raises
    ------
    StoreError
        If a batch is there with other sums: history is never rewritten.
    InputError
        If the rollout is unknown, a time is naive or a segment is empty text.
    """
    with writing(engine) as session:
        row_of(session, rollout_id, lock=True)
        return put_evidence(session, rollout_id, rows, tick)


def put_evidence(session: Session, rollout_id: str, rows: Iterable[EvidenceRow], tick: int) -> int:
    """Do the same within the caller's transaction, which holds the rollout's lock."""
    given: dict[_Key, str] = {}
    kinds: dict[_Key, str] = {}
    for row in rows:
        key, plain = _key(row), to_json(row.sums)
        kinds[key], sums = plain["kind"], compact(plain)
        _same(rollout_id, key, given.setdefault(key, sums), sums)
    known = _written(session, rollout_id, given)
    for key in given.keys() & known.keys():
        _same(rollout_id, key, known[key], given[key])
    new = [
        {"rollout_id": rollout_id, "tick": tick, "kind": kinds[key], "sums": sums}
        | dict(zip(_NAMES, key, strict=True))
        for key, sums in given.items()
        if key not in known
    ]
    if new:
        add_bulk(session, new)
    return len(new)


def evidence(
    engine: Engine, rollout_id: str, up_to: int | None = None, slice_: str | None = None
) -> list[EvidenceRow]:
    """Return the batches of a rollout in the one order they are folded in.

    The order is by time, gate, segment, entry, share, source, part and slice, whatever the order they
    came in: sums of floats depend on it.

    Parameters
    ----------
    up_to
        A mark of `evidence_mark`: exactly what was there then. None: everything.
    slice_
        One slice's alone; None: that of all of them.
    """
    query = columns(*_KEY, col(BatchRow.sums)).where(col(BatchRow.rollout_id) == rollout_id)
    if up_to is not None:
        query = query.where(col(BatchRow.id) <= up_to)
    if slice_ is not None:
        query = query.where(col(BatchRow.slice) == slice_)
    with reading(engine) as session:
        found = [tuple(row) for row in session.connection().execute(query)]
    # Sorted here: databases sort text by their own locale.
    found.sort(key=lambda row: row[:8])
    return [_value(row) for row in found]


def evidence_mark(engine: Engine, rollout_id: str) -> int:
    """Return the highest id of the rollout's batches; 0 when there are none.

    Ids of one rollout rise in the order of commits, so nothing appears below a mark later.
    """
    with reading(engine) as session:
        mark = session.exec(select(func.max(BatchRow.id)).where(BatchRow.rollout_id == rollout_id)).one()
        return mark or 0


def last_batch(engine: Engine, rollout_id: str, gates: Collection[str] | None = None) -> datetime | None:
    """Return the start of the newest closed batch of a gate with labels; None before the first.

    They close in order of time, so those up to this one are closed. Operation (rates, latency, the
    split) does not count: its hours come in as they are seen.

    Parameters
    ----------
    gates
        Names of the gates with labels: amounts are kept in the same form and come in as they are seen.
        None: every gate.
    """
    query = (
        select(BatchRow.batch)
        .where(BatchRow.rollout_id == rollout_id, col(BatchRow.kind).in_(_CLOSED))
        .order_by(col(BatchRow.batch).desc())
        .limit(1)
    )
    if gates is not None:
        query = query.where(col(BatchRow.gate).in_(list(gates)))
    with reading(engine) as session:
        return session.exec(query).one_or_none()


def _key(row: EvidenceRow) -> _Key:
    if row.segment == "":
        raise InputError(f"asked column=value or None as the segment of {row.gate}; found empty text")
    stamp(row.batch)  # a naive time cannot be compared with what is there
    return (
        row.batch,
        row.gate,
        row.segment or "",
        row.entry,
        row.share_bp,
        Source(row.source).value,
        row.part,
        row.slice,
    )


def _written(session: Session, rollout_id: str, given: dict[_Key, str]) -> dict[_Key, str]:
    if not given:
        return {}
    times = [key[0] for key in given]
    query = columns(*_KEY, col(BatchRow.sums)).where(
        col(BatchRow.rollout_id) == rollout_id, col(BatchRow.batch).between(min(times), max(times))
    )
    found: dict[_Key, str] = {}
    for row in session.connection().execute(query):
        batch, gate, segment, entry, share, source, part, slice_, sums = row
        found[batch, gate, segment, entry, share, source, part, slice_] = sums
    return found


def _same(rollout_id: str, key: _Key, known: str, given: str) -> None:
    if known != given:
        batch, gate, segment, entry, share, source, part, slice_ = key
        raise StoreError(
            f"evidence of {rollout_id} is there with other sums and is never rewritten: gate {gate}, "
            f"segment {segment or 'all'}, batch {stamp(batch)}, entry {entry}, "
            f"share {share} bp, source {source}, part {part!r}, slice {slice_}; "
            f"written {known}, given {given}"
        )


def _value(row: tuple[Any, ...]) -> EvidenceRow:
    batch, gate, segment, entry, share, source, part, slice_, sums = row
    return EvidenceRow(
        gate=gate,
        segment=segment or None,
        batch=batch,
        entry=entry,
        share_bp=share,
        source=Source(source),
        part=part,
        sums=from_json(json.loads(sums)),
        slice=slice_,
    )
