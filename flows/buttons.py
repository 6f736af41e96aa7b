"""An operator's buttons: the order is recorded first, then a tick acts on it at once.

Should that tick fail, the run is red and the order stands: the next scheduled tick acts on it.
"""

from __future__ import annotations

from datetime import datetime

from prefect import flow, get_run_logger

from flows.advance import advance
from headgate.plan.model import ALL
from headgate.rollout.state import Verb
from tasks import verbs
from tasks.clock import the_time


@flow(name="rollback", flow_run_name="ROLLBACK {service}: {reason}")
def rollback(service: str, reason: str, by: str, now: datetime | None = None, slice_: str = ALL) -> str:
    """Take all traffic back to the incumbent, now, whatever the gates say; return the rollout's id.

    Args:
        service: Whose rollout is rolled back.
        reason: Why; this goes into the record.
        by: Who you are; this goes into the record.
        now: The time of the order, in UTC. Empty: the clock in use.
        slice_: One slice, where the plan has any; all: every one.
    """
    return _pressed(Verb.ROLLBACK, service, reason, by, now, slice_)


@flow(name="abort", flow_run_name="ABORT {service}: {reason}")
def abort(service: str, reason: str, by: str, now: datetime | None = None, slice_: str = ALL) -> str:
    """End the rollout as aborted, with all traffic at the incumbent: nothing beats it; return its id.

    Args:
        service: Whose rollout is ended.
        reason: Why; this goes into the record.
        by: Who you are; this goes into the record.
        now: The time of the order, in UTC. Empty: the clock in use.
        slice_: One slice, where the plan has any; all: every one.
    """
    return _pressed(Verb.ABORT, service, reason, by, now, slice_)


@flow(name="pause", flow_run_name="PAUSE {service}: {reason}")
def pause(service: str, reason: str, by: str, now: datetime | None = None, slice_: str = ALL) -> str:
    """Stand still at the present share; timers shift, and harm still rolls back; return the rollout's id.

    Args:
        service: Whose rollout is paused.
        reason: Why; this goes into the record.
        by: Who you are; this goes into the record.
        now: The time of the order, in UTC. Empty: the clock in use.
        slice_: One slice, where the plan has any; all: every one.
    """
    return _pressed(Verb.PAUSE, service, reason, by, now, slice_)


@flow(name="resume", flow_run_name="RESUME {service}: {reason}")
def resume(service: str, reason: str, by: str, now: datetime | None = None, slice_: str = ALL) -> str:
    """End a pause; an alarm that paused it starts afresh at half its error level; return the rollout's id.

    Args:
        service: Whose rollout goes on.
        reason: Why; this goes into the record.
        by: Who you are; this goes into the record.
        now: The time of the order, in UTC. Empty: the clock in use.
        slice_: One slice, where the plan has any; all: every one.
    """
    return _pressed(Verb.RESUME, service, reason, by, now, slice_)


@flow(name="undo", flow_run_name="UNDO {service}: {reason}")
def undo(service: str, reason: str, by: str, now: datetime | None = None, slice_: str = ALL) -> str:
    """Take the service's last promotion back: the incumbent gets its traffic again; return the rollout's id.

    Only while no other rollout of the service came after it.

    Args:
        service: Whose promotion is taken back.
        reason: Why; this goes into the record.
        by: Who you are; this goes into the record.
        now: The time of the order, in UTC. Empty: the clock in use.
        slice_: One slice, where the plan has any; all: every one that was promoted.
    """
    now = the_time(now)
    rollout = verbs.undo(service, by, reason, now, slice_)
    get_run_logger().info("recorded: undo %s; a tick acts on it now", rollout)
    advance.fn(service, now)
    return rollout


@flow(name="retry", flow_run_name="RETRY {rollout}: {reason}")
def retry(rollout: str, reason: str, by: str, now: datetime | None = None) -> str:
    """Open a rollout anew that ended without a promotion, with the same frozen plan; return the new id.

    Args:
        rollout: Its id, or its service: then the newest of that service is meant.
        reason: Why; this goes into the record.
        by: Who you are; this goes into the record.
        now: The time of the order, in UTC. Empty: the clock in use.
    """
    return verbs.retry(rollout, by, reason, the_time(now))


def _pressed(verb: Verb, service: str, reason: str, by: str, now: datetime | None, slice_: str) -> str:
    now = the_time(now)
    rollout = verbs.press(service, verb, by, reason, now, slice_)
    get_run_logger().info("recorded: %s %s; a tick acts on it now", verb.value, rollout)
    advance.fn(service, now)
    return rollout
