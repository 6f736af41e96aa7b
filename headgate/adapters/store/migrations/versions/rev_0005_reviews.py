"""Cases that people are asked to look at, what they said, and how much of it each window brought."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from headgate.adapters.store.revising import instant, keep, texts

revision = "0005"
down_revision = "0004"

_HISTORY = ("review_case", "review_decision", "review_window")


def upgrade() -> None:
    """Create them, as history but for who looks at what. There is no way down."""
    op.create_table(
        "review_case",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        *texts("service", "request_id", "entity"), instant("at"),
        *texts("reason", "rollout_id", "slice", "stratum", "body"), instant("put_at"),
        sa.PrimaryKeyConstraint("id", name="pk_review_case"),
        sa.UniqueConstraint("service", "request_id", name="uq_review_case_service_request_id"),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_review_case_service_put_at", "review_case", ["service", "put_at"])
    op.create_table(
        "review_decision",
        _case_id(), sa.Column("revision", sa.Integer(), nullable=False, autoincrement=False),
        *texts("rollout_id", "ruling", "answer", "reviewer", "comment"), instant("at"),
        sa.PrimaryKeyConstraint("case_id", "revision", name="pk_review_decision"),
        _of_case("review_decision"),
    )  # fmt: skip
    op.create_table(
        "review_window",
        *texts("rollout_id"), instant("start"), instant("until"), *texts("body"), instant("at"),
        sa.PrimaryKeyConstraint("rollout_id", "start", name="pk_review_window"),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollout.id"], name="fk_review_window_rollout_id"),
    )  # fmt: skip
    op.create_table(
        "review_desk",
        _case_id(), *texts("service"), sa.Column("open", sa.Boolean(), nullable=False),
        *texts("reviewer"), instant("until"),
        sa.PrimaryKeyConstraint("case_id", name="pk_review_desk"),
        _of_case("review_desk"),
    )  # fmt: skip
    op.create_index("ix_review_desk_service_open", "review_desk", ["service", "open"])
    keep(_HISTORY)


def _case_id() -> sa.Column[Any]:
    return sa.Column("case_id", sa.Integer(), nullable=False, autoincrement=False)


def _of_case(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["case_id"], ["review_case.id"], name=f"fk_{table}_case_id")
