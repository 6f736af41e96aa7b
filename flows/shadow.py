"""Scores windows of the request log with both sides, off the answer path."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow

from headgate.plan.durations import parse_duration
from tasks.ledger import take_case
from tasks.scoring import due_windows, score_window


@flow(name="shadow", flow_run_name="shadow {service}")
def shadow(service: str, now: datetime | None = None, every: str = "1d") -> int:
    """Score every complete window that is not scored yet; return how many.

    Windows missed while nothing ran are caught up in order, so that no block of time stays half seen.
    Running it twice scores nothing twice.
    """
    now = now or datetime.now(UTC)
    case = take_case(service, now)
    if case is None:
        return 0
    windows = due_windows(case, now, parse_duration(every))
    for start, end in windows:
        score_window(case, start, end, now)
    return len(windows)
