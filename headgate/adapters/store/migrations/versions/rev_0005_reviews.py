"""Cases that people are asked to look at, what they said, and how much of it each window brought."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_INSTANT = sa.String(27).with_variant(sa.DateTime(timezone=True), "postgresql")
_HISTORY = ("review_case", "review_decision", "review_window")


def upgrade() -> None:
    """Create them, as history but for who looks at what. There is no way down."""
    op.create_table(
        "review_case",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        *_texts("service", "request_id", "entity"), _instant("at"),
        *_texts("reason", "rollout_id", "slice", "stratum", "body"), _instant("put_at"),
        sa.PrimaryKeyConstraint("id", name="pk_review_case"),
        sa.UniqueConstraint("service", "request_id", name="uq_review_case_service_request_id"),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_review_case_service_put_at", "review_case", ["service", "put_at"])
    op.create_table(
        "review_decision",
        _case_id(), sa.Column("revision", sa.Integer(), nullable=False, autoincrement=False),
        *_texts("rollout_id", "ruling", "answer", "reviewer", "comment"), _instant("at"),
        sa.PrimaryKeyConstraint("case_id", "revision", name="pk_review_decision"),
        _of_case("review_decision"),
    )  # fmt: skip
    op.create_table(
        "review_window",
        *_texts("rollout_id"), _instant("start"), _instant("until"), *_texts("body"), _instant("at"),
        sa.PrimaryKeyConstraint("rollout_id", "start", name="pk_review_window"),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollout.id"], name="fk_review_window_rollout_id"),
    )  # fmt: skip
    op.create_table(
        "review_desk",
        _case_id(), *_texts("service"), sa.Column("open", sa.Boolean(), nullable=False),
        *_texts("reviewer"), _instant("until"),
        sa.PrimaryKeyConstraint("case_id", name="pk_review_desk"),
        _of_case("review_desk"),
    )  # fmt: skip
    op.create_index("ix_review_desk_service_open", "review_desk", ["service", "open"])
    _protect()


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _instant(name: str) -> sa.Column[Any]:
    return sa.Column(name, _INSTANT, nullable=False)


def _case_id() -> sa.Column[Any]:
    return sa.Column("case_id", sa.Integer(), nullable=False, autoincrement=False)


def _of_case(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["case_id"], ["review_case.id"], name=f"fk_{table}_case_id")


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
