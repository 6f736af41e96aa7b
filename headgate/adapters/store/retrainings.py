"""Who may retrain now: one retraining per origin, and none while the last one is too young.

The store decides it, in one write, on the time of the events: Prefect's cooldown counts the machine's
hours and damps bursts only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text
from sqlmodel import Session, col, select

from headgate.adapters.codec import compact, stamp
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.tables import RetrainedRow, RetrainingRow
from headgate.errors import InputError, StoreError

# Any number, as long as every Headgate takes the same one ("retrain" in ASCII).
_CLAIMING = 0x7265747261696E


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to retrain, once.

    Attributes
    ----------
    trigger
        ``drift``, ``schedule`` or ``button``.
    origin
        What asked for it; the same origin gets one claim.
    owner
        Flow run that holds it, so that its own retry may go on.
    at
        Event time of what asked for it.
    """

    id: int
    service: str
    trigger: str
    origin: str
    owner: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Retraining:
    """A retraining, and how it ended.

    Attributes
    ----------
    accepted
        Whether its model was better and a rollout of it was opened; None while nothing is known.
    version, rollout
        Of the new model, and the rollout opened for it; empty where there is none.
    body
        Plain JSON: what the validation and the diff said.
    finished_at
        None while it has not ended.
    """

    claim: Claim
    accepted: bool | None = None
    reason: str = ""
    version: str = ""
    rollout: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    finished_at: datetime | None = None


def claim(
    engine: Engine,
    service: str,
    trigger: str,
    origin: str,
    at: datetime,
    cooldown: timedelta,
    owner: str = "",
) -> Claim | None:
    """Take the right to retrain; None where this origin had it, or the last one is younger than ``cooldown``.

    The owner of a claim that has not ended gets it again. A cooldown of zero (a button) asks only that the
    origin is new. An event older than the last retraining says nothing that it did not know: None.
    """
    with writing(engine) as session:
        if session.connection().dialect.name == "postgresql":
            # SQLite has one writer; here two origins at once would both find the last one old enough.
            session.connection().execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CLAIMING})
        known = session.exec(_of(service).where(RetrainingRow.origin == origin)).one_or_none()
        if known is not None:
            mine = bool(owner) and known.owner == owner and session.get(RetrainedRow, known.id) is None
            return _claim(known) if mine else None
        last = session.exec(_of(service).order_by(col(RetrainingRow.at).desc()).limit(1)).one_or_none()
        if last is not None and cooldown and at < last.at + cooldown:
            return None
        row = RetrainingRow(service=service, trigger=trigger, origin=origin, owner=owner, at=at)
        session.add(row)
        session.flush()
        return _claim(row)


def finish(
    engine: Engine,
    taken: Claim,
    *,
    accepted: bool,
    reason: str,
    at: datetime,
    version: str = "",
    rollout: str = "",
    body: Mapping[str, Any] | None = None,
) -> Retraining:
    """Write down how a retraining ended and return it; the same end again changes nothing.

    Raises
    ------
    InputError
        If the claim is unknown.
    StoreError
        If it ended otherwise before.
    """
    row = RetrainedRow(
        retraining_id=taken.id,
        accepted=accepted,
        reason=reason,
        version=version,
        rollout_id=rollout,
        body=compact(dict(body or {})),
        at=at,
    )
    with writing(engine) as session:
        begun = session.get(RetrainingRow, taken.id, with_for_update=True)
        if begun is None:
            raise InputError(f"asked the end of retraining {taken.id} of {taken.service}; there is none")
        known = session.get(RetrainedRow, taken.id)
        if known is None:
            session.add(row)
        elif (known.accepted, known.version, known.rollout_id) != (accepted, version, rollout):
            raise StoreError(
                f"retraining {taken.id} of {taken.service} ended at {stamp(known.at)}: {known.reason}; "
                f"now it is said to have ended otherwise: {reason}; the first stands"
            )
        return _value(begun, known or row)


def all(engine: Engine, service: str) -> list[Retraining]:  # noqa: A001 - read as retrainings.all
    """Return the retrainings of a service in order of the events that asked for them."""
    query = _of(service).order_by(col(RetrainingRow.at), col(RetrainingRow.id))
    with reading(engine) as session:
        return [_value(row, _end(session, row)) for row in session.exec(query)]


def _of(service: str) -> Any:
    return select(RetrainingRow).where(RetrainingRow.service == service)


def _end(session: Session, row: RetrainingRow) -> RetrainedRow | None:
    return session.get(RetrainedRow, row.id)


def _claim(row: RetrainingRow) -> Claim:
    assert row.id is not None  # noqa: S101 - given by the database when the row was flushed
    return Claim(row.id, row.service, row.trigger, row.origin, row.owner, row.at)


def _value(row: RetrainingRow, end: RetrainedRow | None) -> Retraining:
    if end is None:
        return Retraining(_claim(row))
    return Retraining(
        claim=_claim(row),
        accepted=end.accepted,
        reason=end.reason,
        version=end.version,
        rollout=end.rollout_id,
        body=json.loads(end.body),
        finished_at=end.at,
    )
