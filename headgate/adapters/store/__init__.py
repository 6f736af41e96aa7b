"""The store: plans, rollouts, ledger, evidence and what people said, on SQLite or PostgreSQL.

Functions take an engine of `connect` and plain values; tables stay inside. History is appended,
never rewritten: the database's own triggers refuse it.
"""

from headgate.adapters.store.batches import add_evidence, evidence, evidence_mark, last_batch
from headgate.adapters.store.engine import connect, describe
from headgate.adapters.store.lease import open_rollout, promote_queue
from headgate.adapters.store.ledger import (
    Confirmation,
    confirm,
    confirmations,
    last_tick,
    owner_of,
    record,
    ticks,
)
from headgate.adapters.store.notes import Incident, add_incident, facts, freeze, incidents
from headgate.adapters.store.people import answer, approvals, open_orders, orders, press
from headgate.adapters.store.plans import plan_of, save_plan
from headgate.adapters.store.rollout_rows import (
    Rollout,
    get,
    holder,
    rollouts,
    services,
    slice_names,
)
from headgate.adapters.store.scored import Window, add_window, windows
from headgate.adapters.store.traffic_log import Cursor, cursor, ingest, seen

__all__ = [
    "Confirmation",
    "Cursor",
    "Incident",
    "Rollout",
    "Window",
    "add_evidence",
    "add_incident",
    "add_window",
    "answer",
    "approvals",
    "confirm",
    "confirmations",
    "connect",
    "cursor",
    "describe",
    "evidence",
    "evidence_mark",
    "facts",
    "freeze",
    "get",
    "holder",
    "incidents",
    "ingest",
    "last_batch",
    "last_tick",
    "open_orders",
    "open_rollout",
    "orders",
    "owner_of",
    "plan_of",
    "press",
    "promote_queue",
    "record",
    "rollouts",
    "save_plan",
    "seen",
    "services",
    "slice_names",
    "ticks",
    "windows",
]
