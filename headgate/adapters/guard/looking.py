"""Cases that the guard puts before people."""

from __future__ import annotations

import asyncio
import logging

from headgate.adapters.guard.question import Question
from headgate.errors import StoreError
from headgate.guard.counts import Counts
from headgate.guard.record import shown_row
from headgate.guard.words import Said
from headgate.plan.model import Plan
from headgate.ports import ReviewCase, ReviewQueue, ReviewReason

_LOG = logging.getLogger("headgate.guard")
#: Seconds that a caller waits for the review queue to take a case.
PATIENCE = 2.0


class Looking:
    """Puts cases into the review queue; without one nobody can be asked."""

    def __init__(self, plan: Plan, counts: Counts, reviews: ReviewQueue | None) -> None:
        self._plan = plan
        self._counts = counts
        self._reviews = reviews
        self._later: set[asyncio.Task[bool]] = set()

    def case(self, question: Question, said: Said | None, reason: ReviewReason) -> ReviewCase:
        """Return what a person is shown."""
        told = dict(said.told) if said is not None else {}
        rollout = told.get("x-rollout")
        return ReviewCase(
            service=self._plan.service,
            request_id=question.request_id,
            entity=question.entity or question.request_id,
            at=question.at,
            reason=reason,
            side=None if said is None else said.side or said.assigned,
            answer=None if said is None else said.value,
            confidence=None if said is None else said.confidence,
            rollout=None if rollout in (None, "none") else rollout,
            slice=question.slice,
            inputs=shown_row(self._plan, question.row),
        )

    async def close(self) -> None:
        """Wait for the cases that are on their way."""
        await asyncio.gather(*self._later)

    async def put(self, case: ReviewCase) -> bool:
        """Put a case before people; False if that cannot be done now."""
        if self._reviews is None:
            return False
        try:
            async with asyncio.timeout(PATIENCE):
                new = await asyncio.to_thread(self._reviews.put, case)
        except (StoreError, TimeoutError) as err:
            self._counts.add("review", reason=case.reason, kept="false")
            _LOG.warning("review of %s %s: not kept: %s", case.service, case.request_id, err)
            return False
        self._counts.add("review", reason=case.reason, kept="true" if new else "before")
        return True

    def put_later(self, case: ReviewCase) -> None:
        """Put a case before people; its caller has the answer, which stands whatever comes of it."""
        task = asyncio.create_task(self.put(case))
        self._later.add(task)
        task.add_done_callback(self._later.discard)
