"""The outbox emptied: what has to be told now, told, and written down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from headgate.adapters import notify, store
from headgate.adapters.store import audit
from headgate.alerts.alert import Alert
from headgate.alerts.attempts import BEGUN, CLOSED, REFUSED, Attempt, Standing, late, perhaps_told, standing
from headgate.alerts.messages import Message, message_of
from headgate.alerts.routing import UNDELIVERED, Route, routes_of
from headgate.alerts.unasked import silence_of, undelivered
from headgate.errors import InputError, NoticeError, NoticeRefused
from headgate.plan import Plan
from tasks import wiring
from tasks.blocks import send_to_block
from tasks.direct import task
from tasks.retrying import ONCE


@dataclass(frozen=True)
class Batch:
    """Alerts of one kind about one rollout that go out as one message on one route, oldest first."""

    route: Route
    alerts: tuple[store.OpenAlert, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of its alerts."""
        return tuple(alert.id for alert in self.alerts)


def due(now: datetime, known: Mapping[str, Plan] | None = None) -> tuple[Batch, ...]:
    """Return what has to be told at this time of the machine's clock; nothing where nobody asked.

    ``known``: plans by rollout that need not be read again.
    """
    batches: dict[tuple[str, str, str], list[store.OpenAlert]] = {}
    routes: dict[str, Route] = {}
    for alert, route in _wanted(store.open_alerts(wiring.build().engine), known):
        if standing(route.name, alert.attempts, now) is Standing.DUE:
            batches.setdefault((alert.rollout, alert.kind.value, route.to), []).append(alert)
            routes[route.to] = route
    return tuple(Batch(routes[to], tuple(alerts)) for (_, _, to), alerts in batches.items())


@task(name="tell", task_run_name="tell {batch.route.name}", **ONCE)
def tell_one(batch: Batch, at: datetime) -> str | None:
    """Send one message and write the attempt down, before and after; return what went wrong, if anything.

    A process that dies in between leaves an attempt without an end: the message is sent again, and says so.
    """
    engine, route = wiring.build().engine, batch.route.name
    again = any(perhaps_told(route, alert.attempts) for alert in batch.alerts)
    store.note_attempts(engine, batch.ids, Attempt(route, ok=False, detail=BEGUN, at=at))
    message = message_of(
        store.alerts_by_id(engine, batch.ids), str(audit.head(engine)), page=_page(batch), perhaps_told=again
    )
    wrong = None
    try:
        detail = _send(batch.route.to, message)
    except NoticeError as err:
        wrong = detail = f"{REFUSED}: {err}" if isinstance(err, NoticeRefused) else str(err)
    store.note_attempts(engine, batch.ids, Attempt(route, ok=wrong is None, detail=detail, at=at))
    return wrong


@task(name="close", **ONCE)
def close_told(now: datetime, tick: datetime) -> int:
    """Close what is told everywhere or given up; write down what did not arrive, and return how many.

    Parameters
    ----------
    now
        By the machine's clock, as attempts are.
    tick
        By the clock in use, as alerts are.
    """
    engine, lost = wiring.build().engine, 0
    for alert, routes in _routed(store.open_alerts(engine)):
        missing = [route for route in routes if late(route.name, alert.attempts, route.within, now)]
        if missing and f"/{UNDELIVERED}/" not in alert.key:
            lost += store.add_alerts(engine, [_lost(alert, route, now, tick) for route in missing])
        stands = {standing(route.name, alert.attempts, now) for route in routes}
        if stands <= {Standing.TOLD, Standing.GIVEN_UP}:
            detail = "nobody asked to be told" if not routes else _told_words(routes, alert, now)
            ok = Standing.GIVEN_UP not in stands
            store.note_attempts(engine, [alert.id], Attempt(CLOSED, ok=ok, detail=detail, at=now))
    return lost


