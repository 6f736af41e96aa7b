"""Keeps what people look at up to date: the status artifact, and a page per rollout."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from tasks.clock import the_time
from tasks.publishing import Published, mark, publish_rollout, publish_status, readable, standing


@flow(name="publish", flow_run_name="publish")
def publish(everything: bool = False, now: datetime | None = None) -> list[str]:
    """Publish what changed since last time; return the names of the rollouts whose pages were written.

    Args:
        everything: Write every page anew, also of rollouts that did not change.
        now: Act as of this time, in UTC. Empty: the clock in use.
    """
    now = the_time(now)
    known = Published.read()
    rollouts = standing(now)
    changed = [
        s for s in rollouts if readable(s) and (everything or mark(s) != known.rollouts.get(s[0].rollout))
    ]
    for slices in changed:
        name = slices[0].rollout
        publish_rollout(name, slices, now)
        known.rollouts[name] = mark(slices)
        known.write()
    status = publish_status(rollouts, "" if everything else known.status)
    if status != known.status:
        known.status = status
        known.write()
    return [slices[0].rollout for slices in changed]
