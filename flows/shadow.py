"""Scores windows of the request log with both sides, off the answer path."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from headgate.plan.durations import parse_duration
from tasks.clock import the_time
from tasks.ledger import take_case
from tasks.reviewing import ask_reviewers
from tasks.scoring import due_windows, score_window


@flow(name="shadow", flow_run_name="shadow {service}")
def shadow(service: str, now: datetime | None = None, every: str = "1d") -> int:
    """Score every complete window that is not scored yet; return how many.

    Windows missed while nothing ran are caught up in order, so that no block of time stays half seen.
    Running it twice scores nothing twice.

    Args:
        service: Whose requests are scored.
        now: Windows that end by this time, in UTC, are complete. Empty: the clock in use.
        every: Length of a window, a whole number of the plan's blocks, e.g. 6h, 1d or 7d.
    """
    now = the_time(now)
    case = take_case(service, now)
    if case is None:
        return 0
    windows = due_windows(case, now, parse_duration(every))
    for start, end in windows:
        score_window(case, start, end, now)
    ask_reviewers(case, now)
    return len(windows)
