"""Alembic's way in: run the migrations on the connection that `schema.migrate` hands over."""

from __future__ import annotations

from alembic import context

from headgate.adapters.store.schema import VERSION_TABLE
from headgate.adapters.store.tables import METADATA


def run() -> None:
    """Run them inside the caller's transaction: a migration happens whole or not at all."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


# Alembic loads this file under this name; anybody else (a doctest collector) only imports it.
if __name__ == "env_py":
    run()
