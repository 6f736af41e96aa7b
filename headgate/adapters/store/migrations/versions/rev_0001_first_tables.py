"""The first tables, and the triggers that keep history as it was written.

Spelled out, not made from the models: a migration says what the tables were on its day.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_INSTANT = sa.String(27).with_variant(sa.DateTime(timezone=True), "postgresql")

_HISTORY = (
    "plan", "slice", "ledger", "confirmation", "evidence", "seen", "scored_window", "approval", "button",
    "acted", "incident", "fact",
)  # fmt: skip
# Of a rollout only these may change: token, version, done.
_FROZEN = (
    "seq", "id", "service", "name", "plan_hash", "candidate_version", "attempt", "salt", "opened_at",
    "opened_by",
)  # fmt: skip


def upgrade() -> None:
    """Create everything. There is no way down: the ledger is never taken back."""
    _rollouts()
    _record()
    _observed()
    _people()
    _protect()


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=null)


def _whole(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=null)


def _instant(name: str) -> sa.Column[Any]:
    return sa.Column(name, _INSTANT, nullable=False)


def _serial(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), primary_key=True, autoincrement=True)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _of_rollout(table: str, column: str = "rollout_id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["rollout.id"], name=f"fk_{table}_{column}")


def _rollouts() -> None:
    op.create_table(
        "plan", _text("hash"), _text("name"), _text("body"), _instant("saved_at"), _key("plan", "hash")
    )
    op.create_table(
        "rollout",
        _serial("seq"),
        _text("id"), _text("service"), _text("name"), _text("plan_hash"), _text("candidate_version"),
        _whole("attempt"), _text("salt"), _instant("opened_at"), _text("opened_by"),
        _whole("token", null=True), _whole("version"), sa.Column("done", sa.Boolean(), nullable=False),
        _key("rollout", "seq"),
        sa.UniqueConstraint("id", name="uq_rollout_id"),
        sa.UniqueConstraint(
            "service", "candidate_version", "attempt", name="uq_rollout_service_candidate_version_attempt"
        ),
        sa.ForeignKeyConstraint(["plan_hash"], ["plan.hash"], name="fk_rollout_plan_hash"),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index(
        "one_open_rollout_per_plan",
        "rollout",
        ["plan_hash"],
        unique=True,
        sqlite_where=sa.text("NOT done"),
        postgresql_where=sa.text("NOT done"),
    )
    op.create_index("ix_rollout_service_seq", "rollout", ["service", "seq"])
    op.create_table(
        "lease",
        _text("service"), _text("holder", null=True), _whole("token"),
        _key("lease", "service"), _of_rollout("lease", "holder"),
    )  # fmt: skip


def _record() -> None:
    op.create_table(
        "slice",
        _text("rollout_id"), _text("name"),
        _key("slice", "rollout_id", "name"), _of_rollout("slice"),
    )  # fmt: skip
    op.create_table(
        "ledger",
        _text("rollout_id"), _text("slice"), _whole("tick"), _instant("at"), _text("flow_run_id"),
        _text("phase"), _whole("share_bp"), _text("move"), _text("body"),
        _key("ledger", "rollout_id", "slice", "tick"),
        sa.ForeignKeyConstraint(
            ["rollout_id", "slice"], ["slice.rollout_id", "slice.name"], name="fk_ledger_rollout_id_slice"
        ),
    )  # fmt: skip
    op.create_table(
        "confirmation",
        _text("rollout_id"), _whole("generation"), _instant("at"), _whole("share_bp"), _whole("entry"),
        _whole("step"),
        _key("confirmation", "rollout_id", "generation"), _of_rollout("confirmation"),
    )  # fmt: skip
    op.create_table(
        "fact",
        _text("rollout_id"), _text("name"), _text("value"), _instant("at"),
        _key("fact", "rollout_id", "name"), _of_rollout("fact"),
    )  # fmt: skip
    op.create_table(
        "incident",
        _text("rollout_id"), _instant("at"), _text("kind"), _text("text"),
        _key("incident", "rollout_id", "at", "kind"), _of_rollout("incident"),
    )  # fmt: skip


def _observed() -> None:
    op.create_table(
        "evidence",
        _serial("id"),
        _text("rollout_id"), _instant("batch"), _text("gate"), _text("segment"), _whole("entry"),
        _whole("share_bp"), _text("source"), _text("part"), _whole("tick"), _text("kind"),
        _text("sums"),
        _key("evidence", "id"), _of_rollout("evidence"),
        sa.UniqueConstraint(
            "rollout_id", "batch", "gate", "segment", "entry", "share_bp", "source", "part",
            name="uq_evidence",
        ),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_evidence_rollout_id_id", "evidence", ["rollout_id", "id"])
    op.create_table(
        "log_cursor", _text("service"), _whole("version"), _text("body"), _key("log_cursor", "service")
    )
    op.create_table(
        "seen",
        _text("rollout_id"), _whole("entry"), _text("entity"),
        _key("seen", "rollout_id", "entry", "entity"), _of_rollout("seen"),
    )  # fmt: skip
    op.create_table(
        "scored_window",
        _text("rollout_id"), _instant("start"), _instant("until"), _text("path"), _text("digest"),
        _text("counts"), _instant("scored_at"),
        _key("scored_window", "rollout_id", "start"), _of_rollout("scored_window"),
    )  # fmt: skip


def _people() -> None:
    op.create_table(
        "approval",
        _serial("id"),
        _text("rollout_id"), _whole("step"), _whole("attempt"), _text("person"), _text("approver"),
        _text("answer"), _text("digest"), _text("plan_hash"), _text("comment"), _instant("at"),
        _key("approval", "id"), _of_rollout("approval"),
        sa.UniqueConstraint(
            "rollout_id", "step", "attempt", "person", name="uq_approval_rollout_id_step_attempt_person"
        ),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_table(
        "button",
        _serial("id"),
        _text("rollout_id"), _text("verb"), _text("pressed_by"), _text("reason"), _instant("at"),
        _key("button", "id"), _of_rollout("button"),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_button_rollout_id_id", "button", ["rollout_id", "id"])
    op.create_table(
        "acted",
        sa.Column("button_id", sa.Integer(), nullable=False, autoincrement=False),
        _text("rollout_id"), _text("slice"), _whole("tick"),
        _key("acted", "button_id"),
        sa.ForeignKeyConstraint(["button_id"], ["button.id"], name="fk_acted_button_id"),
        sa.ForeignKeyConstraint(
            ["rollout_id", "slice", "tick"],
            ["ledger.rollout_id", "ledger.slice", "ledger.tick"],
            name="fk_acted_rollout_id_slice_tick",
        ),
    )  # fmt: skip


def _protect() -> None:
    rules = [(table, verb, "") for table in _HISTORY for verb in ("UPDATE", "DELETE")]
    rules += [(table, "DELETE", "") for table in ("rollout", "lease", "log_cursor")]
    rules.append(("rollout", f"UPDATE OF {', '.join(_FROZEN)}", ""))
    # A fencing token that came back would let an old holder write to the plane again.
    rules.append(("lease", "UPDATE", "WHEN (NEW.token < OLD.token)"))
    postgres = op.get_bind().dialect.name == "postgresql"
    if postgres:
        op.execute(
            "CREATE FUNCTION headgate_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'headgate: % is history: % refused', TG_TABLE_NAME, TG_OP; END $$"
        )
        for table in (*_HISTORY, "rollout", "lease", "log_cursor"):
            op.execute(
                f'CREATE TRIGGER keep_truncate BEFORE TRUNCATE ON "{table}" '
                "EXECUTE FUNCTION headgate_refuse()"
            )
    for table, verb, when in rules:
        event = verb.split()[0]
        head = f'CREATE TRIGGER keep_{table}_{event.lower()} BEFORE {verb} ON "{table}" FOR EACH ROW {when}'
        if postgres:
            op.execute(f"{head} EXECUTE FUNCTION headgate_refuse()")
        else:
            op.execute(
                f"{head} BEGIN SELECT RAISE(ABORT, 'headgate: {table} is history: {event} refused'); END"
            )
