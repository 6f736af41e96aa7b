"""The load test of a rollout's candidate, for whoever has Prefect's UI and no shell."""

from __future__ import annotations

from prefect import flow, get_run_logger

from headgate.capacity.telling import headline
from tasks.loading import load_test, of_rollout


@flow(name="load-test", flow_run_name="LOAD TEST of {rollout}")
def run_load_test(rollout: str) -> str:
    """Send N times the pilot's volume to the candidate, through a plane of its own, and record what it bears.

    Args:
        rollout: Id of the rollout, as `headgate status` shows it; it must not have begun its shadow.
    """
    subject = of_rollout(rollout)
    found = load_test(subject, get_run_logger().info)
    return headline(found.verdict(subject.plan))
