"""Watches the model that serves: whether the world looks as it did, and whether answers are as good."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow

from tasks.clock import the_time
from tasks.drifting import look_for_silence, say_what_drifts
from tasks.monitored import publish_monitoring
from tasks.performing import count_live, measure
from tasks.profiling import due_windows, look_at
from tasks.watching import find_served


@flow(name="monitor", flow_run_name="monitor {service}")
def monitor(service: str, now: datetime | None = None) -> dict[str, Any] | None:
    """Look at every complete window of requests that nobody looked at yet; return where the service stands.

    Windows missed while nothing ran are caught up in order. Running it twice finds nothing out twice. A
    drift emits `headgate.drift.detected`; this flow retrains nothing. None: the plan has no key `drift`.

    Args:
        service: Whose model is watched.
        now: Windows that end by this time, in UTC, are complete. Empty: the clock in use.
    """
    now = the_time(now)
    watched = find_served(service)
    if watched is None:
        return None
    for span in due_windows(watched, now):
        look_at(watched, span, now)
    measure(watched, now)
    count_live(watched, now)
    silent = look_for_silence(watched, now)
    say_what_drifts(watched, now)
    return publish_monitoring(watched, silent, now)
