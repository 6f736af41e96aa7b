"""What migrations are written with. It says what stored databases are: add to it, and change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

#: UTC with microseconds: sortable text in SQLite.
INSTANT = sa.String(27).with_variant(sa.DateTime(timezone=True), "postgresql")


def texts(*names: str) -> list[sa.Column[Any]]:
    """Return columns of text, none of them null."""
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def instant(name: str) -> sa.Column[Any]:
    """Return a column of a time, never null."""
    return sa.Column(name, INSTANT, nullable=False)


def serial() -> sa.Column[Any]:
    """Return the column ``id``, which counts up."""
    return sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True)


def keep(history: Sequence[str]) -> None:
    """Have the database refuse to change or remove a row of these tables."""
    postgres = op.get_bind().dialect.name == "postgresql"
    for table in history:
        if postgres:
            op.execute(
                f'CREATE TRIGGER keep_truncate BEFORE TRUNCATE ON "{table}" '
                "EXECUTE FUNCTION headgate_refuse()"
            )
        for event in ("UPDATE", "DELETE"):
            head = f'CREATE TRIGGER keep_{table}_{event.lower()} BEFORE {event} ON "{table}" FOR EACH ROW'
            body = (
                "EXECUTE FUNCTION headgate_refuse()"
                if postgres
                else f"BEGIN SELECT RAISE(ABORT, 'headgate: {table} is history: {event} refused'); END"
            )
            op.execute(f"{head} {body}")
