"""Says what drifts, to the server, whose automation may retrain; and, to people, that nothing comes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from headgate.adapters.store import monitoring, retrainings
from headgate.alerts.monitoring import no_data
from headgate.performance import Kind
from headgate.performance.episodes import Episode, episode
from headgate.performance.schedule import silence
from tasks import wiring
from tasks.direct import task
from tasks.performing import about
from tasks.retrying import ONCE, OUTSIDE
from tasks.telling import SERVICE, ring_for_alerts
from tasks.watching import Watched

#: What the server hears of a drift; `headgate.drift`, without more, is the alert that people get.
DETECTED = "headgate.drift.detected"
#: How far back usual gaps between requests are looked for.
_LATELY = timedelta(days=60)


@task(name="look for silence", **OUTSIDE)
def look_for_silence(watched: Watched, now: datetime) -> timedelta | None:
    """Tell people if no request has come for longer than it ever takes; return for how long, else None.

    A service that rests at weekends is silent every week: its gaps of the last two months say what is usual.
    """
    missing = silent_for(watched, now)
    if missing is not None:
        monitoring.record(wiring.build().engine, [], [no_data(about(watched), now - missing, missing, now)])
    return missing


def silent_for(watched: Watched, now: datetime) -> timedelta | None:
    """Return for how long no request has come, where that is longer than usual; else None."""
    engine, service, version = wiring.build().engine, watched.service, watched.version
    last = monitoring.latest(engine, service, Kind.WINDOW, version)
    if last is None:
        return None
    lately = monitoring.history(engine, service, Kind.WINDOW, now - _LATELY, version)
    gaps = [one.until - one.since for one in lately if not one.body["rows"]]
    every = watched.watch.every
    missing = silence(last.until, every, now, usual=max(gaps, default=every))
    return None if missing is None or _came(watched, last.until, now) else missing


def _came(watched: Watched, since: datetime, now: datetime) -> bool:
    parts = wiring.build().lake.stream_requests(watched.plan, since, now, [watched.plan.requests.at])
    return any(part.num_rows for part in parts)


@task(name="say what drifts", **ONCE)
def say_what_drifts(watched: Watched, now: datetime) -> tuple[str, ...]:
    """Emit an event for every drift that goes on and that nobody has retrained for; return their origins.

    An event may be lost: it is emitted again by every run until a retraining has begun. Emitted twice it is
    one, by its origin. While the model's own rollout is under way its gates judge, and nothing is emitted.
    """
    said = tuple(drifts_to_say(watched, now))
    for origin, kind, one in said:
        _emit(watched, origin, kind, one, now)
    ring_for_alerts()
    return tuple(origin for origin, _, _ in said)


def drifts_to_say(watched: Watched, now: datetime) -> Iterator[tuple[str, Kind, Episode]]:
    """Yield origin, kind and episode of what `say_what_drifts` emits now."""
    engine = wiring.build().engine
    if watched.under_way:
        return
    trained = retrainings.all(engine, watched.service)
    begun = [one.claim.at for one in trained]
    for kind in (Kind.WINDOW, Kind.COHORT):
        found = monitoring.history(engine, watched.service, kind, version=watched.version)
        going_on = episode(found)
        if going_on is None or not going_on.trainable:
            continue
        again = ""
        if watched.watch.then == "retrain":
            tried = [one for one in trained if one.claim.at >= going_on.since]
            # A refused model answered nothing: as long as the drift goes on, the next cooldown tries again.
            if any(one.accepted is not False for one in tried):
                continue
            if begun and now < max(begun) + watched.watch.cooldown:
                continue
            again = f"/{len(tried) + 1}" if tried else ""
        elif not any(one.since == going_on.since and one.at == now for one in found):
            continue  # told once: nobody waits for it
        yield (
            f"{watched.service}/{watched.version}/{kind.value}/{going_on.since:%Y-%m-%dT%H:%MZ}{again}",
            kind,
            going_on,
        )


def _emit(watched: Watched, origin: str, kind: Kind, one: Episode, now: datetime) -> None:
    if not PREFECT_API_URL.value():  # without a server to send to, Prefect would start one of its own
        return
    emit_event(
        DETECTED,
        {
            "prefect.resource.id": f"{SERVICE}{watched.service}",
            "prefect.resource.name": watched.service,
            "headgate.then": watched.watch.then,
        },
        payload={
            "service": watched.service,
            "version": watched.version,
            "origin": origin,
            "what": "drift" if kind is Kind.WINDOW else "degraded",
            "window_since": one.since.isoformat(),
            "window_until": one.last.isoformat(),
            "columns": list(one.columns),
            "reason": one.reason,
            "at": now.isoformat(),
        },
    )
