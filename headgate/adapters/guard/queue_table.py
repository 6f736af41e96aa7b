"""Where the guard's queue is kept: its one table, and the two databases it may be in."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError, StatementError

from headgate.adapters.settings import masked
from headgate.adapters.store.engine import postgres_engine
from headgate.errors import StoreError

META = MetaData()
#: Option of a connection that changes nothing.
LOOKS = "guard_looks"
#: Times are microseconds since 1970: the same in both databases.
ROWS = Table(
    "guard_queue",
    META,
    Column("service", String(63), primary_key=True),
    Column("request_id", String(128), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("digest", String(64), nullable=False),  # of what is asked: the same id must ask the same
    Column("body", LargeBinary, nullable=False),
    Column("entity", String(256)),
    Column("slice", String(63)),
    Column("at", BigInteger, nullable=False),
    Column("queued_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),  # not asked before; a lease moves it
    Column("tries", Integer, nullable=False),
    Column("answer", LargeBinary),
    Column("answered_at", BigInteger),
    # All that is asked of many rows at once: what is due, how many wait since when, what is over.
    Index("guard_queue_due", "service", "state", "due_at", "queued_at"),
)
#: Of PostgreSQL's advisory locks, the one that whoever makes the table holds.
_MAKING = 0x68656164


def open_queue(url: str, patience: float) -> Engine:
    """Return the database of a queue, its table made where it is not there.

    Raises
    ------
    StoreError
        If it cannot be opened.
    """
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
    except ArgumentError:
        kind = "none"
    if kind == "postgresql":
        return _with_table(_postgres(parsed, patience))
    if kind != "sqlite" or not parsed.database:
        raise StoreError(
            f"asked a queue like sqlite:///path/queue.db or postgresql://…; found {masked(url)!r}"
        )
    with told("open"):
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    return _with_table(_sqlite(parsed, patience))


def _sqlite(url: URL, patience: float) -> Engine:
    engine = create_engine(url, connect_args={"timeout": patience})

    @event.listens_for(engine, "connect")
    def _settings(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        _use_write_ahead_log(connection, patience)
        # FULL: on the disk before the caller hears 202, even if the power fails.
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Or two guards would read the same request and both lease it. Who only looks waits for nobody.
        looks = connection.get_execution_options().get(LOOKS, False)
        connection.exec_driver_sql("BEGIN" if looks else "BEGIN IMMEDIATE")

    return engine


def _postgres(url: URL, patience: float) -> Engine:
    # The server gives up for us; where it is gone without a word, the network does.
    milliseconds = round(patience * 1000)
    if "tcp_user_timeout" not in url.query:
        url = url.update_query_dict({"tcp_user_timeout": str(milliseconds)})
    return postgres_engine(url, patience, f"-c statement_timeout={milliseconds}")


def _with_table(engine: Engine) -> Engine:
    try:
        with told("open"), engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                # Two guards that start at once would both find none; there no IF NOT EXISTS helps.
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MAKING})")
            META.create_all(connection)
    except StoreError:
        engine.dispose()
        raise
    return engine


def _use_write_ahead_log(connection: sqlite3.Connection, patience: float) -> None:
    """Switch the file to its log; SQLite itself does not wait for others who do so."""
    until = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def told(act: str) -> Iterator[None]:
    """Say the database's refusals in our words, without what the request was: they are logged."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as err:
        cause = err.orig if isinstance(err, StatementError) and err.orig is not None else err
        # PostgreSQL adds the row to some refusals, in lines of their own.
        found = (str(cause).splitlines() or [type(cause).__name__])[0]
        raise StoreError(
            f"the guard's queue: asked to {act}; found {found}; mend the database or disk"
        ) from None


def micros(at: datetime) -> int:
    """Return a time as it is kept."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def time_of(kept: int) -> datetime:
    """Return a time that was kept, in UTC."""
    return _EPOCH + timedelta(microseconds=kept)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
