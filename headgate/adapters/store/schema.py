"""Bringing a database to the tables this Headgate knows, once, however many start together."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from headgate.errors import StoreError

#: Not Alembic's default name: Prefect's server keeps that one, and both may share a database.
VERSION_TABLE = "headgate_version"

_MIGRATIONS = Path(__file__).parent / "migrations"
# Alembic keeps the migration under way in a module's globals.
_ONE_AT_A_TIME = Lock()
# Any number, as long as every Headgate takes the same one ("headgate" in ASCII).
_ADVISORY_LOCK = 0x6865616467617465


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the tables in the database; None when there are none of ours."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


@cache
def newest_revision() -> str | None:
    """Return the revision of the tables that this Headgate knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def migrate(connection: Connection) -> None:
    """Bring the tables to the newest revision, inside the caller's write transaction.

    Raises
    ------
    StoreError
        If a newer Headgate migrated the database.
    """
    if connection.dialect.name == "postgresql":
        # SQLite's write transaction already keeps others out; here nothing would until we commit.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    config = _config()
    scripts = ScriptDirectory.from_config(config)
    found, head = revision_of(connection), scripts.get_current_head()
    if found == head:
        return
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        raise StoreError(
            f"asked tables of revision {head} or older; found revision {found}, which a newer Headgate "
            "made; upgrade this Headgate"
        )
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
