"""What people said, pressed and signed, what they were told, and the chain over all of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlmodel import Field

from headgate.adapters.store.columns import Instant, Line
from headgate.adapters.store.tables.base import Row


class ApprovalRow(Row, table=True):
    """One person's answer; ``person`` is the approver as compared, ``approver`` as written."""

    __tablename__: ClassVar[Any] = "approval"
    __table_args__ = (
        UniqueConstraint("rollout_id", "slice", "step", "attempt", "person"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, primary_key=True)
    rollout_id: str = Field(foreign_key="rollout.id", sa_type=Line)
    slice: str = Field(sa_type=Line)
    step: int
    attempt: int
    person: str = Field(sa_type=Line)
    approver: str = Field(sa_type=Line)
    answer: str = Field(sa_type=Line)
    digest: str = Field(sa_type=Line)
    plan_hash: str = Field(sa_type=Line)
    comment: str = Field(sa_type=Line)
    at: datetime = Field(sa_type=Instant)


class ButtonRow(Row, table=True):
    """A button pressed, for one slice or for ``all`` of them."""

    __tablename__: ClassVar[Any] = "button"
    __table_args__ = (Index(None, "rollout_id", "id"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    rollout_id: str = Field(foreign_key="rollout.id", sa_type=Line)
    verb: str = Field(sa_type=Line)
    pressed_by: str = Field(sa_type=Line)
    reason: str = Field(sa_type=Line)
    at: datetime = Field(sa_type=Instant)
    slice: str = Field(sa_type=Line, sa_column_kwargs={"server_default": "all"})


class ActedRow(Row, table=True):
    """Which tick acted on a button; once and for all."""

    __tablename__: ClassVar[Any] = "acted"
    __table_args__ = (
        ForeignKeyConstraint(
            ["rollout_id", "slice", "tick"], ["ledger.rollout_id", "ledger.slice", "ledger.tick"]
        ),
    )
    button_id: int = Field(
        primary_key=True, foreign_key="button.id", sa_column_kwargs={"autoincrement": False}
    )
    rollout_id: str = Field(sa_type=Line)
    slice: str = Field(sa_type=Line)
    tick: int


class ApproverRow(Row, table=True):
    """Somebody enrolled, or taken off again; of one person the newest row counts. The secret is encrypted."""

    __tablename__: ClassVar[Any] = "approver"
    __table_args__: ClassVar[Any] = {"sqlite_autoincrement": True}
    id: int | None = Field(default=None, primary_key=True)
    person: str = Field(sa_type=Line)
    name: str = Field(sa_type=Line)
    verb: str = Field(sa_type=Line)
    secret: str = Field(sa_type=Text)
    by: str = Field(sa_type=Line)
    reason: str = Field(sa_type=Line)
    at: datetime = Field(sa_type=Instant)


class SaidRow(Row, table=True):
    """An answer somebody tried to give, taken or refused; ``origin`` names the form or the command line."""

    __tablename__: ClassVar[Any] = "said"
    __table_args__ = (Index(None, "request", "person"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    origin: str = Field(unique=True, sa_type=Line)
    rollout_id: str = Field(foreign_key="rollout.id", sa_type=Line)
    slice: str = Field(sa_type=Line)
    request: str = Field(sa_type=Line)
    person: str = Field(sa_type=Line)
    answer: str = Field(sa_type=Line)
    accepted: bool
    reason: str = Field(sa_type=Line)
    at: datetime = Field(sa_type=Instant)


class SignOffRow(Row, table=True):
    """Somebody signed a plan off in a role, or answered the readiness questionnaire."""

    __tablename__: ClassVar[Any] = "signoff"
    __table_args__ = (Index(None, "plan_hash", "role"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    rollout_id: str = Field(foreign_key="rollout.id", sa_type=Line)
    plan_hash: str = Field(sa_type=Line)
    role: str = Field(sa_type=Line)
    person: str = Field(sa_type=Line)
    name: str = Field(sa_type=Line)
    comment: str = Field(sa_type=Line)
    answers: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)


class AlertRow(Row, table=True):
    """Something people have to be told; written with what it tells of, so that it is told exactly once."""

    __tablename__: ClassVar[Any] = "alert"
    __table_args__ = (Index(None, "rollout_id", "id"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, sa_type=Line)
    rollout_id: str = Field(sa_type=Line)
    slice: str = Field(sa_type=Line)
    kind: str = Field(sa_type=Line)
    body: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)


class DeliveryRow(Row, table=True):
    """One attempt to tell it to one route, and how that went."""

    __tablename__: ClassVar[Any] = "delivery"
    __table_args__ = (Index(None, "alert_id", "route"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    alert_id: int = Field(foreign_key="alert.id")
    route: str = Field(sa_type=Line)
    ok: bool
    detail: str = Field(sa_type=Line)
    at: datetime = Field(sa_type=Instant)


class AuditRow(Row, table=True):
    """One line of the hash chain over everything in the other tables that is history."""

    __tablename__: ClassVar[Any] = "audit"
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=Instant)
    kind: str = Field(sa_type=Line)
    rollout_id: str = Field(sa_type=Line)
    row_key: str = Field(sa_type=Text)
    digest: str = Field(sa_type=Line)
    prev: str = Field(sa_type=Line)
    hash: str = Field(sa_type=Line)
