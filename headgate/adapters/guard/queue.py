"""Requests that are answered later: durable, at least once, one recorded answer each.

A request is on the disk before its caller hears 202. Whoever drains leases a few requests for a while; one
that dies leaves them to whoever comes after the lease. So a request may be asked more than once, and only
the first answer is ever recorded. SQLite for one machine (its guards share the file), PostgreSQL for more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, and_, bindparam, func, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError

from headgate.adapters.guard.queue_table import LOOKS, ROWS, micros, open_queue, time_of, told
from headgate.errors import StoreError

_P = ParamSpec("_P")
_T = TypeVar("_T")

_MINE = and_(ROWS.c.service == bindparam("of_service"), ROWS.c.request_id == bindparam("of_id"))
#: Made once: every request that has a name asks it.
_FIND = select(ROWS).where(_MINE)

#: Seconds that a request waits for the queue at most. The database gives up before, if it can still say so.
PATIENCE = 6.0


class State(StrEnum):
    """Where a queued request stands."""

    WAITING = "waiting"
    ANSWERED = "answered"
    EXPIRED = "expired"  # it waited for longer than an answer is of use


class Put(StrEnum):
    """What came of putting a request into the queue."""

    KEPT = "kept"
    THERE = "there"  # the very same request is in it
    OTHER = "other"  # the id was used for another request
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Queued:
    """A request as the queue keeps it.

    Attributes
    ----------
    digest
        sha256 of what is asked.
    body
        What the plane is sent.
    tries
        How often it was leased so far.
    answer
        The recorded answer; None until there is one.
    """

    request_id: str
    digest: str
    body: bytes
    entity: str | None
    slice: str | None
    at: datetime
    state: State = State.WAITING
    tries: int = 0
    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many wait, and since when the first one does; None where nobody waits."""

    waiting: int
    oldest: datetime | None


