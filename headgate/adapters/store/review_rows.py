"""Rows of the review queue as values, and how the other modules stand on them."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from headgate.adapters.codec import compact, stamp
from headgate.adapters.store.tables import ReviewCaseRow, ReviewDecisionRow, ReviewDeskRow
from headgate.errors import InputError
from headgate.ports import ReviewCase, ReviewReason, Side
from headgate.review.case import Decided, Queued, Ruling

#: Of the numbers that a database of ours gives.
_LARGEST = 2**31 - 1


def row_of_case(case: ReviewCase, now: datetime, stratum: str) -> ReviewCaseRow:
    """Return a case as a row."""
    return ReviewCaseRow(
        service=case.service,
        request_id=case.request_id,
        entity=case.entity,
        at=case.at,
        reason=case.reason.value,
        rollout_id=case.rollout or "",
        slice=case.slice or "",
        stratum=stratum,
        body=compact(
            {
                "side": None if case.side is None else case.side.value,
                "answer": case.answer,
                "confidence": case.confidence,
                "inputs": {name: plain(value) for name, value in case.inputs.items()},
            }
        ),
        put_at=now,
    )


def plain(value: Any) -> Any:
    """Return an input as JSON can hold it: no NaN, times as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime):
        return stamp(value) if value.utcoffset() is not None else value.isoformat()
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


def case_row(session: Session, case_id: int) -> ReviewCaseRow:
    """Return the row of a case; `InputError` if there is none of this number."""
    row = session.get(ReviewCaseRow, case_id) if 0 < case_id <= _LARGEST else None
    if row is None:
        raise _no_case(case_id)
    return row


def desk_row(session: Session, case_id: int) -> ReviewDeskRow:
    """Return whether a case waits and for whom, locked until the caller commits."""
    found = session.get(ReviewDeskRow, case_id, with_for_update=True) if 0 < case_id <= _LARGEST else None
    if found is None:
        raise _no_case(case_id)
    return found


def _no_case(case_id: int) -> InputError:
    said = "the queue has none of this number; `headgate review list SERVICE` shows those that wait"
    return InputError(f"asked case {str(case_id)[:20]}; {said}")


def last_said(session: Session, case_id: int) -> ReviewDecisionRow | None:
    """Return what was said of a case last; None: nothing."""
    query = select(ReviewDecisionRow).where(ReviewDecisionRow.case_id == case_id)
    return session.exec(query.order_by(col(ReviewDecisionRow.revision).desc()).limit(1)).one_or_none()


def said_in(row: ReviewDecisionRow | None) -> Decided | None:
    """Return what a row says."""
    if row is None:
        return None
    answer = float(row.answer) if row.answer else None
    return Decided(Ruling(row.ruling), answer, row.reviewer, row.comment, row.at)


def queued(row: ReviewCaseRow, last: ReviewDecisionRow | None) -> Queued:
    """Return a case as a value, with what was said of it last."""
    body = json.loads(row.body)
    said = said_in(last)
    return Queued(
        id=id_of(row),
        case=ReviewCase(
            service=row.service,
            request_id=row.request_id,
            entity=row.entity,
            at=row.at,
            reason=ReviewReason(row.reason),
            side=None if body["side"] is None else Side(body["side"]),
            answer=body["answer"],
            confidence=body["confidence"],
            rollout=row.rollout_id or None,
            slice=row.slice or None,
            inputs=body["inputs"],
        ),
        stratum=row.stratum,
        queued_at=row.put_at,
        decided=None if said is not None and said.ruling is Ruling.WITHDRAWN else said,
    )


def id_of(row: ReviewCaseRow) -> int:
    """Return the number that the database gave a row."""
    assert row.id is not None  # noqa: S101 - given by the database when the row was flushed
    return row.id
