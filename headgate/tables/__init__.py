"""The three tables of a rollout: requests, exchanges, outcomes."""

from headgate.tables.clean import (
    Cleaned,
    clean_outcomes,
    clean_requests,
    known_before_request,
    unknown_outcomes,
)
from headgate.tables.columns import INSTANT
from headgate.tables.schemas import (
    EXCHANGES,
    REQUESTS,
    SEGMENT,
    exchanges_schema,
    outcomes_schema,
    require,
)

__all__ = [
    "EXCHANGES",
    "INSTANT",
    "REQUESTS",
    "SEGMENT",
    "Cleaned",
    "clean_outcomes",
    "clean_requests",
    "exchanges_schema",
    "known_before_request",
    "outcomes_schema",
    "require",
    "unknown_outcomes",
]
