"""Rings the bell: events for Prefect's automations. What is to be told is in the store already.

An event may be lost and costs nothing: as long as something is due, every tick rings again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from headgate.adapters.anchors import anchor
from headgate.adapters.store import audit
from headgate.plan.duties import NoticeKind
from headgate.report.formats import percent
from tasks import wiring
from tasks.direct import task
from tasks.ledger import Case
from tasks.notices import due
from tasks.retrying import ONCE

_log = logging.getLogger(__name__)

#: Names of events, and of what they are about.
TICK = "headgate.tick"
SERVICE, ROLLOUT = "headgate.service.", "headgate.rollout."
#: Of every alert there is; the automation that empties the outbox expects these.
KINDS = tuple(f"headgate.{kind.value}" for kind in NoticeKind)


@task(name="ring", **ONCE)
def ring(service: str, case: Case | None, now: datetime) -> None:
    """Emit a heartbeat of this service's ticks and an event for all that is due; note the audit head.

    A tick is over when it comes here. Nothing that goes wrong now may make it fail.
    """
    _quietly("note the audit head", _anchor)
    _quietly("send the heartbeat", lambda: _heartbeat(service, case, now))
    _quietly("ring for what is due", lambda: _ring(case))


def ring_for_alerts() -> None:
    """Emit an event for all that is due and note the audit head; no heartbeat: whoever calls is no tick."""
    _quietly("note the audit head", _anchor)
    _quietly("ring for what is due", lambda: _ring(None))


def _anchor() -> None:
    wired = wiring.build()
    anchor(wired.settings.anchors, audit.head(wired.engine), datetime.now(UTC))


def _heartbeat(service: str, case: Case | None, now: datetime) -> None:
    facts = {"service": service, "at": now.isoformat()}
    if case is not None:
        facts |= {"rollout": case.rollout.id, "share": percent(max(state.share_bp for state in case.states))}
    _emit(TICK, f"{SERVICE}{service}", service, facts)


def _ring(case: Case | None) -> None:
    known = {case.rollout.id: case.plan} if case else None
    for batch in due(datetime.now(UTC), known):
        for alert in batch.alerts:
            facts = {"rollout": alert.rollout, "kind": alert.kind.value, "key": alert.key}
            _emit(f"headgate.{alert.kind.value}", f"{ROLLOUT}{alert.rollout or 'none'}", alert.rollout, facts)


def _emit(event: str, resource: str, name: str, payload: dict[str, str]) -> None:
    # Without a server to send to, Prefect would start one of its own.
    if PREFECT_API_URL.value():
        emit_event(event, {"prefect.resource.id": resource, "prefect.resource.name": name}, payload=payload)


def _quietly(what: str, act: Callable[[], None]) -> None:
    try:
        act()
    except Exception:  # noqa: BLE001 - the tick did its work; the next one rings again
        _log.exception("could not %s", what)
