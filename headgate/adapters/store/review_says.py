"""What people say of cases: who looks at which one, confirms, overrides, and takes it back."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import col, select

from headgate.adapters.codec import compact, stamp
from headgate.adapters.store.engine import writing
from headgate.adapters.store.review_looks import get
from headgate.adapters.store.review_rows import case_row, desk_row, last_said, queued, said_in
from headgate.adapters.store.tables import ReviewCaseRow, ReviewDecisionRow, ReviewDeskRow
from headgate.errors import IllegalTransition, InputError
from headgate.ports import ReviewReason
from headgate.review.case import Decided, Queued, Ruling

#: How long a case is kept for whoever was shown it.
HELD_FOR = timedelta(minutes=10)
#: Before the name of somebody who put a case aside: it is for anybody else meanwhile.
_NOT = "not "


def next(engine: Engine, service: str, reviewer: str, now: datetime) -> Queued | None:  # noqa: A001 - read as reviews.next
    """Return the case that this reviewer should look at, and keep it for them for `HELD_FOR`.

    First those that a caller waits for, then the one that waits longest; none that somebody else is
    looking at. None: nothing waits.
    """
    who = _named(reviewer)
    open_ = (
        select(ReviewCaseRow, ReviewDeskRow)
        .join(ReviewDeskRow, col(ReviewDeskRow.case_id) == col(ReviewCaseRow.id))
        .where(ReviewDeskRow.service == service, col(ReviewDeskRow.open).is_(True))
        .where(
            (col(ReviewDeskRow.until) <= now)
            | (col(ReviewDeskRow.reviewer) == who)
            | (col(ReviewDeskRow.reviewer).startswith(_NOT) & (col(ReviewDeskRow.reviewer) != _NOT + who))
        )
    )
    first = (
        (col(ReviewCaseRow.reason) != ReviewReason.FALLBACK.value).asc(),
        col(ReviewCaseRow.put_at),
        col(ReviewCaseRow.id),
    )
    with writing(engine) as session:
        found = session.exec(open_.order_by(*first).limit(1).with_for_update(skip_locked=True)).first()
        if found is None:
            return None
        row, desk = found
        desk.reviewer, desk.until = who, now + HELD_FOR
        session.add(desk)
        return queued(row, None)


def skip(engine: Engine, case_id: int, reviewer: str, now: datetime) -> None:
    """Put a case aside for a while, for somebody else to look at; what another looks at stays theirs."""
    who = _named(reviewer)
    with writing(engine) as session:
        desk = desk_row(session, case_id)
        if desk.until > now and desk.reviewer not in ("", who) and not desk.reviewer.startswith(_NOT):
            return
        desk.reviewer, desk.until = _NOT + who, now + HELD_FOR
        session.add(desk)


def confirm(engine: Engine, case_id: int, reviewer: str, now: datetime, comment: str = "") -> Queued:
    """Say that the answer was right; raises as `decide` does."""
    case = get(engine, case_id).case
    if case.answer is None:
        raise InputError(f"asked to confirm the answer to {case.request_id}; nobody answered it: give one")
    return decide(engine, case_id, Decided(Ruling.CONFIRMED, case.answer, reviewer, comment, now))


def override(
    engine: Engine, case_id: int, answer: float, reviewer: str, now: datetime, comment: str = ""
) -> Queued:
    """Say what the answer should have been; of a case that nobody answered, what it is."""
    ruling = Ruling.ANSWERED if get(engine, case_id).case.answer is None else Ruling.OVERRIDDEN
    return decide(engine, case_id, Decided(ruling, answer, reviewer, comment, now))


def decide(engine: Engine, case_id: int, said: Decided) -> Queued:
    """Record what somebody said of a case; the same person saying the same again changes nothing.

    Raises
    ------
    InputError
        If there is no such case, nobody is named, or the answer is no number.
    IllegalTransition
        If it is decided already, or nothing is there to be taken back, or by another person.
    """
    who = _named(said.reviewer)
    if said.answer is not None and not math.isfinite(said.answer):
        raise InputError(f"asked an answer for case {case_id}; found {said.answer}; give a number")
    with writing(engine) as session:
        row, desk, last = case_row(session, case_id), desk_row(session, case_id), last_said(session, case_id)
        before = said_in(last)
        if before is not None and (before.ruling, before.answer, before.reviewer) == (
            said.ruling, said.answer, who,
        ):  # fmt: skip
            return queued(row, last)
        _refuse(case_id, before, said.ruling, who)
        made = ReviewDecisionRow(
            case_id=case_id,
            revision=1 if last is None else last.revision + 1,
            rollout_id=row.rollout_id,
            ruling=said.ruling.value,
            answer="" if said.answer is None else compact(float(said.answer)),
            reviewer=who,
            comment=said.comment.strip(),
            at=said.at,
        )
        session.add(made)
        desk.open, desk.reviewer, desk.until = said.ruling is Ruling.WITHDRAWN, "", said.at
        session.add(desk)
        return queued(row, made)


def _named(reviewer: str) -> str:
    if not reviewer.strip():
        raise InputError("asked who looks at it; found nobody; say who you are")
    return reviewer.strip().casefold()


def _refuse(case_id: int, before: Decided | None, ruling: Ruling, who: str) -> None:
    stands = before if before is not None and before.ruling is not Ruling.WITHDRAWN else None
    if ruling is Ruling.WITHDRAWN:
        if stands is None:
            raise IllegalTransition(f"asked to take back what was said of case {case_id}; nothing was")
        if stands.reviewer != who:
            raise IllegalTransition(f"case {case_id} was {stands.ruling} by {stands.reviewer}: ask them")
    elif stands is not None:
        raise IllegalTransition(
            f"case {case_id} was {stands.ruling} by {stands.reviewer} at {stamp(stands.at)}; nothing changed"
        )
