"""Putting cases into the review queue: once each, by service and request id."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from headgate.adapters.codec import compact
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.review_rows import id_of, row_of_case
from headgate.adapters.store.tables import ReviewCaseRow, ReviewDeskRow, ReviewWindowRow
from headgate.errors import InputError, StoreError
from headgate.ports import ReviewCase

#: Ids asked about in one statement.
_AT_ONCE = 500


@dataclass(frozen=True)
class StoreQueue:
    """The port `headgate.ports.ReviewQueue` on a store."""

    engine: Engine
    clock: Callable[[], datetime]

    def put(self, case: ReviewCase) -> bool:
        """Keep a case; False if it is there already.

        Raises
        ------
        StoreError
            If it cannot be kept, also where no store could: the caller goes on to the next fallback.
        """
        try:
            return put(self.engine, case, self.clock())
        except InputError as err:
            raise StoreError(f"case {case.request_id[:60]!r} cannot be kept: {err}") from err


@dataclass(frozen=True, slots=True)
class Drawn:
    """A window that cases were drawn from; ``counts`` is what `headgate.review.load` made of it."""

    start: datetime
    end: datetime
    counts: Mapping[str, Any]


def put(engine: Engine, case: ReviewCase, now: datetime, stratum: str = "") -> bool:
    """Keep a case; False if this request of the service is there already: what was put first stands.

    Raises
    ------
    InputError
        If service or request id are empty, or a time is naive.
    """
    with writing(engine) as session:
        return _put(session, case, now, stratum)


def put_window(
    engine: Engine,
    rollout_id: str,
    window: Drawn,
    cases: Iterable[tuple[ReviewCase, str]],
    now: datetime,
) -> int:
    """Keep the cases drawn from a window, each with its stratum, and what the window says about the load.

    One write: all of it or nothing. The same window again puts nothing. Returns how many were new.
    """
    with writing(engine) as session:
        if session.get(ReviewWindowRow, (rollout_id, window.start)) is not None:
            return 0
        session.add(
            ReviewWindowRow(
                rollout_id=rollout_id,
                start=window.start,
                until=window.end,
                body=compact(dict(window.counts)),
                at=now,
            )
        )
        return _put_all(session, list(cases), now)


def windows(engine: Engine, rollout_id: str) -> list[Drawn]:
    """Return the windows that cases were drawn from, in order of time."""
    query = select(ReviewWindowRow).where(ReviewWindowRow.rollout_id == rollout_id)
    with reading(engine) as session:
        rows = session.exec(query.order_by(col(ReviewWindowRow.start)))
        return [Drawn(row.start, row.until, json.loads(row.body)) for row in rows]


def _put(session: Session, case: ReviewCase, now: datetime, stratum: str) -> bool:
    _refuse_nameless(case)
    row = row_of_case(case, now, stratum)
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
            session.add(
                ReviewDeskRow(case_id=id_of(row), service=case.service, open=True, reviewer="", until=now)
            )
            session.flush()
    except IntegrityError:
        return False  # it is there: the unique key decides, not a look before
    return True


def _put_all(session: Session, cases: Sequence[tuple[ReviewCase, str]], now: datetime) -> int:
    """Put many in few statements; those that are there already are left as they are.

    One that a guard puts at this very moment makes the write fail as a whole, and it is tried again.
    """
    for case, _ in cases:
        _refuse_nameless(case)
    known: set[tuple[str, str]] = set()
    for some in _batched([case.request_id for case, _ in cases], _AT_ONCE):
        query = select(ReviewCaseRow.service, ReviewCaseRow.request_id)
        known.update(session.exec(query.where(col(ReviewCaseRow.request_id).in_(some))))
    rows = []
    for case, stratum in cases:
        if (case.service, case.request_id) not in known:
            known.add((case.service, case.request_id))
            rows.append(row_of_case(case, now, stratum))
    session.add_all(rows)
    session.flush()
    session.add_all(
        ReviewDeskRow(case_id=id_of(row), service=row.service, open=True, reviewer="", until=now)
        for row in rows
    )
    return len(rows)


def _batched(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _refuse_nameless(case: ReviewCase) -> None:
    if not case.service.strip() or not case.request_id.strip():
        raise InputError(
            f"asked a service and a request id; found {case.service!r} and {case.request_id!r}; give both"
        )
