"""Cases that people look at."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from headgate.adapters.store.columns import Instant, Line
from headgate.adapters.store.tables.base import Row


class ReviewCaseRow(Row, table=True):
    """A request to be looked at, once; ``rollout_id`` and ``slice`` are empty where there is none."""

    __tablename__: ClassVar[Any] = "review_case"
    __table_args__ = (
        UniqueConstraint("service", "request_id"),
        Index(None, "service", "put_at"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, primary_key=True)
    service: str = Field(sa_type=Line)
    request_id: str = Field(sa_type=Line)
    entity: str = Field(sa_type=Line)
    at: datetime = Field(sa_type=Instant)
    reason: str = Field(sa_type=Line)
    rollout_id: str = Field(sa_type=Line)
    slice: str = Field(sa_type=Line)
    stratum: str = Field(sa_type=Line)
    body: str = Field(sa_type=Text)
    put_at: datetime = Field(sa_type=Instant)


class ReviewDecisionRow(Row, table=True):
    """What somebody said of a case; the newest revision counts. ``answer`` is empty where none was given."""

    __tablename__: ClassVar[Any] = "review_decision"
    case_id: int = Field(
        primary_key=True, foreign_key="review_case.id", sa_column_kwargs={"autoincrement": False}
    )
    revision: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    rollout_id: str = Field(sa_type=Line)
    ruling: str = Field(sa_type=Line)
    answer: str = Field(sa_type=Line)
    reviewer: str = Field(sa_type=Line)
    comment: str = Field(sa_type=Line)
    at: datetime = Field(sa_type=Instant)


class ReviewWindowRow(Row, table=True):
    """A window that cases were drawn from, and what it says about the load to come."""

    __tablename__: ClassVar[Any] = "review_window"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    start: datetime = Field(primary_key=True, sa_type=Instant)
    until: datetime = Field(sa_type=Instant)
    body: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)


class ReviewDeskRow(Row, table=True):
    """Whether a case waits, and who looks at it now until when: the one thing about it that changes."""

    __tablename__: ClassVar[Any] = "review_desk"
    __table_args__ = (Index(None, "service", "open"),)
    case_id: int = Field(
        primary_key=True, foreign_key="review_case.id", sa_column_kwargs={"autoincrement": False}
    )
    service: str = Field(sa_type=Line)
    open: bool
    reviewer: str = Field(sa_type=Line)
    until: datetime = Field(sa_type=Instant)
