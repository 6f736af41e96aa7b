"""Opens a rollout: the plan is checked, frozen and recorded. No traffic moves."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow

from tasks.ledger import open_in_store
from tasks.plans import read_plan


@flow(name="open", flow_run_name="open {plan_path}")
def open_rollout(plan_path: str, now: datetime | None = None, opened_by: str = "command line") -> str:
    """Open a rollout of the plan at this path; return its id.

    It takes the service's lease, or queues behind the rollout that has it.
    """
    plan = read_plan(plan_path)
    return open_in_store(plan, now or datetime.now(UTC), opened_by).id
