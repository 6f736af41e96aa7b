"""Puts a guard together from a plan and the settings; it needs no control plane to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO

import httpx

from headgate.adapters.guard.draining import Drainer
from headgate.adapters.guard.guarding import Guard
from headgate.adapters.guard.journal import own_folder
from headgate.adapters.guard.notes import Notes
from headgate.adapters.guard.queue import DurableQueue
from headgate.adapters.guard.resolving import Resolver
from headgate.adapters.guard.upstream import Upstream
from headgate.adapters.places import place_of
from headgate.adapters.settings import Settings
from headgate.adapters.store.reviews import StoreQueue
from headgate.errors import InputError, StoreError
from headgate.guard.asked import Door
from headgate.guard.budgets import Repeats
from headgate.guard.counts import Counts
from headgate.guard.order import plan_order
from headgate.guard.words import StandIn
from headgate.plan.guarding import QueueRule, RetryBudget, Unsure
from headgate.plan.model import Plan
from headgate.ports import ReviewCase, ReviewQueue, Side
from tasks import wiring

#: Connections to the plane and the incumbent; more requests than these wait for one.
_LIMITS = httpx.Limits(max_connections=1_000, max_keepalive_connections=100, keepalive_expiry=2.5)
#: Seconds to wait for a store that another process holds.
_STORE_PATIENCE = 1.5


@dataclass(frozen=True)
class Standing:
    """A guard that is ready to serve, and its hold on its folder."""

    guard: Guard
    lock: IO[bytes]


def stand(plan: Plan, replica: str, plane_url: str | None = None) -> Standing:
    """Return a guard of a plan.

    Parameters
    ----------
    replica
        Its name among the guards of the service.
    plane_url
        Where the plane answers callers; None: where the settings say.

    Raises
    ------
    InputError
        If another guard has that name, or the plan's request log is no folder.
    StoreError
        If its queue cannot be opened.
    """
    settings, clock = wiring.read_settings(), wiring.clock()
    notes, lock = _notes(plan, settings, replica)
    with _let_go_on_error(lock):
        repeats = Repeats(plan.serving.retry_budget or RetryBudget())
        resolver = _resolver(plan, settings, repeats, clock, plane_url)
        return Standing(Guard(plan, resolver, repeats, notes, clock), lock)


@dataclass(frozen=True)
class Draining:
    """What drains a queue without serving, and its hold on its folder."""

    drainer: Drainer
    lock: IO[bytes]


def drain(plan: Plan, replica: str, plane_url: str | None = None) -> Draining:
    """Return what drains the queue of a plan's service; parameters and errors as of `stand`."""
    settings, clock = wiring.read_settings(), wiring.clock()
    notes, lock = _notes(plan, settings, replica)
    with _let_go_on_error(lock):
        repeats = Repeats(plan.serving.retry_budget or RetryBudget())
        queue = _queue(plan, settings)
        resolver = _resolver(plan, settings, repeats, clock, plane_url, queue)
        return Draining(Drainer(resolver, queue, notes, clock), lock)


@contextmanager
def _let_go_on_error(lock: IO[bytes]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        lock.close()
        raise


def _notes(plan: Plan, settings: Settings, replica: str) -> tuple[Notes, IO[bytes]]:
    """Return the logs of a guard of this name, and its hold on their folder."""
    folder = settings.home / settings.guards / plan.service
    requests = place_of(plan.requests.path, settings.home)
    if requests.path.endswith(".parquet"):
        raise InputError(
            f"requests.path: asked a folder for the guard to log to; found the file {requests}; name "
            "its folder"
        )
    lock = own_folder(folder / replica)
    columns = Door(plan, str).columns
    return Notes(plan, folder / replica, replica, requests, place_of(folder / "answers"), columns), lock


def _resolver(
    plan: Plan,
    settings: Settings,
    repeats: Repeats,
    clock: Callable[[], datetime],
    plane_url: str | None,
    queue: DurableQueue | None = None,
) -> Resolver:
    counts = Counts(clock())
    # No proxy of the environment: the plane is a neighbour.
    client = httpx.AsyncClient(limits=_LIMITS, trust_env=False)
    patience = plan.serving.timeout.total_seconds()
    plane = Upstream(
        "plane",
        plane_url or f"http://127.0.0.1:{settings.port_of(plan.service)}",
        plan,
        client,
        repeats,
        counts,
        # Time for the candidate, then for the incumbent that the plane asks instead.
        patience=2 * patience + 0.25,
    )
    incumbent = Upstream(
        "incumbent", plan.incumbent.url, plan, client, repeats, counts, patience=patience, side=Side.INCUMBENT
    )
    if queue is None and StandIn.QUEUE in plan_order(plan.serving):
        queue = _queue(plan, settings)
    reviews = _Reviews(clock) if _asks_people(plan) else None
    return Resolver(plan, plane, incumbent, counts, queue, reviews)


def _queue(plan: Plan, settings: Settings) -> DurableQueue:
    rule = plan.serving.queue or QueueRule()
    file = (settings.home / settings.guards / plan.service / "queue.db").absolute()
    url = settings.guard_queue or f"sqlite:///{file}"
    return DurableQueue(url, plan.service, most=rule.most, keep=rule.keep)


def _asks_people(plan: Plan) -> bool:
    floor = plan.serving.confidence_below
    unsure = floor is not None and floor.then in (Unsure.REVIEW, Unsure.FLAG)
    return unsure or plan.review is not None or StandIn.REVIEW in plan_order(plan.serving)


class _Reviews(ReviewQueue):
    """The review queue in the store, opened when the first case comes: a guard starts without a store."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def put(self, case: ReviewCase) -> bool:
        try:
            engine = wiring.build(_STORE_PATIENCE).engine
        except InputError as err:
            raise StoreError(str(err)) from err
        return StoreQueue(engine, self._clock).put(case)
