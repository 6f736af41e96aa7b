"""Opening rollouts and handing on a service's lease: one rollout at a time moves its traffic.

Locks are always taken in this order, so that no two writers wait for each other: opening (one at
a time), the service's lease, the rollout.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, text
from sqlmodel import Session, col, func, select

from headgate.adapters.store.engine import writing
from headgate.adapters.store.ledger import add_row
from headgate.adapters.store.plans import put_plan
from headgate.adapters.store.rollout_rows import Rollout, value_of
from headgate.adapters.store.tables import LeaseRow, RolloutRow, SliceRow
from headgate.errors import InputError
from headgate.plan.model import Plan
from headgate.rollout.state import Decision, Move, Phase, State, Tick

# Any number of our own, as long as every Headgate takes the same one ("opening" in ASCII).
_OPENING = 0x6F70656E696E67


def open_rollout(engine: Engine, plan: Plan, now: datetime, opened_by: str) -> Rollout:
    """Open a rollout with the first ledger row of every slice (tick 0).

    It takes the service's lease if that is free, with a fencing token higher than any before, and
    starts in preflight; else it is queued.

    Raises
    ------
    InputError
        If the same plan's last rollout is not done yet, or nobody is named as opening it.
    """
    if not opened_by.strip():
        raise InputError("asked who opens the rollout; found nobody; name a person or a flow run")
    with writing(engine) as session:
        if session.get_bind().dialect.name == "postgresql":
            # Ids and attempts are counted: two openings at once would count the same.
            session.connection().execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OPENING})
        plan_hash = put_plan(session, plan, now)
        _refuse_twice(session, plan, plan_hash)
        lease = lease_of(session, plan.service)
        row = _numbered(session, plan, plan_hash, now, opened_by)
        ahead = lease.holder
        if ahead is None:
            _take(lease, row)
        session.flush()
        session.add_all(SliceRow(rollout_id=row.id, name=name) for name in plan.slice_names)
        session.flush()
        for name in plan.slice_names:
            add_row(session, row.id, _first_tick(row, name, ahead, now))
        return value_of(row)


def promote_queue(engine: Engine, service: str, now: datetime) -> Rollout | None:
    """Give a free lease to the oldest queued rollout and return it.

    None if the lease is held or nobody waits. Its phase changes where every phase does: by its
    next tick. ``now`` keeps a rollout from being promoted before it was opened.
    """
    waiting = (
        select(RolloutRow)
        .where(
            RolloutRow.service == service, col(RolloutRow.done).is_(False), col(RolloutRow.opened_at) <= now
        )
        .order_by(col(RolloutRow.seq))
        .limit(1)
    )
    with writing(engine) as session:
        lease = session.exec(
            select(LeaseRow).where(LeaseRow.service == service).with_for_update()
        ).one_or_none()
        if lease is None or lease.holder is not None:
            return None
        row = session.exec(waiting.with_for_update()).one_or_none()
        if row is None:
            return None
        _take(lease, row)
        row.version += 1
        session.add(row)
        session.flush()
        return value_of(row)


def lease_of(session: Session, service: str) -> LeaseRow:
    """Return the service's lease, locked until the caller commits; the first asker makes it."""
    query = select(LeaseRow).where(LeaseRow.service == service).with_for_update()
    lease = session.exec(query).one_or_none()
    if lease is None:
        lease = LeaseRow(service=service)
        session.add(lease)
        session.flush()
    return lease


def _refuse_twice(session: Session, plan: Plan, plan_hash: str) -> None:
    query = select(RolloutRow.id).where(RolloutRow.plan_hash == plan_hash, col(RolloutRow.done).is_(False))
    if (running := session.exec(query).first()) is not None:
        raise InputError(
            f"asked to open the plan {plan.name!r} ({plan_hash[:12]}); its rollout {running} is not done; "
            "wait for it, abort it, or change the plan"
        )


def _numbered(session: Session, plan: Plan, plan_hash: str, now: datetime, opened_by: str) -> RolloutRow:
    def count(*where: bool) -> int:
        return session.exec(select(func.count()).select_from(RolloutRow).where(*where)).one()

    version = plan.candidate.version
    name = f"{plan.name}-{count(RolloutRow.name == plan.name) + 1}"
    row = RolloutRow(
        id=name,
        service=plan.service,
        name=plan.name,
        plan_hash=plan_hash,
        candidate_version=version,
        attempt=count(RolloutRow.service == plan.service, RolloutRow.candidate_version == version) + 1,
        salt=name,
        opened_at=now,
        opened_by=opened_by,
    )
    session.add(row)
    session.flush()
    return row


def _take(lease: LeaseRow, row: RolloutRow) -> None:
    lease.token += 1
    lease.holder = row.id
    row.token = lease.token


def _first_tick(row: RolloutRow, slice_: str, ahead: str | None, now: datetime) -> Tick:
    phase = Phase.PREFLIGHT if ahead is None else Phase.QUEUED
    reason = (
        f"opened by {row.opened_by}; holds the lease of {row.service}"
        if ahead is None
        else f"opened by {row.opened_by}; queued: {ahead} holds the lease of {row.service}"
    )
    return Tick(
        tick=0,
        at=now,
        flow_run_id=row.opened_by,
        decision=Decision(Move.HOLD, (reason,)),
        state=State(rollout=row.id, phase=phase, opened_at=now, entered_at=now, slice=slice_),
    )
