"""Answers what was queued, once the models answer again: at least once asked, one answer recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from headgate.adapters.guard.notes import Notes
from headgate.adapters.guard.question import Question, Resolved
from headgate.adapters.guard.queue import DurableQueue, Queued, in_time
from headgate.adapters.guard.resolving import Resolver
from headgate.errors import StoreError
from headgate.guard.words import Decision, Named, StandIn

_LOG = logging.getLogger("headgate.guard")
#: Requests under way at once: what waited must not become the load that keeps the models down.
AT_ONCE = 4
MOST = 20
#: Nobody else asks a leased request for this long and the time that asking them all may take.
LEASE = timedelta(minutes=1)
#: How often what waited too long is given up; it is asked no more from the moment on.
TIDIED_EVERY = timedelta(minutes=1)
#: Between two tries of one request: a second, twice as long every time, at most five minutes.
_FIRST, _LONGEST = timedelta(seconds=1), timedelta(minutes=5)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Drained:
    """What came of one round."""

    answered: int
    put_off: int
    expired: int
    waiting: int


class Drainer:
    """Drains one queue; any number of guards may do so at once."""

    def __init__(
        self, resolver: Resolver, queue: DurableQueue, notes: Notes, clock: Callable[[], datetime]
    ) -> None:
        self._resolver = resolver
        self._queue = queue
        self._notes = notes
        self._clock = clock
        self._lease = LEASE + timedelta(seconds=resolver.longest * MOST / AT_ONCE)
        self._tidied: datetime | None = None

    async def close(self) -> None:
        """Write the log out and let go of every connection."""
        await self._notes.publish(all_of_it=True)
        await self._resolver.close()

    async def round(self) -> Drained:
        """Ask what is due, once each.

        Raises
        ------
        StoreError
            If the queue cannot be reached.
        """
        now = self._clock()
        expired = await self._tidy(now)
        due = await in_time(self._queue.lease, now, most=MOST, until=now + self._lease)
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(queued: Queued) -> bool:
            async with slots:
                return await self._one(queued)

        # All of them end, whatever becomes of one: the next round must not ask besides them.
        ended = await asyncio.gather(*(one(queued) for queued in due), return_exceptions=True)
        for fault in ended:
            if isinstance(fault, BaseException):
                raise fault
        done = [one for one in ended if one is True]
        backlog = await in_time(self._queue.backlog)
        if due or expired:
            _LOG.info(
                "drained answered=%d of=%d expired=%d left=%d", len(done), len(due), expired, backlog.waiting
            )
        return Drained(len(done), len(due) - len(done), expired, backlog.waiting)

    async def _tidy(self, now: datetime) -> int:
        if self._tidied is not None and now - self._tidied < TIDIED_EVERY:
            return 0
        self._tidied = now
        return await in_time(self._queue.expire, now)

    async def _one(self, queued: Queued) -> bool:
        row = {tensor["name"]: tensor["data"][0] for tensor in orjson.loads(queued.body)["inputs"]}
        question = Question(queued.request_id, queued.entity, queued.slice, queued.at, queued.body, row)
        # It waits already, and nobody else could answer when it came: only a model's answer is news.
        resolved = await self._resolver.resolve(
            question, self._clock(), besides=(StandIn.QUEUE, StandIn.REVIEW, StandIn.SAFE_DEFAULT)
        )
        body, now = _recorded(resolved, queued.request_id), self._clock()
        if body is None:
            pause = min(_LONGEST, _FIRST * 2 ** min(queued.tries, 16))
            await in_time(self._queue.postpone, queued.request_id, now + pause)
            return False
        recorded = await in_time(self._queue.record, queued.request_id, body, now)
        self._resolver.counts.add("drained", recorded=str(recorded).lower())
        if recorded:
            late = replace(resolved, stood_in=StandIn.QUEUE)
            named = Named(queued.request_id, True, queued.entity, queued.at, None)
            self._notes.answered(named, queued.slice, late, now, (now - queued.at) / _MILLISECOND)
        return True


def _recorded(resolved: Resolved, request_id: str) -> bytes | None:
    """Return what to record; None: it is to be asked again."""
    if resolved.decision in (Decision.SERVED, Decision.REVIEW, Decision.SAFE_DEFAULT):
        return resolved.body
    if resolved.decision is Decision.REFUSED and resolved.problem is not None:
        return orjson.dumps(resolved.problem.body(request_id))  # it would be refused again
    return None


async def drain_for_ever(drainer: Drainer, every: float) -> None:
    """Drain until cancelled; whatever goes wrong is told and tried again: callers were promised an answer."""
    while True:
        drained = Drained(0, 0, 0, 0)
        try:
            drained = await drainer.round()
        except StoreError as err:
            _LOG.warning("the queue cannot be drained now: %s", err)
        except Exception:  # noqa: BLE001 - or nothing would be drained again, and nobody would know
            _LOG.exception("the queue cannot be drained now")
        await asyncio.sleep(0 if drained.answered and drained.waiting else every)