class DurableQueue:
    """The queue of one service.

    Parameters
    ----------
    url
        ``sqlite:///path`` (made where it is not there) or ``postgresql://…``.
    most
        Requests that may wait at once.
    keep
        For how long an answer is of use; answers are kept for as long again, to be fetched.

    Raises
    ------
    StoreError
        If it cannot be opened; every method, if it cannot be reached.
    """

    def __init__(self, url: str, service: str, *, most: int, keep: timedelta, patience: float = 5.0) -> None:
        self._service = service
        self._most = most
        self._keep = keep
        self._engine = open_queue(url, patience)
        self._look = self._engine.execution_options(**{LOOKS: True})

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def put(self, one: Queued, now: datetime) -> Put:
        """Keep a request that is to be answered later. On return it is on the disk."""
        row = {
            "service": self._service, "request_id": one.request_id, "state": State.WAITING,
            "digest": one.digest, "body": one.body, "entity": one.entity, "slice": one.slice,
            "at": micros(one.at), "queued_at": micros(now), "due_at": micros(now), "tries": 0,
        }  # fmt: skip
        with told("put"):
            try:
                with self._engine.begin() as connection:
                    found = self._row(connection, one.request_id)
                    if found is not None and (there := self._there(found, one, now)) is not None:
                        return there
                    if self._count(connection) >= self._most:
                        return Put.FULL
                    if found is not None:  # given up, and asked for anew
                        connection.execute(ROWS.delete().where(_MINE), self._named(one.request_id))
                    connection.execute(insert(ROWS).values(row))
            except IntegrityError:  # another guard was faster, on PostgreSQL
                with self._engine.begin() as connection:
                    found = self._row(connection, one.request_id)
                return Put.THERE if found is not None and found.digest == one.digest else Put.OTHER
        return Put.KEPT

    def find(self, request_id: str) -> Queued | None:
        """Return a request of that id; None if it was never queued, or is forgotten."""
        with told("find"), self._look.begin() as connection:
            row = self._row(connection, request_id)
        return None if row is None else _queued(row)

    def lease(self, now: datetime, *, most: int, until: datetime) -> Sequence[Queued]:
        """Take requests that are due, those due longest first; nobody else gets them before ``until``."""
        of_use = ROWS.c.queued_at >= micros(now - self._keep)
        due = (
            select(ROWS)
            .where(*self._where(State.WAITING), ROWS.c.due_at <= micros(now), of_use)
            .order_by(ROWS.c.due_at, ROWS.c.queued_at)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        with told("lease"), self._engine.begin() as connection:
            rows = connection.execute(due).all()
            taken = ROWS.c.request_id.in_([row.request_id for row in rows])
            if rows:
                later = {"due_at": micros(until), "tries": ROWS.c.tries + 1}
                connection.execute(update(ROWS).where(*self._where(State.WAITING), taken).values(later))
        return [_queued(row) for row in rows]

    def record(self, request_id: str, answer: bytes, now: datetime) -> bool:
        """Keep the answer to a request; False if it has one already, which stands, or does not wait."""
        said = {"state": State.ANSWERED, "answer": answer, "answered_at": micros(now)}
        mine = and_(*self._where(State.WAITING), ROWS.c.request_id == request_id)
        with told("record"), self._engine.begin() as connection:
            return connection.execute(update(ROWS).where(mine).values(said)).rowcount == 1

    def postpone(self, request_id: str, until: datetime) -> None:
        """Let nobody ask it before then."""
        mine = and_(*self._where(State.WAITING), ROWS.c.request_id == request_id)
        with told("postpone"), self._engine.begin() as connection:
            connection.execute(update(ROWS).where(mine).values(due_at=micros(until)))

    def expire(self, now: datetime) -> int:
        """Give up what waited too long, forget what ended long ago; return how many were given up."""
        old = ROWS.c.queued_at < micros(now - self._keep)
        ended = ROWS.c.queued_at < micros(now - 2 * self._keep)
        with told("expire"), self._engine.begin() as connection:
            given_up = connection.execute(
                update(ROWS).where(*self._where(State.WAITING), old).values(state=State.EXPIRED)
            ).rowcount
            for state in (State.ANSWERED, State.EXPIRED):
                connection.execute(ROWS.delete().where(*self._where(state), ended))
        return given_up

    def backlog(self) -> Backlog:
        """Return how many wait, and since when."""
        waiting = select(func.count(), func.min(ROWS.c.queued_at)).where(*self._where(State.WAITING))
        with told("count"), self._look.begin() as connection:
            count, first = connection.execute(waiting).one()
        return Backlog(int(count), None if first is None else time_of(first))

    def _there(self, found: Row[Any], one: Queued, now: datetime) -> Put | None:
        """Return what a row of that id means for this request; None: it waits no more and has no answer."""
        if found.digest != one.digest:
            return Put.OTHER
        old = found.state == State.WAITING and found.queued_at < micros(now - self._keep)
        return None if old or found.state == State.EXPIRED else Put.THERE

    def _where(self, state: State) -> tuple[Any, ...]:
        return ROWS.c.service == self._service, ROWS.c.state == state

    def _count(self, connection: Connection) -> int:
        waiting = select(func.count()).select_from(ROWS).where(*self._where(State.WAITING))
        return int(connection.execute(waiting).scalar_one())

    def _row(self, connection: Connection, request_id: str) -> Row[Any] | None:
        return connection.execute(_FIND, self._named(request_id)).one_or_none()

    def _named(self, request_id: str) -> dict[str, str]:
        return {"of_service": self._service, "of_id": request_id}


async def in_time(act: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Do something with the queue in a thread, and wait for it as long as a caller can.

    Raises
    ------
    StoreError
        If it takes longer. It may be done all the same: who puts a request and hears nothing has put it,
        or not.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.to_thread(act, *args, **kwargs)
    except TimeoutError:
        raise StoreError(
            f"the guard's queue: asked an answer within {PATIENCE:g} s; found none; mend the database"
        ) from None


def _queued(row: Row[Any]) -> Queued:
    return Queued(
        request_id=row.request_id,
        digest=row.digest,
        body=bytes(row.body),
        entity=row.entity,
        slice=row.slice,
        at=time_of(row.at),
        state=State(row.state),
        tries=row.tries,
        answer=None if row.answer is None else bytes(row.answer),
    )
