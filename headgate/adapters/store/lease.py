"""Opening rollouts, reopening a promoted one, and handing on a service's lease.

One rollout at a time moves a service's traffic.

Locks are always taken in this order, so that no two writers wait for each other: opening (one at
a time), the service's lease, the rollout.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, text
from sqlmodel import Session, col, func, select

from headgate.adapters.store.engine import writing
from headgate.adapters.store.ledger import add_row, newest
from headgate.adapters.store.people import put_order
from headgate.adapters.store.plans import put_plan
from headgate.adapters.store.rollout_rows import Rollout, get, row_of, value_of
from headgate.adapters.store.tables import LeaseRow, RolloutRow, SliceRow
from headgate.errors import IllegalTransition, InputError
from headgate.plan.model import ALL, Plan
from headgate.rollout.state import Decision, Move, Phase, State, Tick, Verb

# Any number of our own, as long as every Headgate takes the same one ("opening" in ASCII).
_OPENING = 0x6F70656E696E67


def open_rollout(engine: Engine, plan: Plan, now: datetime, opened_by: str, because: str = "") -> Rollout:
    """Open a rollout with the first ledger row of every slice (tick 0).

    It takes the service's lease if that is free, with a fencing token higher than any before, and
    starts in preflight; else it is queued.

    Parameters
    ----------
    because
        Why it is opened, for the first row; empty: no more is to be said.

    Raises
    ------
    InputError
        If a rollout of this plan, or of an earlier text of it, is not done yet, or nobody is named as
        opening it.
    """
    if not opened_by.strip():
        raise InputError("asked who opens the rollout; found nobody; name a person or a flow run")
    with writing(engine) as session:
        if session.get_bind().dialect.name == "postgresql":
            # Ids and attempts are counted: two openings at once would count the same.
            session.connection().execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OPENING})
        plan_hash = put_plan(session, plan, now)
        _refuse_twice(session, plan, plan_hash)
        _refuse_edited(session, plan, plan_hash)
        lease = lease_of(session, plan.service)
        row = _numbered(session, plan, plan_hash, now, opened_by)
        ahead = lease.holder
        if ahead is None:
            _take(lease, row)
        session.flush()
        session.add_all(SliceRow(rollout_id=row.id, name=name) for name in plan.slice_names)
        session.flush()
        for name in plan.slice_names:
            add_row(session, row.id, _first_tick(row, name, ahead, now, because))
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


def reopen(engine: Engine, rollout_id: str, by: str, reason: str, at: datetime, slice_: str = ALL) -> Rollout:
    """Take the lease again for a promoted rollout, with the order to undo it: all of it or nothing.

    Whether there is a promotion to take back is for the caller to see; nothing can change that while the
    rollout is done. What its slices' rows say next is decided by the next tick, as ever.

    Raises
    ------
    IllegalTransition
        If it is not done, a later rollout of the service wrote to the plane, or another holds the lease.
    InputError
        If the rollout is unknown, or nobody or no reason is given.
    """
    service = get(engine, rollout_id).service
    with writing(engine) as session:
        lease = lease_of(session, service)
        row = row_of(session, rollout_id, lock=True)
        _refuse_reopening(session, row, lease)
        row.done = False
        _take(lease, row)
        row.version += 1
        session.add(row)
        session.flush()
        put_order(session, rollout_id, Verb.UNDO, by, reason, at, slice_)
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


def _refuse_edited(session: Session, plan: Plan, plan_hash: str) -> None:
    """Refuse another text of a plan whose rollout is not done: a running plan never changes (law 10)."""
    query = select(RolloutRow).where(
        RolloutRow.name == plan.name,
        RolloutRow.service == plan.service,
        RolloutRow.candidate_version == plan.candidate.version,
        RolloutRow.plan_hash != plan_hash,
        col(RolloutRow.done).is_(False),
    )
    if (running := session.exec(query).first()) is not None:
        raise InputError(
            f"asked to open the plan {plan.name!r} ({plan_hash[:12]}); its rollout {running.id} is not done "
            f"and keeps the plan as it was frozen ({running.plan_hash[:12]}); let it end or abort it and "
            "open the changed plan then, or put the plan back as it was"
        )


def _refuse_reopening(session: Session, row: RolloutRow, lease: LeaseRow) -> None:
    asked = f"asked to undo the promotion of {row.id}"
    if lease.holder is not None and lease.holder != row.id:
        raise IllegalTransition(
            f"{asked}; {lease.holder} holds {row.service} now; roll that one back (`headgate rollback "
            f"{row.service}`); a promotion is taken back only while nothing came after it"
        )
    if not row.done:
        raise IllegalTransition(f"{asked}; it is not done; allowed now: rollback, abort")
    later = select(RolloutRow).where(
        RolloutRow.service == row.service, col(RolloutRow.token) > (row.token or 0)
    )
    for other in session.exec(later):
        if _wrote_to_the_plane(session, other.id):
            raise IllegalTransition(
                f"{asked}; {other.id} moved the traffic of {row.service} since; only the last one can be "
                "undone"
            )


def _wrote_to_the_plane(session: Session, rollout_id: str) -> bool:
    names = session.exec(select(SliceRow.name).where(SliceRow.rollout_id == rollout_id)).all()
    last = (newest(session, rollout_id, name) for name in names)
    return any(tick is not None and tick.state.generation > 0 for tick in last)


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


def _first_tick(row: RolloutRow, slice_: str, ahead: str | None, now: datetime, because: str) -> Tick:
    phase = Phase.PREFLIGHT if ahead is None else Phase.QUEUED
    reason = (
        f"opened by {row.opened_by}; holds the lease of {row.service}"
        if ahead is None
        else f"opened by {row.opened_by}; queued: {ahead} holds the lease of {row.service}"
    )
    reasons = (because, reason) if because else (reason,)
    return Tick(
        tick=0,
        at=now,
        flow_run_id=row.opened_by,
        decision=Decision(Move.HOLD, reasons),
        state=State(rollout=row.id, phase=phase, opened_at=now, entered_at=now, slice=slice_),
    )
