"""Answers what was queued, once the models answer again: at least once asked, one answer recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from headgate.adapters.guard.question import Question, Resolved
from headgate.adapters.guard.queue import DurableQueue, Queued
from headgate.adapters.guard.resolving import Resolver
from headgate.errors import StoreError
from headgate.guard.words import Decision, StandIn

_LOG = logging.getLogger("headgate.guard")
#: Requests under way at once: what waited must not become the load that keeps the models down.
AT_ONCE = 4
MOST = 20
#: Nobody else asks a leased request for this long; longer than any asking takes.
LEASE = timedelta(minutes=1)
#: Between two tries of one request: a second, twice as long every time, at most five minutes.
_FIRST, _LONGEST = timedelta(seconds=1), timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Drained:
    """What came of one round."""

    answered: int
    put_off: int
    expired: int
    waiting: int


class Drainer:
    """Drains one queue; any number of guards may do so at once."""

    def __init__(self, resolver: Resolver, queue: DurableQueue, clock: Callable[[], datetime]) -> None:
        self._resolver = resolver
        self._queue = queue
        self._clock = clock

    async def close(self) -> None:
        """Let go of every connection."""
        await self._resolver.close()

    async def round(self) -> Drained:
        """Ask what is due, once each.

        Raises
        ------
        StoreError
            If the queue cannot be reached.
        """
        now = self._clock()
        expired = await asyncio.to_thread(self._queue.expire, now)
        due = await asyncio.to_thread(self._queue.lease, now, most=MOST, until=now + LEASE)
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(queued: Queued) -> bool:
            async with slots:
                return await self._one(queued)

        done = await asyncio.gather(*(one(queued) for queued in due))
        backlog = await asyncio.to_thread(self._queue.backlog)
        if due or expired:
            _LOG.info(
                "drained answered=%d of=%d expired=%d left=%d", sum(done), len(due), expired, backlog.waiting
            )
        return Drained(sum(done), len(done) - sum(done), expired, backlog.waiting)

    async def _one(self, queued: Queued) -> bool:
        row = {tensor["name"]: tensor["data"][0] for tensor in orjson.loads(queued.body)["inputs"]}
        question = Question(queued.request_id, queued.entity, queued.slice, queued.at, queued.body, row)
        now = self._clock()
        # It waits already, and nobody else could answer when it came: only a model's answer is news.
        resolved = await self._resolver.resolve(
            question, now, besides=(StandIn.QUEUE, StandIn.REVIEW, StandIn.SAFE_DEFAULT)
        )
        body = _recorded(resolved, queued.request_id)
        if body is None:
            pause = min(_LONGEST, _FIRST * 2 ** min(queued.tries, 16))
            await asyncio.to_thread(self._queue.postpone, queued.request_id, now + pause)
            return False
        recorded = await asyncio.to_thread(self._queue.record, queued.request_id, body, self._clock())
        self._resolver.counts.add("drained", recorded=str(recorded).lower())
        return True


def _recorded(resolved: Resolved, request_id: str) -> bytes | None:
    """Return what to record; None: it is to be asked again."""
    if resolved.decision in (Decision.SERVED, Decision.REVIEW, Decision.SAFE_DEFAULT):
        return resolved.body
    if resolved.decision is Decision.REFUSED and resolved.problem is not None:
        return orjson.dumps(resolved.problem.body(request_id))  # it would be refused again
    return None


async def drain_for_ever(drainer: Drainer, every: float) -> None:
    """Drain until cancelled; a queue that cannot be reached is tried again."""
    while True:
        try:
            drained = await drainer.round()
        except StoreError as err:
            _LOG.warning("the queue cannot be drained now: %s", err)
            drained = Drained(0, 0, 0, 0)
        await asyncio.sleep(0 if drained.answered and drained.waiting else every)
