"""Reading a service's traffic log so that every line counts once.

The evidence of the lines, the entities first seen in them and the place to go on from are written
in one transaction, which stands on the place they were read from. Of two readers of the same lines
one writes; the other stands down and reads again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, insert
from sqlmodel import select

from headgate.adapters.codec import compact
from headgate.adapters.store.batches import put_evidence
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.rollout_rows import row_of
from headgate.adapters.store.tables import CursorRow, SeenRow
from headgate.errors import StandDown, StoreError
from headgate.evidence import EvidenceRow
from headgate.plan.model import ALL


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a service's log was read.

    Attributes
    ----------
    position
        As the plane gave it: {file: byte offset}. Empty before the first line.
    carry
        Plain JSON of the reader's own, e.g. mirrored lines whose live line is still to come.
    version
        Compare-and-set: rises with every write.
    """

    position: Mapping[str, int] = field(default_factory=dict)
    carry: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0


def cursor(engine: Engine, service: str) -> Cursor:
    """Return how far the service's log was read; the beginning if it never was."""
    with reading(engine) as session:
        row = session.get(CursorRow, service)
        return Cursor() if row is None else _value(row)


def ingest(
    engine: Engine,
    rollout_id: str,
    rows: Iterable[EvidenceRow],
    *,
    tick: int,
    expected: Cursor,
    position: Mapping[str, int],
    carry: Mapping[str, Any] | None = None,
    entities: Mapping[str, Mapping[int, Collection[str]]] | None = None,
) -> Cursor:
    """Write what the lines from ``expected`` to ``position`` said, and return the new cursor.

    Parameters
    ----------
    rows
        The lines' evidence. Its parts should name where they were read, as a batch is never
        rewritten: two reads of the same hour are two parts.
    expected
        As `cursor` returned it before the lines were read.
    entities
        By slice and entry, those first seen in these lines (not in `seen`).

    Raises
    ------
    StandDown
        If another reader moved the cursor meanwhile: its lines are counted, ours would be twice.
    StoreError
        If a batch is there with other sums, or an entity was seen before.
    """
    with writing(engine) as session:
        service = row_of(session, rollout_id, lock=True).service
        row = session.exec(
            select(CursorRow).where(CursorRow.service == service).with_for_update()
        ).one_or_none()
        version = 0 if row is None else row.version
        if version != expected.version:
            raise StandDown(
                f"the log of {service} was read on to version {version} since version {expected.version}"
            )
        put_evidence(session, rollout_id, rows, tick)
        known = [
            {"rollout_id": rollout_id, "slice": slice_, "entry": entry, "entity": entity}
            for slice_, entries in (entities or {}).items()
            for entry, names in entries.items()
            for entity in sorted(set(names))
        ]
        if known:
            session.connection().execute(insert(SeenRow), known)
        row = row or CursorRow(service=service, version=0, body="")
        row.version = version + 1
        row.body = compact({"position": dict(position), "carry": dict(carry or {})})
        session.add(row)
        session.flush()
        return _value(row)


def seen(engine: Engine, rollout_id: str, entry: int, slice_: str = ALL) -> set[str]:
    """Return the entities already counted on an entry of a slice."""
    query = select(SeenRow.entity).where(
        SeenRow.rollout_id == rollout_id, SeenRow.slice == slice_, SeenRow.entry == entry
    )
    with reading(engine) as session:
        return set(session.exec(query))


def _value(row: CursorRow) -> Cursor:
    try:
        body = json.loads(row.body)
        return Cursor(body["position"], body["carry"], row.version)
    except (ValueError, KeyError, TypeError) as err:
        raise StoreError(f"the cursor of {row.service} cannot be read: {err}") from err
