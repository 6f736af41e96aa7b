"""The tables. They never leave this package: frozen dataclasses do.

Only ``rollout``, ``lease``, ``log_cursor`` and ``review_desk`` ever change; every other table is history,
which the database itself refuses to rewrite (see the triggers in the migrations).

Structured values are JSON in TEXT columns, not in the database's JSON type: PostgreSQL's would turn
-0.0 into 0 and reorder keys, and a replay has to read the very same bits.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, Index, MetaData, Text, UniqueConstraint, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from headgate.adapters.store.columns import Instant, Line

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class _Row(SQLModel, registry=registry(metadata=MetaData(naming_convention=_NAMES))):
    """Our own metadata: nothing of another library's tables is migrated or compared."""


METADATA: MetaData = _Row.metadata


class PlanRow(_Row, table=True):
    """A plan by its hash."""

    __tablename__: ClassVar[Any] = "plan"
    hash: str = Field(primary_key=True, sa_type=Line)
    name: str = Field(sa_type=Line)
    body: str = Field(sa_type=Text)
    saved_at: datetime = Field(sa_type=Instant)


class RolloutRow(_Row, table=True):
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


class LeaseRow(_Row, table=True):
    """Who may move a service's traffic; ``token`` rises with every holder, for ever."""

    __tablename__: ClassVar[Any] = "lease"
    service: str = Field(primary_key=True, sa_type=Line)
    holder: str | None = Field(default=None, foreign_key="rollout.id", sa_type=Line)
    token: int = 0


class SliceRow(_Row, table=True):
    """A part of the requests with steps of its own; ``all`` where the plan names none."""

    __tablename__: ClassVar[Any] = "slice"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    name: str = Field(primary_key=True, sa_type=Line)


class LedgerRow(_Row, table=True):
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


class ConfirmationRow(_Row, table=True):
    """When the plane was first seen serving a generation of the route, and which stay a slice had then."""

    __tablename__: ClassVar[Any] = "confirmation"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    slice: str = Field(primary_key=True, sa_type=Line)
    generation: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
    share_bp: int
    entry: int
    step: int


class BatchRow(_Row, table=True):
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


class CursorRow(_Row, table=True):
    """How far a service's traffic log was read; ``version`` is its compare-and-set."""

    __tablename__: ClassVar[Any] = "log_cursor"
    service: str = Field(primary_key=True, sa_type=Line)
    version: int
    body: str = Field(sa_type=Text)


class SeenRow(_Row, table=True):
    """An entity counted on an entry of a slice."""

    __tablename__: ClassVar[Any] = "seen"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    slice: str = Field(primary_key=True, sa_type=Line)
    entry: int = Field(primary_key=True)
    entity: str = Field(primary_key=True, sa_type=Line)


class WindowRow(_Row, table=True):
    """A window of requests scored in shadow; its exchanges are in the lake."""

    __tablename__: ClassVar[Any] = "scored_window"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    start: datetime = Field(primary_key=True, sa_type=Instant)
    until: datetime = Field(sa_type=Instant)
    path: str = Field(sa_type=Line)
    digest: str = Field(sa_type=Line)
    counts: str = Field(sa_type=Text)
    scored_at: datetime = Field(sa_type=Instant)


class ApprovalRow(_Row, table=True):
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


class ButtonRow(_Row, table=True):
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


class ActedRow(_Row, table=True):
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


class IncidentRow(_Row, table=True):
    """Something an operator should know."""

    __tablename__: ClassVar[Any] = "incident"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    at: datetime = Field(primary_key=True, sa_type=Instant)
    kind: str = Field(primary_key=True, sa_type=Line)
    text: str = Field(sa_type=Line)


class AuditRow(_Row, table=True):
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


class ApproverRow(_Row, table=True):
    """Somebody enrolled, or taken off again; of one person the newest row counts. The secret is encrypted."""

    __tablename__: ClassVar[Any] = "approver"
    __table_args__ = {"sqlite_autoincrement": True}
    id: int | None = Field(default=None, primary_key=True)
    person: str = Field(sa_type=Line)
    name: str = Field(sa_type=Line)
    verb: str = Field(sa_type=Line)
    secret: str = Field(sa_type=Text)
    by: str = Field(sa_type=Line)
    reason: str = Field(sa_type=Line)
    at: datetime = Field(sa_type=Instant)


class SaidRow(_Row, table=True):
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


class SignOffRow(_Row, table=True):
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


class AlertRow(_Row, table=True):
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


class DeliveryRow(_Row, table=True):
    """One attempt to tell it to one route, and how that went."""

    __tablename__: ClassVar[Any] = "delivery"
    __table_args__ = (Index(None, "alert_id", "route"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    alert_id: int = Field(foreign_key="alert.id")
    route: str = Field(sa_type=Line)
    ok: bool
    detail: str = Field(sa_type=Line)
    at: datetime = Field(sa_type=Instant)


class FactRow(_Row, table=True):
    """Something frozen when the rollout started."""

    __tablename__: ClassVar[Any] = "fact"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    name: str = Field(primary_key=True, sa_type=Line)
    value: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)


class MonitoredRow(_Row, table=True):
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


class RetrainingRow(_Row, table=True):
    """A retraining begun; of one origin (an event, a day of the schedule, a button) there is one."""

    __tablename__: ClassVar[Any] = "retraining"
    __table_args__ = (UniqueConstraint("service", "origin"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    service: str = Field(sa_type=Line)
    trigger: str = Field(sa_type=Line)
    origin: str = Field(sa_type=Line)
    owner: str = Field(sa_type=Line)
    at: datetime = Field(sa_type=Instant)


class RetrainedRow(_Row, table=True):
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


class ReviewCaseRow(_Row, table=True):
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


class ReviewDecisionRow(_Row, table=True):
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


class ReviewWindowRow(_Row, table=True):
    """A window that cases were drawn from, and what it says about the load to come."""

    __tablename__: ClassVar[Any] = "review_window"
    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", sa_type=Line)
    start: datetime = Field(primary_key=True, sa_type=Instant)
    until: datetime = Field(sa_type=Instant)
    body: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)


class ReviewDeskRow(_Row, table=True):
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
