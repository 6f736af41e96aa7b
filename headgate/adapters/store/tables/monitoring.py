"""What was found out about models that serve, and what was trained anew."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from headgate.adapters.store.columns import Instant, Line
from headgate.adapters.store.tables.base import Row


class MonitoredRow(Row, table=True):
    """What the monitor found out about a window of a service, of one kind of question; once and for all."""

    __tablename__: ClassVar[Any] = "monitored"
    __table_args__ = (
        UniqueConstraint("service", "kind", "version", "since"),
        Index(None, "service", "id"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, primary_key=True)
    service: str = Field(sa_type=Line)
    kind: str = Field(sa_type=Line)
    since: datetime = Field(sa_type=Instant)
    until: datetime = Field(sa_type=Instant)
    version: str = Field(sa_type=Line)
    verdict: str = Field(sa_type=Line)
    body: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)


class RetrainingRow(Row, table=True):
    """A retraining begun; of one origin (an event, a day of the schedule, a button) there is one."""

    __tablename__: ClassVar[Any] = "retraining"
    __table_args__ = (UniqueConstraint("service", "origin"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    service: str = Field(sa_type=Line)
    trigger: str = Field(sa_type=Line)
    origin: str = Field(sa_type=Line)
    owner: str = Field(sa_type=Line)
    at: datetime = Field(sa_type=Instant)


class RetrainedRow(Row, table=True):
    """How it ended; ``rollout_id`` is empty where no rollout was opened."""

    __tablename__: ClassVar[Any] = "retrained"
    retraining_id: int = Field(
        primary_key=True, foreign_key="retraining.id", sa_column_kwargs={"autoincrement": False}
    )
    accepted: bool
    reason: str = Field(sa_type=Line)
    version: str = Field(sa_type=Line)
    rollout_id: str = Field(sa_type=Line)
    body: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)
