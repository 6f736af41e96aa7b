"""What the monitor found out, window by window, and every retraining with how it ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from headgate.adapters.store.revising import instant, keep, serial, texts

revision = "0004"
down_revision = "0003"

_HISTORY = ("monitored", "retraining", "retrained")


def upgrade() -> None:
    """Create them, as history. There is no way down: the ledger is never taken back."""
    op.create_table(
        "monitored",
        serial(), *texts("service", "kind"), instant("since"), instant("until"),
        *texts("version", "verdict", "body"), instant("at"),
        sa.PrimaryKeyConstraint("id", name="pk_monitored"),
        sa.UniqueConstraint(
            "service", "kind", "version", "since", name="uq_monitored_service_kind_version_since"
        ),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_monitored_service_id", "monitored", ["service", "id"])
    op.create_table(
        "retraining",
        serial(), *texts("service", "trigger", "origin", "owner"), instant("at"),
        sa.PrimaryKeyConstraint("id", name="pk_retraining"),
        sa.UniqueConstraint("service", "origin", name="uq_retraining_service_origin"),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_table(
        "retrained",
        sa.Column("retraining_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        *texts("reason", "version", "rollout_id", "body"), instant("at"),
        sa.PrimaryKeyConstraint("retraining_id", name="pk_retrained"),
        sa.ForeignKeyConstraint(["retraining_id"], ["retraining.id"], name="fk_retrained_retraining_id"),
    )  # fmt: skip
    keep(_HISTORY)
