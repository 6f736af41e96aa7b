"""Breaking the glass: two people ask for one step up without proof, one soon after the other."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlmodel import Session

from headgate.adapters.codec import stamp
from headgate.adapters.store.answers import approvals_in, author_of, refuse_author, row_of_approval
from headgate.adapters.store.ledger import newest
from headgate.adapters.store.rollout_rows import row_of
from headgate.adapters.store.said import Said, hear
from headgate.adapters.store.tables import IncidentRow
from headgate.errors import InputError
from headgate.rollout.glass import HOLDS_FOR
from headgate.rollout.questions import person
from headgate.rollout.state import Answer, Approval

INCIDENT = "break glass"


def break_glass(engine: Engine, said: Said, refusal: str | None, approval: Approval) -> Said:
    """Hear an attempt to break the glass; unless it is refused, the request is recorded in the same write.

    The second person's word completes it and is noted as an incident; the next tick acts on it. A word
    that nobody seconded in time may be given again.
    """
    author = author_of(engine, said.rollout)

    def effect(session: Session) -> str:
        refuse_author(said.rollout, approval.approver, author)
        row = row_of(session, said.rollout, lock=True)
        _refuse_another_stay(session, said, approval)
        words = _words(session, said, approval)
        recent = [one for one in words if approval.at - HOLDS_FOR < one.at <= approval.at]
        _refuse_the_same_person(said, approval, recent)
        again = sum(person(one.approver) == person(approval.approver) for one in words)
        session.add(row_of_approval(row.id, said.slice, approval, again))
        if not recent:
            until = stamp(approval.at + HOLDS_FOR)
            return (
                f"{approval.approver} asks to break the glass of {row.id}; a second person is "
                f"needed until {until}: `headgate promote {row.id} --as THEM --reason WHY`"
            )
        first = recent[0]
        text = (
            f"{first.approver} ({first.comment}) and {approval.approver} ({approval.comment}) send {row.id}"
            f"{_slice(said)} to step {approval.step} without proof"
        )
        if session.get(IncidentRow, (row.id, approval.at, INCIDENT)) is None:
            session.add(IncidentRow(rollout_id=row.id, at=approval.at, kind=INCIDENT, text=text))
        return f"{text}; the next tick goes up one step, if nothing forbids it by then"

    return hear(engine, said, refusal, effect)


def _words(session: Session, said: Said, approval: Approval) -> list[Approval]:
    """Return what was said in this stay about going up without proof."""
    return [
        one
        for one in approvals_in(session, said.rollout, said.slice)
        if one.answer is Answer.BREAK_GLASS and (one.step, one.attempt) == (approval.step, approval.attempt)
    ]


def _refuse_another_stay(session: Session, said: Said, approval: Approval) -> None:
    tick = newest(session, said.rollout, said.slice)
    stay = None if tick is None else (tick.state.step + 1, -tick.state.entry)
    if stay != (approval.step, approval.attempt):
        raise InputError(
            f"asked to break the glass of {said.rollout} to step {approval.step}; it has moved on; look "
            "at `headgate status` and ask again"
        )


def _refuse_the_same_person(said: Said, approval: Approval, recent: list[Approval]) -> None:
    people = {person(one.approver): one for one in recent}
    if len(people) > 1:
        names = " and ".join(one.approver for one in people.values())
        raise InputError(f"{names} broke the glass of {said.rollout} already; the next tick acts on it")
    same = people.get(person(approval.approver))
    if same is not None:
        raise InputError(
            f"{same.approver} asked to break the glass of {said.rollout} at {stamp(same.at)}; it takes a "
            f"second person, until {stamp(same.at + HOLDS_FOR)}"
        )


def _slice(said: Said) -> str:
    return "" if said.slice == "all" else f" slice {said.slice}"
