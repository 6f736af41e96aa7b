"""Opens a rollout: the plan is checked, frozen and recorded. No traffic moves."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from tasks.clock import the_time
from tasks.ledger import open_in_store
from tasks.plans import read_plan


@flow(name="open", flow_run_name="open {plan_path}")
def open_rollout(plan_path: str, now: datetime | None = None, opened_by: str = "command line") -> str:
    """Open a rollout of the plan at this path; return its id.

    It takes the service's lease, or queues behind the rollout that has it.

    Args:
        plan_path: The plan, as a path on the worker's machine.
        now: The time at which it opens, in UTC. Empty: the clock in use.
        opened_by: Who opens it; this goes into the record.
    """
    plan = read_plan(plan_path)
    return open_in_store(plan, the_time(now), opened_by).id
