"""Whether a rollout's candidate was load-tested, for its preflight."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from headgate.rollout.state import Check
from tasks.loading import newest_test

if TYPE_CHECKING:
    from tasks.ledger import Case  # it imports Prefect, which this does not need


def load_checks(case: Case, now: datetime) -> tuple[Check, ...]:
    """Return a check where the plan asks for a load test; one that is missing or over waits for somebody."""
    if case.plan.load is None:
        return ()
    todo = f"`headgate load test {case.rollout.id}`"
    found = newest_test(case.rollout.id)
    if found is None:
        return (Check("load", passed=None, reason=f"nobody has load-tested the candidate; run {todo}"),)
    if found.at + case.plan.load.valid <= now:
        over = f"the load test of {found.at:%Y-%m-%d %H:%M} UTC no longer holds; run {todo}"
        return (Check("load", passed=None, reason=over),)
    verdict = found.verdict(case.plan)
    again = f"; {todo}" if verdict.passed is None else ""
    return (Check("load", passed=verdict.passed, reason=f"{verdict.reason}{again}"),)
