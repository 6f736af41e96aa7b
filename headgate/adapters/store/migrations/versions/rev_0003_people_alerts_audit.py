"""Approvers and what they said, sign-offs, alerts and their delivery, and the hash chain over all history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from headgate.adapters.codec import compact, stamp
from headgate.adapters.store.revising import INSTANT, instant, keep, serial, texts
from headgate.audit import GENESIS, Head, digest_of, link

revision = "0003"
down_revision = "0002"

# What is there already, with its key: it is vouched for as it stands on the day of this migration.
_CHAINED = {
    "plan": ("hash",),
    "rollout": ("id",),
    "slice": ("rollout_id", "name"),
    "ledger": ("rollout_id", "slice", "tick"),
    "confirmation": ("rollout_id", "slice", "generation"),
    "fact": ("rollout_id", "name"),
    "incident": ("rollout_id", "at", "kind"),
    "scored_window": ("rollout_id", "start"),
    "approval": ("id",),
    "button": ("id",),
    "acted": ("button_id",),
}
_CHANGING = {"token", "version", "done"}  # of a rollout
_HISTORY = ("audit", "approver", "said", "signoff", "alert", "delivery")


def upgrade() -> None:
    """Create them, as history. There is no way down: the ledger is never taken back."""
    _table(
        "audit",
        sa.Column("seq", sa.Integer(), nullable=False, autoincrement=False),
        instant("at"), *texts("kind", "rollout_id", "row_key", "digest", "prev", "hash"),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )  # fmt: skip
    _table("approver", serial(), *texts("person", "name", "verb", "secret", "by", "reason"), instant("at"))
    _table(
        "said",
        serial(), *texts("origin", "rollout_id", "slice", "request", "person", "answer"),
        sa.Column("accepted", sa.Boolean(), nullable=False), *texts("reason"), instant("at"),
        sa.UniqueConstraint("origin", name="uq_said_origin"),
        _of_rollout("said"),
    )  # fmt: skip
    op.create_index("ix_said_request_person", "said", ["request", "person"])
    _table(
        "signoff",
        serial(), *texts("rollout_id", "plan_hash", "role", "person", "name", "comment", "answers"),
        instant("at"), instant("expires_at"),
        _of_rollout("signoff"),
    )  # fmt: skip
    op.create_index("ix_signoff_plan_hash_role", "signoff", ["plan_hash", "role"])
    _table(
        "alert",
        serial(), *texts("key", "rollout_id", "slice", "kind", "body"), instant("at"),
        sa.UniqueConstraint("key", name="uq_alert_key"),
    )  # fmt: skip
    op.create_index("ix_alert_rollout_id_id", "alert", ["rollout_id", "id"])
    _table(
        "delivery",
        serial(), sa.Column("alert_id", sa.Integer(), nullable=False), *texts("route"),
        sa.Column("ok", sa.Boolean(), nullable=False), *texts("detail"), instant("at"),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_delivery_alert_id"),
    )  # fmt: skip
    op.create_index("ix_delivery_alert_id_route", "delivery", ["alert_id", "route"])
    _chain()
    keep(_HISTORY)


def _table(name: str, *parts: Any) -> None:
    serial = any(isinstance(part, sa.Column) and part.name == "id" for part in parts)
    keys = [sa.PrimaryKeyConstraint("id", name=f"pk_{name}")] if serial else []
    op.create_table(name, *parts, *keys, sqlite_autoincrement=serial)


def _of_rollout(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["rollout_id"], ["rollout.id"], name=f"fk_{table}_rollout_id")


def _chain() -> None:
    """Vouch for all rows there are; from here on every write vouches for its own."""
    audit = sa.table(
        "audit",
        sa.column("seq", sa.Integer), sa.column("at", INSTANT),
        *(sa.column(name, sa.Text) for name in ("kind", "rollout_id", "row_key", "digest", "prev", "hash")),
    )  # fmt: skip
    bind, now, head = op.get_bind(), datetime.now(UTC), Head(0, GENESIS)
    at = now if bind.dialect.name == "postgresql" else stamp(now)
    lines: list[dict[str, Any]] = []
    for kind, rollout_id, key, digest in _entries(bind):
        line = link(head, stamp(now), kind, rollout_id, key, digest)
        head = Head(line.seq, line.hash)
        lines.append(
            {"seq": line.seq, "at": at, "kind": kind, "rollout_id": rollout_id, "row_key": key}
            | {"digest": digest, "prev": line.prev, "hash": line.hash}
        )
    if lines:
        bind.execute(sa.insert(audit), lines)


def _entries(bind: sa.Connection) -> Iterator[tuple[str, str, str, str]]:
    for table, key in _CHAINED.items():
        for row in _rows(bind, table, key):
            whose = str(row["id"] if table == "rollout" else row.get("rollout_id", ""))
            yield table, whose, compact({name: row[name] for name in key}), digest_of(row)
    evidence = groupby(_rows(bind, "evidence", ("rollout_id", "id")), lambda row: str(row["rollout_id"]))
    for whose, group in evidence:
        rows = list(group)
        span = {"first": rows[0]["id"], "last": rows[-1]["id"], "rollout_id": whose, "rows": len(rows)}
        yield "evidence", whose, compact(span), digest_of(*rows)


def _rows(bind: sa.Connection, table: str, order: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    names = [column["name"] for column in sa.inspect(bind).get_columns(table)]
    names = [name for name in names if table != "rollout" or name not in _CHANGING]
    query = f'SELECT {_quoted(names)} FROM "{table}" ORDER BY {_quoted(order)}'  # noqa: S608 - names of ours
    for row in bind.execute(sa.text(query)):
        plain = (stamp(value) if isinstance(value, datetime) else value for value in row)
        yield dict(zip(names, plain, strict=True))


def _quoted(names: Any) -> str:
    return ", ".join(f'"{name}"' for name in names)
