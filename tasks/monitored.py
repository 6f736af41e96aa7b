"""Shows what the monitor found out: a page, an artifact, and where a service stands."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from headgate.adapters.store import monitoring, retrainings
from headgate.performance import Kind
from headgate.report.monitoring import Retrained, Watch, standing_of
from headgate.report.monitoring_page import markdown, page
from tasks import wiring
from tasks.direct import task
from tasks.drifting import silent_for
from tasks.overrides import taken_lately
from tasks.publishing import address_of, put_artifact, write_page
from tasks.retrying import OUTSIDE
from tasks.watching import LEARNING, Watched, find_served

#: A page shows this much of the past.
SHOWN = timedelta(days=400)


@task(name="publish the monitoring", **OUTSIDE)
def publish_monitoring(watched: Watched, silent: timedelta | None, now: datetime) -> dict[str, Any]:
    """Write the monitoring page of a service and its artifact; return where the service stands."""
    watch = watch_of(watched, silent, now)
    path = wiring.build().settings.pages / page_name(watched.service)
    write_page(path, page(watch))
    put_artifact(
        f"monitoring-{watched.service}".lower().replace("_", "-"),
        markdown(watch, address_of(path)),
        f"The model that serves {watched.service}",
    )
    return standing_of(watch) | {"page": address_of(path)}


def watch_of(watched: Watched, silent: timedelta | None, now: datetime) -> Watch:
    """Return what was found out about the model that serves."""
    engine, service = wiring.build().engine, watched.service
    last = monitoring.latest(engine, service, Kind.WINDOW, watched.version)
    # Of a service that is silent for years the last year that was looked at is shown, not an empty one.
    reached = now if last is None else min(now, max(last.until, watched.since))
    since = min(reached, watched.since) - LEARNING if reached - watched.since < SHOWN else reached - SHOWN
    found = {
        kind: monitoring.history(engine, service, kind, since, None if kind is Kind.LIVE else watched.version)
        for kind in Kind
    }
    return Watch(
        service=service,
        model=watched.ref.model,
        version=watched.version,
        since=watched.since,
        every=watched.watch.every,
        reference=watched.watch.reference,
        then=watched.watch.then,
        now=now,
        windows=found[Kind.WINDOW],
        cohorts=found[Kind.COHORT],
        live=found[Kind.LIVE],
        retrainings=[
            Retrained(o.claim.at, o.claim.trigger, o.accepted, o.reason, o.version, o.rollout)
            for o in retrainings.all(engine, service)
        ],
        silent=silent,
        metric=watched.question.metric if watched.question else None,
        tolerance=watched.question.tolerance if watched.question else None,
        under_way=watched.rollout.id if watched.under_way else "",
        taken=taken_lately(service, watched.plan, now),
        review=watched.plan.review,
    )


def look(service: str, now: datetime) -> Watch | None:
    """Return what was found out so far, without looking at anything new; None: nothing is watched."""
    watched = find_served.fn(service)
    return None if watched is None else watch_of(watched, silent_for(watched, now), now)


def page_name(service: str) -> str:
    """Return the file name of a service's page."""
    return f"monitoring-of-{service}.html"
