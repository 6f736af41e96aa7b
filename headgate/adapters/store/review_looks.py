"""Looking at the review queue: what waits, for how long, and what was said."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import col, func, select

from headgate.adapters.store.engine import reading
from headgate.adapters.store.review_rows import case_row, id_of, last_said, queued
from headgate.adapters.store.tables import ReviewCaseRow, ReviewDecisionRow, ReviewDeskRow
from headgate.review.case import Queued


def get(engine: Engine, case_id: int) -> Queued:
    """Return a case; `InputError` if there is none of this number."""
    with reading(engine) as session:
        return queued(case_row(session, case_id), last_said(session, case_id))


def find(engine: Engine, service: str, request_id: str) -> Queued | None:
    """Return the case of a request: what whoever waits for the answer asks for. None: it was never put."""
    query = select(ReviewCaseRow).where(
        ReviewCaseRow.service == service, ReviewCaseRow.request_id == request_id
    )
    with reading(engine) as session:
        row = session.exec(query).one_or_none()
        return None if row is None else queued(row, last_said(session, id_of(row)))


def waiting(engine: Engine, service: str, most: int = 200, skip: int = 0) -> list[Queued]:
    """Return the cases that wait, oldest first, so many of them after the first few."""
    query = (
        select(ReviewCaseRow)
        .join(ReviewDeskRow, col(ReviewDeskRow.case_id) == col(ReviewCaseRow.id))
        .where(ReviewDeskRow.service == service, col(ReviewDeskRow.open).is_(True))
        .order_by(col(ReviewCaseRow.put_at), col(ReviewCaseRow.id))
    )
    with reading(engine) as session:
        return [queued(row, None) for row in session.exec(query.limit(most).offset(skip))]


def backlog(engine: Engine, service: str) -> tuple[int, datetime | None]:
    """Return how many cases wait, and since when the oldest does."""
    query = (
        select(func.count(), func.min(ReviewCaseRow.put_at))
        .select_from(ReviewCaseRow)
        .join(ReviewDeskRow, col(ReviewDeskRow.case_id) == col(ReviewCaseRow.id))
        .where(ReviewDeskRow.service == service, col(ReviewDeskRow.open).is_(True))
    )
    with reading(engine) as session:
        count, oldest = session.exec(query).one()
        return count, oldest


def history(
    engine: Engine, service: str, since: datetime | None = None, until: datetime | None = None
) -> list[Queued]:
    """Return the cases put in ``[since, until)``, in order, each with what was said of it last."""
    query = select(ReviewCaseRow).where(ReviewCaseRow.service == service)
    if since is not None:
        query = query.where(col(ReviewCaseRow.put_at) >= since)
    if until is not None:
        query = query.where(col(ReviewCaseRow.put_at) < until)
    said = (
        select(ReviewDecisionRow)
        .join(ReviewCaseRow, col(ReviewCaseRow.id) == col(ReviewDecisionRow.case_id))
        .where(ReviewCaseRow.service == service, *([col(ReviewCaseRow.put_at) >= since] if since else []))
        .order_by(col(ReviewDecisionRow.case_id), col(ReviewDecisionRow.revision))
    )
    with reading(engine) as session:
        last = {row.case_id: row for row in session.exec(said)}
        rows = session.exec(query.order_by(col(ReviewCaseRow.put_at), col(ReviewCaseRow.id)))
        return [queued(row, last.get(id_of(row))) for row in rows]


def arrivals(engine: Engine, service: str, since: datetime) -> dict[tuple[str, str], int]:
    """Return how many cases were put from then on, by reason and slice."""
    query = (
        select(ReviewCaseRow.reason, ReviewCaseRow.slice, func.count())
        .where(ReviewCaseRow.service == service, col(ReviewCaseRow.put_at) >= since)
        .group_by(ReviewCaseRow.reason, ReviewCaseRow.slice)
    )
    with reading(engine) as session:
        return {(reason, slice_): count for reason, slice_, count in session.exec(query)}


def services(engine: Engine) -> list[str]:
    """Return the services that ever had a case."""
    with reading(engine) as session:
        return sorted(session.exec(select(ReviewDeskRow.service).distinct()))
