"""What was scored and counted, and how far every log was read."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from headgate.adapters.store.columns import Instant, Line
from headgate.adapters.store.tables.base import Row


class BatchRow(Row, table=True):
    """One batch of evidence; ``segment`` is empty for all requests, as NULLs are never equal."""

    __tablename__: ClassVar[Any] = "evidence"
    __table_args__ = (
        UniqueConstraint(
            "rollout_id",
            "batch",
            "gate",
            "segment",
            "entry",
            "share_bp",
            "source",
            "part",
            "slice",
            name="uq_evidence",
        ),
        Index(None, "rollout_id", "id"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, primary_key=True)
    rollout_id: str = Field(foreign_key="rollout.id", sa_type=Line)
    batch: datetime = Field(sa_type=Instant)
    gate: str = Field(sa_type=Line)
    segment: str = Field(sa_type=Line)
    entry: int
    share_bp: int
    source: str = Field(sa_type=Line)
    part: str = Field(sa_type=Line)
    tick: int
    kind: str = Field(sa_type=Line)
    sums: str = Field(sa_type=Text)
    slice: str = Field(sa_type=Line)


class CursorRow(Row, table=True):
    """How far a service's traffic log was read; ``version`` is its compare-and-set."""

    __tablename__: ClassVar[Any] = "log_cursor"
    service: str = Field(primary_key=True, sa_type=Line)
    version: int
    body: str = Field(sa_type=Text)


class SeenRow(Row, table=True):
    """An entity counted on an entry of a slice."""

    __tablename__: ClassVar[Any] = "seen"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    slice: str = Field(primary_key=True, sa_type=Line)
    entry: int = Field(primary_key=True)
    entity: str = Field(primary_key=True, sa_type=Line)


class WindowRow(Row, table=True):
    """A window of requests scored in shadow; its exchanges are in the lake."""

    __tablename__: ClassVar[Any] = "scored_window"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    start: datetime = Field(primary_key=True, sa_type=Instant)
    until: datetime = Field(sa_type=Instant)
    path: str = Field(sa_type=Line)
    digest: str = Field(sa_type=Line)
    counts: str = Field(sa_type=Text)
    scored_at: datetime = Field(sa_type=Instant)
