"""The outbox: what people have to be told, and every attempt to tell them.

An alert is written with what it tells of, in one transaction, so that neither is there without the
other. It is open until an attempt on the route `CLOSED` says that all of its routes are done with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from headgate.adapters.codec import dump, load
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.tables import AlertRow, DeliveryRow
from headgate.alerts.alert import Alert
from headgate.alerts.attempts import CLOSED, Attempt
from headgate.plan.duties import NoticeKind

#: Most open alerts looked at in one go; the rest waits until these are told.
_MOST = 500


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that is not told everywhere yet, without its words: enough to know where it goes."""

    id: int
    key: str
    kind: NoticeKind
    rollout: str
    at: datetime
    attempts: tuple[Attempt, ...]


def put_alerts(session: Session, alerts: Iterable[Alert]) -> int:
    """Write alerts within the caller's transaction; return how many were new.

    One whose key is known stays as it is.
    """
    fresh = {alert.key: alert for alert in reversed(tuple(alerts))}
    if not fresh:
        return 0
    known = set(session.exec(select(AlertRow.key).where(col(AlertRow.key).in_(fresh))))
    rows = [_row(alert) for key, alert in reversed(fresh.items()) if key not in known]
    for row in rows:
        session.add(row)
        session.flush()  # one by one: ids in the order of the alerts
    return len(rows)


def add_alerts(engine: Engine, alerts: Iterable[Alert]) -> int:
    """Write alerts; one whose key is known stays as it is. Return how many were new."""
    with writing(engine) as session:
        return put_alerts(session, alerts)


def alerts(engine: Engine, rollout_id: str | None = None) -> list[Alert]:
    """Return all alerts, of one rollout or of all, in the order they were written."""
    query = select(AlertRow.body).order_by(col(AlertRow.id))
    if rollout_id is not None:
        query = query.where(AlertRow.rollout_id == rollout_id)
    with reading(engine) as session:
        return [load(Alert, body) for body in session.exec(query)]


def alerts_by_id(engine: Engine, ids: Sequence[int]) -> list[Alert]:
    """Return the alerts with these ids, in the order of the ids given."""
    with reading(engine) as session:
        rows = session.exec(select(AlertRow).where(col(AlertRow.id).in_(ids)))
        bodies = {row.id: row.body for row in rows}
    return [load(Alert, bodies[number]) for number in ids]


def open_alerts(engine: Engine) -> list[OpenAlert]:
    """Return the alerts that are not told everywhere yet, oldest first, with what was tried."""
    closed = select(DeliveryRow.alert_id).where(DeliveryRow.route == CLOSED)
    query = select(AlertRow).where(col(AlertRow.id).not_in(closed)).order_by(col(AlertRow.id)).limit(_MOST)
    with reading(engine) as session:
        rows = {row.id: row for row in session.exec(query) if row.id is not None}
        tried = _attempts(session, list(rows))
        return [
            OpenAlert(number, row.key, NoticeKind(row.kind), row.rollout_id, row.at, tuple(tried[number]))
            for number, row in rows.items()
        ]


def attempts(engine: Engine, alert_id: int) -> list[Attempt]:
    """Return every attempt to tell an alert, oldest first."""
    with reading(engine) as session:
        return _attempts(session, [alert_id])[alert_id]


def note_attempts(engine: Engine, alert_ids: Iterable[int], attempt: Attempt) -> None:
    """Write one attempt down for every alert in the message."""
    with writing(engine) as session:
        for number in alert_ids:
            session.add(
                DeliveryRow(
                    alert_id=number,
                    route=attempt.route,
                    ok=attempt.ok,
                    detail=attempt.detail,
                    at=attempt.at,
                )
            )
            session.flush()


def given_up(engine: Engine, since: datetime) -> list[tuple[Alert, Attempt]]:
    """Return the alerts that were closed after ``since`` without having been told everywhere."""
    query = (
        select(AlertRow.body, DeliveryRow)
        .join(DeliveryRow, col(DeliveryRow.alert_id) == col(AlertRow.id))
        .where(DeliveryRow.route == CLOSED, col(DeliveryRow.ok).is_(False), col(DeliveryRow.at) >= since)
        .order_by(col(AlertRow.id))
    )
    with reading(engine) as session:
        return [(load(Alert, body), _attempt(row)) for body, row in session.exec(query)]


def _attempts(session: Session, ids: Sequence[int]) -> defaultdict[int, list[Attempt]]:
    found: defaultdict[int, list[Attempt]] = defaultdict(list)
    if ids:
        query = select(DeliveryRow).where(col(DeliveryRow.alert_id).in_(ids)).order_by(col(DeliveryRow.id))
        for row in session.exec(query):
            found[row.alert_id].append(_attempt(row))
    return found


def _attempt(row: DeliveryRow) -> Attempt:
    return Attempt(row.route, row.ok, row.detail, row.at)


def _row(alert: Alert) -> AlertRow:
    return AlertRow(
        key=alert.key,
        rollout_id=alert.rollout,
        slice=alert.slice,
        kind=alert.kind.value,
        body=dump(alert),
        at=alert.at,
    )
