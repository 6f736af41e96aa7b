"""Answers to the open question: bound to it, one per person, kept in order."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from headgate.adapters.codec import stamp
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.ledger import newest
from headgate.adapters.store.plans import plan_of
from headgate.adapters.store.rollout_rows import get, row_of
from headgate.adapters.store.said import Said, hear
from headgate.adapters.store.tables import ApprovalRow
from headgate.errors import InputError
from headgate.plan.model import ALL
from headgate.rollout.questions import person
from headgate.rollout.state import Answer, Approval, Asked


def answer(engine: Engine, rollout_id: str, approval: Approval, slice_: str = ALL) -> Approval:
    """Record one person's answer to the open question of a slice, and return it as recorded.

    The same answer by the same person again changes nothing. Whether the answers are enough is
    decided by the tick, never here; nor is it asked here whether they are who they say (see `take`).

    Raises
    ------
    InputError
        If the rollout is unknown, the person is its author or nobody, the question is not the open
        one, it has expired, or the person answered it otherwise before.
    """
    author = author_of(engine, rollout_id)
    with writing(engine) as session:
        return _keep(session, rollout_id, approval, slice_, author)


def take(engine: Engine, said: Said, refusal: str | None, approval: Approval) -> Said:
    """Hear an attempt to answer; unless it is refused, the answer is recorded in the same write."""
    author = author_of(engine, said.rollout)
    which = f"step {approval.step} of {said.rollout} (question {approval.attempt})"
    what = f"{said.person} {said.answer}s {which}"

    def effect(session: Session) -> str:
        kept = _keep(session, said.rollout, approval, said.slice, author)
        return what if kept is approval else f"recorded before, at {stamp(kept.at)}: {what}"

    return hear(engine, said, refusal, effect)


def lose(engine: Engine, rollout_id: str, approval: Approval, slice_: str = ALL) -> bool:
    """Record that a question's form ended unanswered; return False where it is not the open one any more."""
    with writing(engine) as session:
        row_of(session, rollout_id, lock=True)
        asked = _asked(session, rollout_id, slice_)
        if asked is None or (asked.step, asked.attempt) != (approval.step, approval.attempt):
            return False
        if _answered(session, rollout_id, slice_, approval) is None:
            session.add(row_of_approval(rollout_id, slice_, approval))
        return True


def approvals(engine: Engine, rollout_id: str, slice_: str = ALL) -> list[Approval]:
    """Return all answers to questions of a slice in the order they were given."""
    with reading(engine) as session:
        return approvals_in(session, rollout_id, slice_)


def approvals_in(session: Session, rollout_id: str, slice_: str) -> list[Approval]:
    """Return the same within the caller's transaction."""
    query = (
        select(ApprovalRow)
        .where(ApprovalRow.rollout_id == rollout_id, ApprovalRow.slice == slice_)
        .order_by(col(ApprovalRow.id))
    )
    return [_approval(row) for row in session.exec(query)]


def author_of(engine: Engine, rollout_id: str) -> str:
    """Return who wrote the plan of a rollout, and answers none of its questions."""
    return plan_of(engine, get(engine, rollout_id).plan_hash).author


def refuse_author(rollout_id: str, name: str, author: str) -> None:
    """Raise `InputError` where somebody would approve their own plan, or nobody is named."""
    if not name.strip():
        raise InputError("asked who answers; found nobody; name the approver")
    if person(name) == person(author):
        raise InputError(f"{name} wrote the plan of {rollout_id} and may not approve it; ask somebody else")


def row_of_approval(rollout_id: str, slice_: str, approval: Approval, again: int = 0) -> ApprovalRow:
    """Return an answer as a row; ``again`` counts earlier ones to the same question that ran out."""
    key = person(approval.approver)
    return ApprovalRow(
        rollout_id=rollout_id,
        slice=slice_,
        step=approval.step,
        attempt=approval.attempt,
        person=f"{key} ({again + 1})" if again else key,
        approver=approval.approver.strip(),
        answer=approval.answer.value,
        digest=approval.digest,
        plan_hash=approval.plan_hash,
        comment=approval.comment,
        at=approval.at,
    )


def _keep(session: Session, rollout_id: str, approval: Approval, slice_: str, author: str) -> Approval:
    refuse_author(rollout_id, approval.approver, author)
    rollout = row_of(session, rollout_id, lock=True)
    known = _answered(session, rollout_id, slice_, approval)
    if known is not None:
        return _same(rollout_id, known, approval)
    asked = None if rollout.done else _asked(session, rollout_id, slice_)
    _refuse_other_question(rollout_id, asked, approval, rollout.plan_hash)
    session.add(row_of_approval(rollout_id, slice_, approval))
    session.flush()
    return approval


def _answered(session: Session, rollout_id: str, slice_: str, approval: Approval) -> Approval | None:
    row = session.exec(
        select(ApprovalRow).where(
            ApprovalRow.rollout_id == rollout_id,
            ApprovalRow.slice == slice_,
            ApprovalRow.step == approval.step,
            ApprovalRow.attempt == approval.attempt,
            ApprovalRow.person == person(approval.approver),
        )
    ).one_or_none()
    return None if row is None else _approval(row)


def _same(rollout_id: str, known: Approval, approval: Approval) -> Approval:
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
