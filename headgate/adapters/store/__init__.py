"""The store: plans, rollouts, ledger, evidence and what people said, on SQLite or PostgreSQL.

Functions take an engine of `connect` and plain values; tables stay inside. History is appended,
never rewritten: the database's own triggers refuse it.
"""

from headgate.adapters.store.alerts import (
    OpenAlert,
    add_alerts,
    alerts,
    alerts_by_id,
    attempts,
    given_up,
    note_attempts,
    open_alerts,
)
from headgate.adapters.store.answers import answer, approvals, author_of, lose, refuse_author, take
from headgate.adapters.store.approvers import Approver, approvers, enrol, revoke, sealed_secret
from headgate.adapters.store.batches import add_evidence, evidence, evidence_mark, last_batch
from headgate.adapters.store.engine import connect, describe
from headgate.adapters.store.glass import break_glass
from headgate.adapters.store.lease import open_rollout, promote_queue, reopen
from headgate.adapters.store.ledger import (
    Confirmation,
    confirm,
    confirmations,
    last_tick,
    owner_of,
    record,
    tick_at,
    ticks,
)
from headgate.adapters.store.notes import Incident, add_incident, facts, freeze, incidents
from headgate.adapters.store.people import open_orders, orders, press
from headgate.adapters.store.plans import plan_of, save_plan
from headgate.adapters.store.rollout_rows import (
    Rollout,
    get,
    holder,
    rollouts,
    services,
    slice_names,
)
from headgate.adapters.store.said import WRONG_CODE, Said, all_said, said_of
from headgate.adapters.store.scored import Window, add_window, windows
from headgate.adapters.store.signoffs import Signature, sign, signatures
from headgate.adapters.store.traffic_log import Cursor, cursor, ingest, seen

__all__ = [
    "WRONG_CODE",
    "Approver",
    "Confirmation",
    "Cursor",
    "Incident",
    "OpenAlert",
    "Rollout",
    "Said",
    "Signature",
    "Window",
    "add_alerts",
    "add_evidence",
    "add_incident",
    "add_window",
    "alerts",
    "alerts_by_id",
    "all_said",
    "answer",
    "approvals",
    "approvers",
    "attempts",
    "author_of",
    "break_glass",
    "confirm",
    "confirmations",
    "connect",
    "cursor",
    "describe",
    "enrol",
    "evidence",
    "evidence_mark",
    "facts",
    "freeze",
    "get",
    "given_up",
    "holder",
    "incidents",
    "ingest",
    "last_batch",
    "last_tick",
    "lose",
    "note_attempts",
    "open_alerts",
    "open_orders",
    "open_rollout",
    "orders",
    "owner_of",
    "plan_of",
    "press",
    "promote_queue",
    "record",
    "refuse_author",
    "reopen",
    "revoke",
    "rollouts",
    "said_of",
    "save_plan",
    "sealed_secret",
    "seen",
    "services",
    "sign",
    "signatures",
    "slice_names",
    "take",
    "tick_at",
    "ticks",
    "windows",
]
