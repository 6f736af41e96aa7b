"""Windows of requests that were scored in shadow; their exchanges are in the lake."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from headgate.adapters.codec import compact, stamp
from headgate.adapters.store.batches import put_evidence
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.rollout_rows import row_of
from headgate.adapters.store.tables import WindowRow
from headgate.errors import InputError, StoreError
from headgate.evidence import EvidenceRow


@dataclass(frozen=True, slots=True)
class Window:
    """One scored window, ``start`` inclusive, ``end`` exclusive.

    Attributes
    ----------
    path
        Of the exchanges in the lake.
    digest
        Of their content.
    counts
        What happened to the requests, by name.
    """

    start: datetime
    end: datetime
    path: str
    digest: str
    counts: Mapping[str, int]
    scored_at: datetime


def add_window(
    engine: Engine, rollout_id: str, window: Window, rows: Iterable[EvidenceRow] = (), tick: int = 0
) -> Window:
    """Note a scored window and return it as noted; the same content again changes nothing.

    ``rows`` is the evidence drawn from it, written with it or not at all.

    Raises
    ------
    InputError
        If it ends before it starts, a time is naive or the rollout is unknown.
    StoreError
        If it is noted with other content, or overlaps another: requests would count twice. Then
        nothing of it is written, its evidence included.
    """
    if stamp(window.start) >= stamp(window.end):
        raise InputError(f"asked a window that ends after it starts; found {_span(window)}")
    with writing(engine) as session:
        row_of(session, rollout_id, lock=True)
        for known in _touching(session, rollout_id, window):
            if (known.start, known.end) != (window.start, window.end):
                raise StoreError(
                    f"window {_span(window)} of {rollout_id} overlaps the scored window {_span(known)}"
                )
            if (known.path, known.digest, known.counts) != (window.path, window.digest, dict(window.counts)):
                raise StoreError(
                    f"window {_span(window)} of {rollout_id} was scored before with other content: "
                    f"{known.path} {known.digest}, now {window.path} {window.digest}; the first stands"
                )
            return known
        put_evidence(session, rollout_id, rows, tick)
        session.add(
            WindowRow(
                rollout_id=rollout_id,
                start=window.start,
                until=window.end,
                path=window.path,
                digest=window.digest,
                counts=compact(dict(window.counts)),
                scored_at=window.scored_at,
            )
        )
        session.flush()
    return window


def windows(engine: Engine, rollout_id: str) -> list[Window]:
    """Return the scored windows of a rollout in order of time."""
    query = select(WindowRow).where(WindowRow.rollout_id == rollout_id).order_by(col(WindowRow.start))
    with reading(engine) as session:
        return [_value(row) for row in session.exec(query)]


def _touching(session: Session, rollout_id: str, window: Window) -> list[Window]:
    query = select(WindowRow).where(
        WindowRow.rollout_id == rollout_id,
        col(WindowRow.start) < window.end,
        col(WindowRow.until) > window.start,
    )
    return [_value(row) for row in session.exec(query)]


def _value(row: WindowRow) -> Window:
    return Window(row.start, row.until, row.path, row.digest, json.loads(row.counts), row.scored_at)


def _span(window: Window) -> str:
    return f"{stamp(window.start)} to {stamp(window.end)}"