@task(name="note the silence", **ONCE)
def note_silence(service: str, now: datetime) -> None:
    """Write down that the ticks of a service have stopped; said again within minutes, it is one silence."""
    engine = wiring.build().engine
    rollout = store.holder(engine, service)
    plan = store.plan_of(engine, rollout.plan_hash) if rollout else None
    last = store.last_tick(engine, rollout.id, plan.slice_names[0]) if rollout and plan else None
    state = last.state if last else None
    store.add_alerts(engine, [silence_of(service, plan, state, last.at if last else None, now)])


@dataclass(frozen=True)
class Late:
    """Something people should have been told by now."""

    alert: Alert
    route: str
    detail: str


def late_notices(now: datetime, *, given_up_for: timedelta = timedelta(days=7)) -> tuple[Late, ...]:
    """Return what was not told in time: still open, or given up within the last days.

    For `headgate status` and `headgate doctor`. ``now`` is of the clock in use.
    """
    engine = wiring.build().engine
    overdue = [
        (alert, route)
        for alert, route in _wanted(store.open_alerts(engine))
        if now - alert.at >= route.within and not _is_told(alert, route)
    ]
    words = store.alerts_by_id(engine, [alert.id for alert, _ in overdue])
    found = [
        Late(told, route.name, alert.attempts[-1].detail if alert.attempts else "nobody has tried yet")
        for told, (alert, route) in zip(words, overdue, strict=True)
    ]
    lost = store.given_up(engine, since=now - given_up_for)
    return (*found, *(Late(told, CLOSED, attempt.detail) for told, attempt in lost))


def _page(batch: Batch) -> str:
    folder, rollout = wiring.build().settings.pages_url, batch.alerts[0].rollout
    return f"{folder.rstrip('/')}/{rollout}.html" if folder and rollout else ""


def _send(to: str, message: Message) -> str:
    if to.startswith("block:"):
        return send_to_block(to, message)
    if to.startswith(("http://", "https://")):
        return notify.post(to, message.body())
    raise NoticeRefused(f"asked to tell an alert to {to!r}; it is neither a URL nor block:<type>/<name>")


def _wanted(
    alerts: Iterable[store.OpenAlert], known: Mapping[str, Plan] | None = None
) -> Iterator[tuple[store.OpenAlert, Route]]:
    return ((alert, route) for alert, routes in _routed(alerts, known) for route in routes)


def _routed(
    alerts: Iterable[store.OpenAlert], known: Mapping[str, Plan] | None = None
) -> Iterator[tuple[store.OpenAlert, tuple[Route, ...]]]:
    default = wiring.build().settings.notify
    plans: dict[str, Plan | None] = dict(known or {})
    for alert in alerts:
        if alert.rollout not in plans:
            plans[alert.rollout] = _plan(alert.rollout)
        yield alert, routes_of(alert.kind, alert.key, plans[alert.rollout], default)


def _plan(rollout: str) -> Plan | None:
    if not rollout:
        return None
    engine = wiring.build().engine
    try:
        return store.plan_of(engine, store.get(engine, rollout).plan_hash)
    except InputError:
        return None


def _is_told(alert: store.OpenAlert, route: Route) -> bool:
    return any(attempt.ok and attempt.route == route.name for attempt in alert.attempts)


def _told_words(routes: Sequence[Route], alert: store.OpenAlert, now: datetime) -> str:
    given_up = [r.name for r in routes if standing(r.name, alert.attempts, now) is Standing.GIVEN_UP]
    return f"given up: {', '.join(given_up)}" if given_up else "told on every route"


def _lost(alert: store.OpenAlert, route: Route, now: datetime, tick: datetime) -> Alert:
    engine = wiring.build().engine
    mine = [attempt for attempt in alert.attempts if attempt.route == route.name]
    (told,) = store.alerts_by_id(engine, [alert.id])
    plan = _plan(alert.rollout)
    waited = now - mine[0].at
    return undelivered(told, alert.id, route, mine[-1].detail, plan=plan, now=tick, waited=waited)
