"""Opening the store, and the two ways to use it: reading and writing.

SQLite by default: a write-ahead log, so that readers never wait, and every write transaction takes
the write lock when it begins (BEGIN IMMEDIATE), so that two ticks follow one another instead of
failing half-way. PostgreSQL by its URL: writers lock the rows they stand on.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError, StatementError
from sqlmodel import Session

from headgate.adapters.store.chaining import ChainedSession, append
from headgate.adapters.store.schema import VERSION_TABLE, migrate, newest_revision, revision_of
from headgate.errors import HeadgateError, InputError, StoreError

_ACCEPTED = "sqlite:///path/to/store.db or postgresql://user@host/database"


def connect(url: str, patience: float = 30.0) -> Engine:
    """Open the store, create it where there is none, and bring its tables up to date.

    Parameters
    ----------
    url
        ``sqlite:///path/to/store.db`` (folder and file are created) or ``postgresql://…`` (the
        database must exist).
    patience
        Seconds to wait for another writer before giving up.

    Raises
    ------
    StoreError
        If the store cannot be reached, is read-only, stays locked, is no database, or belongs to a
        newer Headgate.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as err:
        raise StoreError(f"asked a store URL like {_ACCEPTED}; found {url!r}") from err
    kind = parsed.get_backend_name()
    if kind not in {"sqlite", "postgresql"}:
        raise StoreError(f"asked a store URL like {_ACCEPTED}; found {parsed.render_as_string()!r}")
    engine = _sqlite(parsed, patience) if kind == "sqlite" else postgres_engine(parsed, patience)
    try:
        if kind == "sqlite":
            _use_write_ahead_log(engine, patience)
        with _told(engine), _begin(engine, "IMMEDIATE") as connection:
            migrate(connection)
            # SQLite begins to write on a read-only file without a word; this changes nothing and asks.
            connection.exec_driver_sql(f"DELETE FROM {VERSION_TABLE} WHERE 1 = 0")  # noqa: S608 - a constant
    except HeadgateError:
        engine.dispose()
        raise
    return engine


def connect_to_read(url: str, patience: float = 30.0) -> Engine:
    """Open a store that is there, as it is: nothing in it is made, migrated or written.

    SQLite may leave the two files of its log beside it, empty.

    Parameters
    ----------
    url
        As for `connect`, or the path of an SQLite file.

    Raises
    ------
    InputError
        If there is no store, or its tables are of another Headgate.
    """
    if url.startswith("postgresql"):
        engine = postgres_engine(make_url(url), patience, "-c default_transaction_read_only=on")
    else:
        engine = _sqlite_to_read(Path(url.removeprefix("sqlite:///")), patience)
    try:
        with reading(engine) as session:
            found = revision_of(session.connection())
    except StoreError as err:
        engine.dispose()
        raise InputError(f"asked a store to read; {err}") from err
    if found != newest_revision():
        engine.dispose()
        raise InputError(
            f"asked a store of revision {newest_revision()}; found {found or 'no tables of Headgate'} in "
            f"{_where(engine)}; let the Headgate that keeps it open it once, or read it with that one"
        )
    return engine


def describe(engine: Engine) -> str:
    """Say in one line which database this is, where, and of which revision."""
    with _told(engine), _begin(engine, "DEFERRED") as connection:
        version = ".".join(str(part) for part in connection.dialect.server_version_info or ())
        if engine.dialect.name == "sqlite":
            version = sqlite3.sqlite_version
        revision = revision_of(connection)
        return f"{engine.dialect.name} {version} at {_where(engine)}, tables of revision {revision}"


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One transaction that only reads."""
    with _told(engine), _begin(engine, "DEFERRED") as connection, Session(bind=connection) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One transaction that writes: all of it on return, nothing of it on an error.

    What it added to history is vouched for by the audit chain, in the same transaction.
    """
    with _told(engine), _begin(engine, "IMMEDIATE") as connection, ChainedSession(bind=connection) as session:
        yield session
        session.flush()
        append(session)


