"""What the monitor found out, window by window, and every retraining with how it ended."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_INSTANT = sa.String(27).with_variant(sa.DateTime(timezone=True), "postgresql")
_HISTORY = ("monitored", "retraining", "retrained")


def upgrade() -> None:
    """Create them, as history. There is no way down: the ledger is never taken back."""
    op.create_table(
        "monitored",
        _serial(), *_texts("service", "kind"), _instant("since"), _instant("until"),
        *_texts("version", "verdict", "body"), _instant("at"),
        sa.PrimaryKeyConstraint("id", name="pk_monitored"),
        sa.UniqueConstraint(
            "service", "kind", "version", "since", name="uq_monitored_service_kind_version_since"
        ),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_monitored_service_id", "monitored", ["service", "id"])
    op.create_table(
        "retraining",
        _serial(), *_texts("service", "trigger", "origin", "owner"), _instant("at"),
        sa.PrimaryKeyConstraint("id", name="pk_retraining"),
        sa.UniqueConstraint("service", "origin", name="uq_retraining_service_origin"),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_table(
        "retrained",
        sa.Column("retraining_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        *_texts("reason", "version", "rollout_id", "body"), _instant("at"),
        sa.PrimaryKeyConstraint("retraining_id", name="pk_retrained"),
        sa.ForeignKeyConstraint(["retraining_id"], ["retraining.id"], name="fk_retrained_retraining_id"),
    )  # fmt: skip
    _protect()


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _instant(name: str) -> sa.Column[Any]:
    return sa.Column(name, _INSTANT, nullable=False)


def _serial() -> sa.Column[Any]:
    return sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True)


def _protect() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    for table in _HISTORY:
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
