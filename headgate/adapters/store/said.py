"""What people tried to say, taken or refused: one row per form or command line.

The row and its effect (an approval, a signature) are one write: there is no answer without its row, and a
form that is run again finds what came of it the first time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from headgate.adapters.codec import stamp
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.rollout_rows import row_of
from headgate.adapters.store.tables import SaidRow
from headgate.errors import InputError
from headgate.rollout.questions import person

#: How the reason begins where a code was not that of this answer to this request, now.
WRONG_CODE = "wrong or expired code"
#: So many wrong codes of one person for one request within this time lock that person out of it.
MOST_WRONG, LOCKED_FOR = 5, timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Said:
    """An attempt to answer.

    Attributes
    ----------
    origin
        The form or command line it came from; the same one is heard once.
    request
        What it answers, in the words that codes are bound to.
    accepted, reason
        Whether it was taken; what it did, or why not.
    at
        By the machine's clock, as codes are.
    """

    origin: str
    rollout: str
    slice: str
    request: str
    person: str
    answer: str
    at: datetime
    accepted: bool = False
    reason: str = ""


#: Records the effect in the caller's transaction and says what it was; raises `InputError` to refuse.
Effect = Callable[[Session], str]


def hear(engine: Engine, said: Said, refusal: str | None, effect: Effect) -> Said:
    """Record an attempt and, unless it is refused, its effect; return it with what came of it.

    The same origin again changes nothing and returns what came of it the first time.

    Parameters
    ----------
    refusal
        Why it is refused before the store was asked, e.g. a wrong code; None: it is not.

    Raises
    ------
    InputError
        If the rollout is unknown.
    """
    with writing(engine) as session:
        row_of(session, said.rollout, lock=True)  # wrong codes at the same time are counted one by one
        known = _known(session, said.origin)
        if known is not None:
            return known
        refusal = _locked(session, said) or refusal
        told = ""
        if refusal is None:
            try:
                told = effect(session)
            except InputError as err:
                refusal = str(err)
        heard = replace(said, accepted=refusal is None, reason=refusal or told)
        session.add(_row(heard))
        return heard


def said_of(engine: Engine, origin: str) -> Said | None:
    """Return what came of an earlier attempt of this origin; None: there was none."""
    with reading(engine) as session:
        return _known(session, origin)


def all_said(engine: Engine, rollout_id: str) -> list[Said]:
    """Return every attempt to answer for a rollout, taken or refused, in order."""
    query = select(SaidRow).where(SaidRow.rollout_id == rollout_id).order_by(col(SaidRow.id))
    with reading(engine) as session:
        return [_value(row) for row in session.exec(query)]


def _known(session: Session, origin: str) -> Said | None:
    row = session.exec(select(SaidRow).where(SaidRow.origin == origin)).one_or_none()
    return None if row is None else _value(row)


def _locked(session: Session, said: Said) -> str | None:
    """Return why this person has to wait; attempts while locked out are not counted against them."""
    since = said.at - LOCKED_FOR
    wrong = session.exec(
        select(func.count(), func.min(SaidRow.at)).where(
            SaidRow.request == said.request,
            SaidRow.person == person(said.person),
            col(SaidRow.reason).startswith(WRONG_CODE),
            col(SaidRow.at) > since,
        )
    ).one()
    count, first = wrong
    if count < MOST_WRONG:
        return None
    return (
        f"{MOST_WRONG} wrong codes of {said.person} within {LOCKED_FOR.seconds // 60} minutes: no code of "
        f"theirs is taken for {said.request} before {stamp(first + LOCKED_FOR)}; others may answer"
    )


def _row(said: Said) -> SaidRow:
    return SaidRow(
        origin=said.origin,
        rollout_id=said.rollout,
        slice=said.slice,
        request=said.request,
        person=person(said.person),
        answer=said.answer,
        accepted=said.accepted,
        reason=said.reason,
        at=said.at,
    )


def _value(row: SaidRow) -> Said:
    return Said(
        origin=row.origin,
        rollout=row.rollout_id,
        slice=row.slice,
        request=row.request,
        person=row.person,
        answer=row.answer,
        at=row.at,
        accepted=row.accepted,
        reason=row.reason,
    )
