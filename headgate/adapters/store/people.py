"""What people say and press: answers to the open question, and buttons."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from headgate.adapters.codec import stamp
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.ledger import newest
from headgate.adapters.store.plans import plan_of
from headgate.adapters.store.rollout_rows import get, row_of
from headgate.adapters.store.tables import ActedRow, ApprovalRow, ButtonRow
from headgate.errors import IllegalTransition, InputError
from headgate.plan.model import ALL
from headgate.rollout.state import Answer, Approval, Asked, Order, Verb


def answer(engine: Engine, rollout_id: str, approval: Approval, slice_: str = ALL) -> Approval:
    """Record one person's answer to the open question of a slice, and return it as recorded.

    The same answer by the same person again changes nothing. Whether the answers are enough is
    decided by the tick, never here.

    Raises
    ------
    InputError
        If the rollout is unknown, the person is its author or nobody, the question is not the open
        one, it has expired, or the person answered it otherwise before.
    """
    plan_hash = get(engine, rollout_id).plan_hash
    author = plan_of(engine, plan_hash).author
    person = _person(approval.approver)
    if not person:
        raise InputError("asked who answers; found nobody; name the approver")
    if person == _person(author):
        raise InputError(
            f"{approval.approver} wrote the plan of {rollout_id} and may not approve it; ask somebody else"
        )
    with writing(engine) as session:
        done = row_of(session, rollout_id, lock=True).done
        known = _answered(session, rollout_id, slice_, approval, person)
        if known is not None:
            return known
        asked = None if done else _asked(session, rollout_id, slice_)
        _refuse_other_question(rollout_id, asked, approval, plan_hash)
        session.add(
            ApprovalRow(
                rollout_id=rollout_id,
                slice=slice_,
                step=approval.step,
                attempt=approval.attempt,
                person=person,
                approver=approval.approver.strip(),
                answer=approval.answer.value,
                digest=approval.digest,
                plan_hash=approval.plan_hash,
                comment=approval.comment,
                at=approval.at,
            )
        )
        session.flush()
    return approval


def approvals(engine: Engine, rollout_id: str, slice_: str = ALL) -> list[Approval]:
    """Return all answers to questions of a slice in the order they were given."""
    query = (
        select(ApprovalRow)
        .where(ApprovalRow.rollout_id == rollout_id, ApprovalRow.slice == slice_)
        .order_by(col(ApprovalRow.id))
    )
    with reading(engine) as session:
        return [_approval(row) for row in session.exec(query)]


def press(
    engine: Engine, rollout_id: str, verb: Verb, by: str, reason: str, at: datetime, slice_: str = ALL
) -> Order:
    """Record a button pressed, for one slice or for ``all``; the next tick acts on it.

    Raises
    ------
    InputError
        If the rollout is unknown, or nobody or no reason is given.
    IllegalTransition
        If the rollout is done.
    """
    for what, given in (("who presses it", by), ("a reason", reason)):
        if not given.strip():
            raise InputError(f"asked {what} for {verb.value} of {rollout_id}; found nothing; give one")
    with writing(engine) as session:
        if row_of(session, rollout_id, lock=True).done:
            raise IllegalTransition(
                f"asked to {verb.value} {rollout_id}; it is done: nothing is left to stop"
            )
        row = ButtonRow(
            rollout_id=rollout_id,
            slice=slice_,
            verb=verb.value,
            pressed_by=by.strip(),
            reason=reason.strip(),
            at=at,
        )
        session.add(row)
        session.flush()
        return _order(row)


def orders(engine: Engine, rollout_id: str) -> tuple[Order, ...]:
    """Return every order of a rollout, oldest first."""
    query = select(ButtonRow).where(ButtonRow.rollout_id == rollout_id).order_by(col(ButtonRow.id))
    with reading(engine) as session:
        return tuple(_order(row) for row in session.exec(query))


def open_orders(engine: Engine, rollout_id: str) -> tuple[Order, ...]:
    """Return the orders that no tick has acted on yet, oldest first."""
    query = (
        select(ButtonRow)
        .outerjoin(ActedRow, col(ActedRow.button_id) == col(ButtonRow.id))
        .where(ButtonRow.rollout_id == rollout_id, col(ActedRow.button_id).is_(None))
        .order_by(col(ButtonRow.id))
    )
    with reading(engine) as session:
        return tuple(_order(row) for row in session.exec(query))


def _person(name: str) -> str:
    """Return a name as it is compared: addresses differ in case and stay the same person."""
    return name.strip().casefold()


def _answered(
    session: Session, rollout_id: str, slice_: str, approval: Approval, person: str
) -> Approval | None:
    row = session.exec(
        select(ApprovalRow).where(
            ApprovalRow.rollout_id == rollout_id,
            ApprovalRow.slice == slice_,
            ApprovalRow.step == approval.step,
            ApprovalRow.attempt == approval.attempt,
            ApprovalRow.person == person,
        )
    ).one_or_none()
    if row is None:
        return None
    known = _approval(row)
    if (known.answer, known.digest) != (approval.answer, approval.digest):
        raise InputError(
            f"{known.approver} answered {known.answer.value} to step {known.step} of {rollout_id}, attempt "
            f"{known.attempt}, at {stamp(known.at)}; an answer stands; to stop the rollout press abort"
        )
    return known


def _asked(session: Session, rollout_id: str, slice_: str) -> Asked | None:
    tick = newest(session, rollout_id, slice_)
    return None if tick is None else tick.state.asked


def _refuse_other_question(rollout_id: str, asked: Asked | None, approval: Approval, plan_hash: str) -> None:
    if asked is None:
        raise InputError(f"asked to answer for {rollout_id}; no question is open")
    question = (asked.step, asked.attempt, asked.digest, plan_hash)
    if (approval.step, approval.attempt, approval.digest, approval.plan_hash) != question:
        raise InputError(
            f"asked to answer step {approval.step}, attempt {approval.attempt}, digest {approval.digest}, "
            f"plan {approval.plan_hash} of {rollout_id}; open is step {asked.step}, attempt {asked.attempt}, "
            f"digest {asked.digest}, plan {plan_hash}; look at the evidence again and answer that"
        )
    if stamp(approval.at) >= stamp(asked.expires_at):
        raise InputError(
            f"the question about step {asked.step} of {rollout_id} expired at {stamp(asked.expires_at)}; "
            f"found an answer at {stamp(approval.at)}; wait for the next question"
        )


def _approval(row: ApprovalRow) -> Approval:
    return Approval(
        step=row.step,
        attempt=row.attempt,
        digest=row.digest,
        plan_hash=row.plan_hash,
        approver=row.approver,
        answer=Answer(row.answer),
        comment=row.comment,
        at=row.at,
    )


def _order(row: ButtonRow) -> Order:
    assert row.id is not None  # noqa: S101 - it was flushed or read
    return Order(
        id=row.id, verb=Verb(row.verb), by=row.pressed_by, reason=row.reason, at=row.at, slice=row.slice
    )
