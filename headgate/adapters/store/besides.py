"""What happened around a rollout besides its ticks: signatures, and who was told of what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import col, select

from headgate.adapters.store.engine import reading
from headgate.adapters.store.rollout_rows import get
from headgate.adapters.store.tables import AlertRow, DeliveryRow, RolloutRow, SignOffRow


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature under a rollout's plan, whichever of its rollouts it was given for."""

    at: datetime
    role: str
    name: str
    comment: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to tell somebody."""

    at: datetime
    route: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Alerted:
    """Something that people had to be told, and every attempt to do so."""

    at: datetime
    kind: str
    slice: str
    subject: str
    deliveries: tuple[Delivery, ...]


def opened_by(engine: Engine, rollout_id: str) -> str:
    """Return who opened a rollout.

    Raises
    ------
    InputError
        If there is none with this id.
    """
    get(engine, rollout_id)
    with reading(engine) as session:
        return session.exec(select(RolloutRow.opened_by).where(RolloutRow.id == rollout_id)).one()


def signed(engine: Engine, rollout_id: str) -> list[Signed]:
    """Return every signature under the rollout's plan in the order they were given, replaced ones too."""
    query = select(SignOffRow).where(SignOffRow.plan_hash == get(engine, rollout_id).plan_hash)
    with reading(engine) as session:
        rows = session.exec(query.order_by(col(SignOffRow.id)))
        return [Signed(row.at, row.role, row.name, row.comment, row.expires_at) for row in rows]


def alerted(engine: Engine, rollout_id: str) -> list[Alerted]:
    """Return what people were told of a rollout in the order of events, with every attempt."""
    with reading(engine) as session:
        alerts = session.exec(
            select(AlertRow).where(AlertRow.rollout_id == rollout_id).order_by(col(AlertRow.id))
        ).all()
        tried: dict[int, list[Delivery]] = {}
        for row in session.exec(
            select(DeliveryRow)
            .where(col(DeliveryRow.alert_id).in_([alert.id for alert in alerts]))
            .order_by(col(DeliveryRow.id))
        ):
            tried.setdefault(row.alert_id, []).append(Delivery(row.at, row.route, row.ok, row.detail))
        return [
            Alerted(row.at, row.kind, row.slice, _subject(row), tuple(tried.get(row.id or 0, ())))
            for row in alerts
        ]


def _subject(row: AlertRow) -> str:
    """Return an alert's one line out of its body."""
    try:
        body = json.loads(row.body)
    except ValueError:
        return row.body
    told = body.get("value", body) if isinstance(body, dict) else {}
    return str(told.get("subject") or row.key)
