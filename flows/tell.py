"""Tells people what is in the outbox. Safe to run at any time: what is told is not told again."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow

from headgate.errors import NoticeUnavailable
from tasks.clock import the_time
from tasks.notices import close_told, due, note_silence, tell_one


@flow(name="tell", flow_run_name="tell")
def tell(silent: str | None = None, now: datetime | None = None) -> int:
    """Send every message that is due, one per rollout, kind and route; return how many arrived.

    What does not arrive is tried again later, and people are told of it on the other routes.

    Args:
        silent: A service whose ticks have stopped, as the dead man's switch found. Empty: none.
        now: The time this is held to be at, in UTC. Empty: the clock in use.
    """
    tick = the_time(now)
    if silent:
        note_silence(silent.removeprefix("headgate.service."), tick)
    wrong, told = [], 0
    for _round in range(2):  # the second tells of what did not arrive in the first
        at = datetime.now(UTC)
        faults = [tell_one(batch, at) for batch in due(at)]
        wrong += [fault for fault in faults if fault]
        told += sum(fault is None for fault in faults)
        if not close_told(datetime.now(UTC), tick):
            break
    if wrong:
        raise NoticeUnavailable(f"{len(wrong)} message(s) did not arrive: {'; '.join(wrong)}")
    return told
