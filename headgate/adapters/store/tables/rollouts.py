"""Plans, rollouts, their slices, every tick, and who holds what."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlmodel import Field

from headgate.adapters.store.columns import Instant, Line
from headgate.adapters.store.tables.base import Row


class PlanRow(Row, table=True):
    """A plan by its hash."""

    __tablename__: ClassVar[Any] = "plan"
    hash: str = Field(primary_key=True, sa_type=Line)
    name: str = Field(sa_type=Line)
    body: str = Field(sa_type=Text)
    saved_at: datetime = Field(sa_type=Instant)


class RolloutRow(Row, table=True):
    """A rollout; ``version`` is its compare-and-set, ``token`` its fencing token."""

    __tablename__: ClassVar[Any] = "rollout"
    __table_args__ = (
        UniqueConstraint("service", "candidate_version", "attempt"),
        Index(
            "one_open_rollout_per_plan",
            "plan_hash",
            unique=True,
            sqlite_where=text("NOT done"),
            postgresql_where=text("NOT done"),
        ),
        Index(None, "service", "seq"),
        {"sqlite_autoincrement": True},
    )
    seq: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True, sa_type=Line)
    service: str = Field(sa_type=Line)
    name: str = Field(sa_type=Line)
    plan_hash: str = Field(foreign_key="plan.hash", sa_type=Line)
    candidate_version: str = Field(sa_type=Line)
    attempt: int
    salt: str = Field(sa_type=Line)
    opened_at: datetime = Field(sa_type=Instant)
    opened_by: str = Field(sa_type=Line)
    token: int | None = None
    version: int = 0
    done: bool = False


class LeaseRow(Row, table=True):
    """Who may move a service's traffic; ``token`` rises with every holder, for ever."""

    __tablename__: ClassVar[Any] = "lease"
    service: str = Field(primary_key=True, sa_type=Line)
    holder: str | None = Field(default=None, foreign_key="rollout.id", sa_type=Line)
    token: int = 0


class SliceRow(Row, table=True):
    """A part of the requests with steps of its own; ``all`` where the plan names none."""

    __tablename__: ClassVar[Any] = "slice"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    name: str = Field(primary_key=True, sa_type=Line)


class LedgerRow(Row, table=True):
    """One tick. ``body`` is the record; the other columns are for people's queries."""

    __tablename__: ClassVar[Any] = "ledger"
    __table_args__ = (ForeignKeyConstraint(["rollout_id", "slice"], ["slice.rollout_id", "slice.name"]),)
    rollout_id: str = Field(primary_key=True, sa_type=Line)
    slice: str = Field(primary_key=True, sa_type=Line)
    tick: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
    flow_run_id: str = Field(sa_type=Line)
    phase: str = Field(sa_type=Line)
    share_bp: int
    move: str = Field(sa_type=Line)
    body: str = Field(sa_type=Text)


class ConfirmationRow(Row, table=True):
    """When the plane was first seen serving a generation of the route, and which stay a slice had then."""

    __tablename__: ClassVar[Any] = "confirmation"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    slice: str = Field(primary_key=True, sa_type=Line)
    generation: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
    share_bp: int
    entry: int
    step: int


class IncidentRow(Row, table=True):
    """Something an operator should know."""

    __tablename__: ClassVar[Any] = "incident"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    at: datetime = Field(primary_key=True, sa_type=Instant)
    kind: str = Field(primary_key=True, sa_type=Line)
    text: str = Field(sa_type=Line)


class FactRow(Row, table=True):
    """Something frozen when the rollout started."""

    __tablename__: ClassVar[Any] = "fact"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    name: str = Field(primary_key=True, sa_type=Line)
    value: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)
