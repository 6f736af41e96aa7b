"""The tables. They never leave this package: frozen dataclasses do.

Only ``rollout``, ``lease``, ``log_cursor`` and ``review_desk`` ever change; every other table is history,
which the database itself refuses to rewrite (see the triggers in the migrations).

Structured values are JSON in TEXT columns, not in the database's JSON type: PostgreSQL's would turn
-0.0 into 0 and reorder keys, and a replay has to read the very same bits.
"""

from headgate.adapters.store.tables.base import METADATA
from headgate.adapters.store.tables.evidence import BatchRow, CursorRow, SeenRow, WindowRow
from headgate.adapters.store.tables.monitoring import MonitoredRow, RetrainedRow, RetrainingRow
from headgate.adapters.store.tables.people import (
    ActedRow,
    AlertRow,
    ApprovalRow,
    ApproverRow,
    AuditRow,
    ButtonRow,
    DeliveryRow,
    SaidRow,
    SignOffRow,
)
from headgate.adapters.store.tables.reviews import (
    ReviewCaseRow,
    ReviewDecisionRow,
    ReviewDeskRow,
    ReviewWindowRow,
)
from headgate.adapters.store.tables.rollouts import (
    ConfirmationRow,
    FactRow,
    IncidentRow,
    LeaseRow,
    LedgerRow,
    PlanRow,
    RolloutRow,
    SliceRow,
)

__all__ = [
    "METADATA",
    "ActedRow",
    "AlertRow",
    "ApprovalRow",
    "ApproverRow",
    "AuditRow",
    "BatchRow",
    "ButtonRow",
    "ConfirmationRow",
    "CursorRow",
    "DeliveryRow",
    "FactRow",
    "IncidentRow",
    "LeaseRow",
    "LedgerRow",
    "MonitoredRow",
    "PlanRow",
    "RetrainedRow",
    "RetrainingRow",
    "ReviewCaseRow",
    "ReviewDecisionRow",
    "ReviewDeskRow",
    "ReviewWindowRow",
    "RolloutRow",
    "SaidRow",
    "SeenRow",
    "SignOffRow",
    "SliceRow",
    "WindowRow",
]
