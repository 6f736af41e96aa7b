"""Measures the cohorts whose labels are mature, once each, and how callers fared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from headgate.adapters import store
from headgate.adapters.store import monitoring
from headgate.alerts.monitoring import About, cohort_alerts
from headgate.compare.stays import EPOCH, hour_of
from headgate.errors import PlaneUnavailable
from headgate.performance import Kind, Monitored, Word, cohort_sums
from headgate.performance.cohorts import cohort_length
from headgate.performance.course import course_of
from headgate.performance.live import Hour, hours_of, together
from tasks import wiring
from tasks.direct import task
from tasks.retrying import OUTSIDE
from tasks.watching import Past, Watched, answers_of, past_of


@task(name="measure what is mature", **OUTSIDE)
def measure(watched: Watched, now: datetime) -> int:
    """Measure every cohort whose labels are mature by now; return how many."""
    past = past_of(watched)
    return len(close_cohorts(watched, past, now, now).cohorts) - len(past.cohorts)


def close_cohorts(watched: Watched, past: Past, until: datetime, now: datetime) -> Past:
    """Measure the cohorts that were mature at ``until``, in order of time; return the past with them.

    A cohort is measured once, with the labels known when its last block closed. One that holds a window
    nobody looked at yet waits, and so do those after it.
    """
    before = list(past.cohorts)
    for since, end in _mature(watched, past.windows, before, until):
        inside = [one for one in past.full if one.since < end and one.until > since]
        found = _measured(watched, since, end, inside, before, now)
        alerts = cohort_alerts(about(watched), found, before)
        monitoring.record(wiring.build().engine, [found], alerts)
        before.append(found)
    return replace(past, cohorts=tuple(before))


def about(watched: Watched) -> About:
    """Return what alerts say of the service."""
    return About(watched.service, watched.rollout.id, watched.plan, watched.version, watched.under_way)


def _mature(
    watched: Watched, windows: Sequence[Monitored], before: Sequence[Monitored], until: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the cohorts that may be measured: old enough, looked at to their end, and with requests."""
    length = cohort_length(watched.plan, watched.watch.every)
    ready = min(until - watched.plan.outcomes.maturity, windows[-1].until) if windows else until
    done = before[-1].until if before else EPOCH
    starts = set()
    for one in windows:
        if not one.body["rows"]:
            continue
        start = one.since - (one.since - EPOCH) % length
        while start < one.until:
            # The first cohort must not begin before the first window: half a day is another day.
            if start >= max(done, windows[0].since) and start + length <= ready:
                starts.add(start)
            start += length
    return [(start, start + length) for start in sorted(starts)]


def _measured(
    watched: Watched,
    since: datetime,
    end: datetime,
    windows: Sequence[Monitored],
    before: Sequence[Monitored],
    now: datetime,
) -> Monitored:
    plan, lake = watched.plan, wiring.build().lake
    served = pa.concat_tables([answers_of(watched, one.since, one.until) for one in windows])
    outcomes = lake.read_outcomes(plan, known_before=end + plan.outcomes.maturity, known_after=since)
    sums = cohort_sums(plan, watched.question, served, outcomes, (since, end), watched.segments)
    body: dict[str, Any] = {"sums": sums.to_json(), "estimated": _estimated(windows)}
    course = course_of(watched.question, [*(one.body for one in before), body])
    return Monitored(
        watched.service, Kind.COHORT, since, end, watched.version, course.word, body | course.to_json(), now
    )


def _estimated(windows: Sequence[Monitored]) -> float | None:
    """Return what was estimated of these windows' loss, before their labels; None where any has none."""
    told = [one.body["estimate"] for one in windows]
    if not told or any(one is None or one["loss"] is None for one in told):
        return None
    weights = [one.body["sums"]["statuses"].get("ok", 0) for one in windows]
    total = sum(weights)
    return sum(w * one["loss"] for w, one in zip(weights, told, strict=True)) / total if total else None


@task(name="count what callers got", **OUTSIDE)
def count_live(watched: Watched, now: datetime) -> int:
    """Read what the plane logged since the last time into sums by the hour; return how many lines counted.

    The sums and the place to read on from are one row. Hours that are not over are carried to the next read.
    """
    wired = wiring.build()
    last = monitoring.latest(wired.engine, watched.service, Kind.LIVE)
    position = last.body["position"] if last else store.cursor(wired.engine, watched.service).position
    try:
        log = wired.plane_of(watched.service).read_log(position)
    except PlaneUnavailable:
        return 0  # its lines keep
    carried = {
        datetime.fromisoformat(at): Hour.from_json(one)
        for at, one in (last.body["ahead"] if last else {}).items()
    }
    hours = hours_of(log.served)
    for at, hour in carried.items():
        hours.setdefault(at, Hour()).merge(hour)
    reached, end = (last.until if last else None), hour_of(now)
    over = {at: hour for at, hour in sorted(hours.items()) if at < end and (reached is None or at >= reached)}
    if not over:
        return 0
    late = sum(hour.n for at, hour in hours.items() if reached is not None and at < reached)
    body = {
        "position": dict(log.position),
        "hours": {at.isoformat(): hour.to_json() for at, hour in over.items()},
        "all": together(over.values()).to_json(),
        "ahead": {at.isoformat(): hour.to_json() for at, hour in hours.items() if at >= end},
        "late": late,
        "reasons": [],
    }
    since = reached or min(over)
    found = Monitored(
        watched.service,
        Kind.LIVE,
        since,
        max(end, since + timedelta(hours=1)),
        watched.version,
        Word.FINE,
        body,
        now,
    )
    monitoring.record(wired.engine, [found])
    return len(log.served)
