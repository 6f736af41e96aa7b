"""Slices: evidence, confirmations, entities seen, answers and buttons say whose they are.

What was written before belongs to ``all``, the slice of every plan that has none. SQLite cannot change
a key in place: its tables are made anew with the same rows, ids and triggers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_INSTANT = sa.String(27).with_variant(sa.DateTime(timezone=True), "postgresql")


class _Table(NamedTuple):
    """A table whose key gains the slice: its old columns, and the key as it is from now on."""

    name: str
    columns: dict[str, Any]
    key: tuple[str, ...]
    old_name: str
    new_name: str
    serial: bool = False
    by_rollout: tuple[str, ...] = ()


_TABLES = (
    _Table(
        "confirmation",
        {"rollout_id": sa.Text, "generation": sa.Integer, "at": _INSTANT, "share_bp": sa.Integer}
        | {"entry": sa.Integer, "step": sa.Integer},
        ("rollout_id", "slice", "generation"),
        "pk_confirmation",
        "pk_confirmation",
    ),
    _Table(
        "seen",
        {"rollout_id": sa.Text, "entry": sa.Integer, "entity": sa.Text},
        ("rollout_id", "slice", "entry", "entity"),
        "pk_seen",
        "pk_seen",
    ),
    _Table(
        "evidence",
        {"id": sa.Integer, "rollout_id": sa.Text, "batch": _INSTANT, "gate": sa.Text, "segment": sa.Text}
        | {"entry": sa.Integer, "share_bp": sa.Integer, "source": sa.Text, "part": sa.Text}
        | {"tick": sa.Integer, "kind": sa.Text, "sums": sa.Text},
        ("rollout_id", "batch", "gate", "segment", "entry", "share_bp", "source", "part", "slice"),
        "uq_evidence",
        "uq_evidence",
        serial=True,
        by_rollout=("rollout_id", "id"),
    ),
    _Table(
        "approval",
        {"id": sa.Integer, "rollout_id": sa.Text, "step": sa.Integer, "attempt": sa.Integer}
        | {"person": sa.Text, "approver": sa.Text, "answer": sa.Text, "digest": sa.Text}
        | {"plan_hash": sa.Text, "comment": sa.Text, "at": _INSTANT},
        ("rollout_id", "slice", "step", "attempt", "person"),
        "uq_approval_rollout_id_step_attempt_person",
        "uq_approval_rollout_id_slice_step_attempt_person",
        serial=True,
    ),
)


def upgrade() -> None:
    """Give every key its slice. There is no way down: the ledger is never taken back."""
    widen = _alter if op.get_bind().dialect.name == "postgresql" else _make_anew
    for table in _TABLES:
        widen(table)
    # A key of its own it has, and others point to it: the column is enough.
    op.add_column("button", sa.Column("slice", sa.Text(), nullable=False, server_default="all"))


def _alter(table: _Table) -> None:
    op.add_column(table.name, sa.Column("slice", sa.Text(), nullable=False, server_default="all"))
    op.alter_column(table.name, "slice", server_default=None)
    op.drop_constraint(table.old_name, table.name)
    if table.serial:
        op.create_unique_constraint(table.new_name, table.name, list(table.key))
    else:
        op.create_primary_key(table.new_name, table.name, list(table.key))


def _make_anew(table: _Table) -> None:
    name, columns = table.name, ", ".join(f'"{column}"' for column in table.columns)
    key = sa.UniqueConstraint if table.serial else sa.PrimaryKeyConstraint
    keys: list[Any] = [key(*table.key, name=table.new_name)]
    if table.serial:
        keys.append(sa.PrimaryKeyConstraint("id", name=f"pk_{name}"))
    op.create_table(
        f"{name}_anew",
        *(sa.Column(column, kind, nullable=False) for column, kind in table.columns.items()),
        sa.Column("slice", sa.Text(), nullable=False),
        *keys,
        sa.ForeignKeyConstraint(["rollout_id"], ["rollout.id"], name=f"fk_{name}_rollout_id"),
        sqlite_autoincrement=table.serial,
    )
    op.execute(f"INSERT INTO {name}_anew ({columns}, slice) SELECT {columns}, 'all' FROM {name}")  # noqa: S608 - names of ours
    op.drop_table(name)  # drops its triggers with it, and fires none of them
    op.rename_table(f"{name}_anew", name)
    if table.by_rollout:
        op.create_index(f"ix_{name}_{'_'.join(table.by_rollout)}", name, list(table.by_rollout))
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER keep_{name}_{event.lower()} BEFORE {event} ON {name} FOR EACH ROW "
            f"BEGIN SELECT RAISE(ABORT, 'headgate: {name} is history: {event} refused'); END"
        )
