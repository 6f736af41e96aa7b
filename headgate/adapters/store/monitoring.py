"""What the monitor found out about every window of a service. Found out once, it stands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from headgate.adapters.codec import compact, stamp
from headgate.adapters.store.alerts import put_alerts
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.tables import MonitoredRow
from headgate.alerts.alert import Alert
from headgate.errors import InputError
from headgate.performance.monitored import Monitored

__all__ = ["Monitored", "history", "latest", "monitored_services", "record"]


def record(engine: Engine, found: Sequence[Monitored], alerts: Iterable[Alert] = ()) -> int:
    """Write findings with the alerts that tell of them, in one write; return how many were new.

    What is known of a window stays as it is, whatever is found out again. Alerts are told apart by their
    keys: they are written also where the findings were there already, and once.

    Raises
    ------
    InputError
        If a window ends before it begins, or a time is naive.
    """
    for one in found:
        if stamp(one.since) >= stamp(one.until):
            raise InputError(f"asked a window that ends after it begins; found {one.since} to {one.until}")
    with writing(engine) as session:
        fresh = [one for one in found if _known(session, one) is None]
        for one in fresh:
            session.add(_row(one))
            session.flush()  # one by one: ids in the order of the windows
        put_alerts(session, alerts)
        return len(fresh)


def latest(engine: Engine, service: str, kind: str, version: str | None = None) -> Monitored | None:
    """Return what was found out about the newest window of a service, by one version; None: nothing yet."""
    query = select(MonitoredRow).where(MonitoredRow.service == service, MonitoredRow.kind == str(kind))
    if version is not None:
        query = query.where(MonitoredRow.version == version)
    newest = query.order_by(col(MonitoredRow.since).desc(), col(MonitoredRow.id).desc()).limit(1)
    with reading(engine) as session:
        row = session.exec(newest).one_or_none()
        return None if row is None else _value(row)


def history(
    engine: Engine,
    service: str,
    kind: str | None = None,
    since: datetime | None = None,
    version: str | None = None,
) -> list[Monitored]:
    """Return what was found out about the windows of a service, of one kind or of all, in order of time.

    Parameters
    ----------
    since
        Only windows that end after it.
    version
        Only windows that this version answered. Around a promotion a window may be there twice, once for
        each: the new version's answers of the weeks before are what its own windows are held against.
    """
    query = select(MonitoredRow).where(MonitoredRow.service == service)
    if kind is not None:
        query = query.where(MonitoredRow.kind == str(kind))
    if version is not None:
        query = query.where(MonitoredRow.version == version)
    if since is not None:
        query = query.where(col(MonitoredRow.until) > since)
    with reading(engine) as session:
        rows = session.exec(query.order_by(col(MonitoredRow.since), col(MonitoredRow.id)))
        return [_value(row) for row in rows]


def monitored_services(engine: Engine) -> list[str]:
    """Return the names of the services that were ever monitored."""
    with reading(engine) as session:
        return sorted(session.exec(select(MonitoredRow.service).distinct()))


def _known(session: Session, one: Monitored) -> int | None:
    query = select(MonitoredRow.id).where(
        MonitoredRow.service == one.service,
        MonitoredRow.kind == str(one.kind),
        MonitoredRow.version == one.version,
        MonitoredRow.since == one.since,
    )
    return session.exec(query).one_or_none()


def _row(one: Monitored) -> MonitoredRow:
    return MonitoredRow(
        service=one.service,
        kind=str(one.kind),  # drivers write enums by their names
        since=one.since,
        until=one.until,
        version=one.version,
        verdict=str(one.verdict),
        body=compact(dict(one.body)),
        at=one.at,
    )


def _value(row: MonitoredRow) -> Monitored:
    return Monitored(
        service=row.service,
        kind=row.kind,
        since=row.since,
        until=row.until,
        version=row.version,
        verdict=row.verdict,
        body=json.loads(row.body),
        at=row.at,
    )
