"""Facts frozen when a rollout starts, and incidents an operator should know."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlmodel import col, select

from headgate.adapters.codec import compact
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.rollout_rows import row_of
from headgate.adapters.store.tables import FactRow, IncidentRow


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that should not have happened."""

    at: datetime
    kind: str
    text: str


def add_incident(engine: Engine, rollout_id: str, incident: Incident) -> None:
    """Note an incident; one of the same kind at the same time is noted once."""
    with writing(engine) as session:
        row_of(session, rollout_id, lock=True)
        if session.get(IncidentRow, (rollout_id, incident.at, incident.kind)) is None:
            session.add(
                IncidentRow(rollout_id=rollout_id, at=incident.at, kind=incident.kind, text=incident.text)
            )


def incidents(engine: Engine, rollout_id: str) -> list[Incident]:
    """Return the incidents of a rollout in order of time."""
    query = select(IncidentRow).where(IncidentRow.rollout_id == rollout_id)
    with reading(engine) as session:
        rows = session.exec(query.order_by(col(IncidentRow.at)))
        return sorted((Incident(row.at, row.kind, row.text) for row in rows), key=lambda i: (i.at, i.kind))


def freeze(engine: Engine, rollout_id: str, name: str, value: Any, at: datetime) -> Any:
    """Keep a fact (plain JSON) under a name, and return the one in force: the first one stands.

    Raises
    ------
    StoreError
        If the value is not plain JSON with finite numbers.
    """
    body = compact(value)
    with writing(engine) as session:
        row_of(session, rollout_id, lock=True)
        row = session.get(FactRow, (rollout_id, name))
        if row is None:
            row = FactRow(rollout_id=rollout_id, name=name, value=body, at=at)
            session.add(row)
        return json.loads(row.value)


def facts(engine: Engine, rollout_id: str) -> dict[str, Any]:
    """Return all facts of a rollout by name."""
    with reading(engine) as session:
        rows = session.exec(select(FactRow).where(FactRow.rollout_id == rollout_id))
        return {row.name: json.loads(row.value) for row in sorted(rows, key=lambda row: row.name)}
