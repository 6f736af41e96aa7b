"""An operator's button: take all traffic back to the incumbent."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow

from flows.advance import advance
from headgate.plan.model import ALL
from headgate.rollout.state import Verb
from tasks.people import press


@flow(name="rollback", flow_run_name="ROLLBACK {service}: {reason}")
def rollback(service: str, reason: str, by: str, now: datetime | None = None, slice_: str = ALL) -> str:
    """Roll back the rollout that holds this service, whatever its gates say; return its id.

    All of its slices, unless one is named.

    The order is recorded first, then a tick acts on it at once. Should that tick fail, the next
    scheduled one finds the order and acts on it.
    """
    now = now or datetime.now(UTC)
    rollout = press(service, Verb.ROLLBACK, by, reason, now, slice_)
    advance.fn(service, now)
    return rollout