def _sqlite(url: URL, patience: float) -> Engine:
    path = url.database or ""
    if path in {"", ":memory:"} or "mode=memory" in path:
        raise StoreError(f"asked a file to keep the ledger in; found {str(url)!r}; give {_ACCEPTED}")
    if not path.startswith("file:"):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise StoreError(f"asked a folder for the store {path}; cannot create it: {err}") from err
    engine = create_engine(url, connect_args={"timeout": patience})

    @event.listens_for(engine, "connect")
    def _settings(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself: _begin does
        connection.execute("PRAGMA foreign_keys=ON")
        # FULL: a decision is on the disk before the plane hears of it, even if the power fails.
        connection.execute("PRAGMA synchronous=FULL")
        # Without it REPLACE would delete rows of history past their triggers.
        connection.execute("PRAGMA recursive_triggers=ON")

    event.listen(engine, "begin", _start)
    return engine


def _sqlite_to_read(path: Path, patience: float) -> Engine:
    if not path.is_file():
        raise InputError(f"asked the file of a store; found none at {path}; name it with --store")
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    log = path.with_name(path.name + "-wal")
    if not os.access(path.parent, os.W_OK) and not (log.exists() and log.stat().st_size):
        # SQLite would make files for its log, also to read; a copy on a read-only disk has none to make.
        uri += "&immutable=1"

    def connected() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None)
        # Whatever somebody put in there has to be read, to say that it is wrong.
        connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        return connection

    engine = create_engine(f"sqlite:///{path}", creator=connected)
    event.listen(engine, "begin", _start)
    return engine


def _start(connection: Connection) -> None:
    kind = connection.get_execution_options().get("headgate_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {kind}")


def postgres_engine(url: URL, patience: float, more: str = "") -> Engine:
    """Return a PostgreSQL that is waited for so many seconds; ``more``: settings of its sessions."""
    url = url.set(drivername="postgresql+psycopg")
    waits = f"-c lock_timeout={round(patience * 1000)} -c timezone=UTC {more}"
    settings = {"connect_timeout": max(2, round(patience)), "application_name": "headgate"}
    for name in settings.keys() & url.query.keys():
        del settings[name]
    if isinstance(given := url.query.get("options"), str):
        waits = f"{waits} {given}"
        url = url.difference_update_query(["options"])
    return create_engine(url, connect_args={**settings, "options": waits}, pool_pre_ping=True)


def _use_write_ahead_log(engine: Engine, patience: float) -> None:
    """Switch the file to its log once; SQLite does not wait for others here, so we do."""
    until = time.monotonic() + patience
    while True:
        try:
            with _told(engine), engine.connect() as connection:
                raw = connection.connection.dbapi_connection
                assert raw is not None  # noqa: S101 - a connection that is open has one
                try:
                    raw.cursor().execute("PRAGMA journal_mode=WAL")  # never inside a transaction
                except sqlite3.Error as err:
                    raise _refusal(engine, err) from err
        except StoreError as err:
            if "locked" not in str(err) or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def _begin(engine: Engine, kind: str) -> Iterator[Connection]:
    with engine.connect() as plain:
        connection = plain.execution_options(headgate_begin=kind)
        with connection.begin():
            if kind == "DEFERRED" and engine.dialect.name == "postgresql":
                connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            yield connection


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    """Say the database's refusals in our words."""
    try:
        yield
    except StatementError as err:
        if isinstance(err.orig, HeadgateError):  # a value refused on its way into a column
            raise err.orig from None
        raise _refusal(engine, err.orig or err) from err
    except (SQLAlchemyError, sqlite3.Error) as err:
        raise _refusal(engine, err) from err


def _refusal(engine: Engine, err: BaseException) -> StoreError:
    found = " ".join(str(err).split())
    otherwise = "nothing was written; mend the cause and try again"
    todo = next((todo for sign, todo in _TODO.items() if sign in found), otherwise)
    return StoreError(f"store {_where(engine)}: {found}; {todo}")


_TODO = {
    "readonly": "it is read-only: give the process write access to the file and its folder",
    "read-only": "it is read-only: connect to the primary, as a role that may write",
    "locked": "another process holds it: wait for it or end it, then try again",
    "lock timeout": "another process holds it: wait for it or end it, then try again",
    "is full": "make room on its disk, then try again; nothing was written",
    "disk I/O error": "its disk is full or fails: make room or mend it, then try again; nothing was written",
    "No space left": "make room on its disk, then try again; nothing was written",
    "not a database": "the file is something else: name another file",
    "malformed": "the file is damaged: restore it from a backup",
    "is history": "history is never rewritten: record something new instead",
    "unable to open": "check that the path is a file this process may open",
    "connection failed": "check that the server runs and the URL is right",
    "connection refused": "check that the server runs and the URL is right",
}


def _where(engine: Engine) -> str:
    return engine.url.database or "" if engine.dialect.name == "sqlite" else engine.url.render_as_string()
