"""Holds the models of a service against their golden examples: one may change under its version."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from tasks.clock import the_time
from tasks.steps import find_recorded, look_at_steps


@flow(name="parity", flow_run_name="parity {service}")
def parity(service: str, now: datetime | None = None) -> bool | None:
    """Ask every model of the service its golden examples; return whether all do what was recorded.

    Of a rollout that is under way the next tick acts on it; of the model that serves, people are told. None:
    no plan of the service has a key `parity`, or no server answers.

    Args:
        service: Whose models are asked.
        now: The time this is held to be at, in UTC. Empty: the clock in use.
    """
    now = the_time(now)
    looks = [look_at_steps(one, now) for one in find_recorded(service)]
    known = [look.passed for look in looks if look.passed is not None]
    return all(known) if known else None
