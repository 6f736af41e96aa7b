"""Requests that are answered later: durable, at least once, one recorded answer each.

A request is on the disk before its caller hears 202. Whoever drains leases a few requests for a while; one
that dies leaves them to whoever comes after the lease. So a request may be asked more than once, and only
the first answer is ever recorded. SQLite for one machine (its guards share the file), PostgreSQL for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError

from headgate.adapters.guard.queue_table import ROWS, micros, open_queue, time_of, told


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
                    if (found := self._row(connection, one.request_id)) is not None:
                        return Put.THERE if found.digest == one.digest else Put.OTHER
                    if self._count(connection) >= self._most:
                        return Put.FULL
                    connection.execute(insert(ROWS).values(row))
            except IntegrityError:  # another guard was faster, on PostgreSQL
                with self._engine.begin() as connection:
                    found = self._row(connection, one.request_id)
                return Put.THERE if found is not None and found.digest == one.digest else Put.OTHER
        return Put.KEPT

    def find(self, request_id: str) -> Queued | None:
        """Return a request of that id; None if it was never queued, or is forgotten."""
        with told("find"), self._engine.begin() as connection:
            row = self._row(connection, request_id)
        return None if row is None else _queued(row)

    def lease(self, now: datetime, *, most: int, until: datetime) -> Sequence[Queued]:
        """Take requests that are due, oldest first; nobody else gets them before ``until``."""
        due = (
            select(ROWS)
            .where(*self._where(State.WAITING), ROWS.c.due_at <= micros(now))
            .order_by(ROWS.c.queued_at, ROWS.c.request_id)
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
            over = and_(ROWS.c.service == self._service, ROWS.c.state != State.WAITING, ended)
            connection.execute(ROWS.delete().where(over))
        return given_up

    def backlog(self) -> Backlog:
        """Return how many wait, and since when."""
        waiting = select(func.count(), func.min(ROWS.c.queued_at)).where(*self._where(State.WAITING))
        with told("count"), self._engine.begin() as connection:
            count, first = connection.execute(waiting).one()
        return Backlog(int(count), None if first is None else time_of(first))

    def _where(self, state: State) -> tuple[Any, ...]:
        return ROWS.c.service == self._service, ROWS.c.state == state

    def _count(self, connection: Connection) -> int:
        waiting = select(func.count()).select_from(ROWS).where(*self._where(State.WAITING))
        return int(connection.execute(waiting).scalar_one())

    def _row(self, connection: Connection, request_id: str) -> Row[Any] | None:
        mine = (ROWS.c.service == self._service) & (ROWS.c.request_id == request_id)
        return connection.execute(select(ROWS).where(mine)).one_or_none()


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
