"""One request from the plane's answer to what its caller gets: output contract, floor, and who stands in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from datetime import datetime
from urllib.parse import quote

from headgate.adapters.guard.answers import later_answer, safe_answer
from headgate.adapters.guard.looking import Looking
from headgate.adapters.guard.question import Question, Resolved, nobody, used_before
from headgate.adapters.guard.queue import DurableQueue, Put, Queued, in_time
from headgate.adapters.guard.upstream import Upstream
from headgate.errors import StoreError
from headgate.guard.confidence import is_sure
from headgate.guard.counts import Counts
from headgate.guard.order import stand_ins
from headgate.guard.words import Decision, Failed, Failure, Said, StandIn
from headgate.plan.guard_rules import safe_default
from headgate.plan.guarding import Unsure
from headgate.plan.model import Plan
from headgate.ports import ReviewQueue, ReviewReason, Side

_LOG = logging.getLogger("headgate.guard")
LOW_CONFIDENCE = "low_confidence"


class Resolver:
    """Asks the plane, and those who stand in, in the plan's order."""

    def __init__(
        self,
        plan: Plan,
        plane: Upstream,
        incumbent: Upstream,
        counts: Counts,
        queue: DurableQueue | None = None,
        reviews: ReviewQueue | None = None,
    ) -> None:
        self.plan = plan
        self.plane = plane
        self.incumbent = incumbent
        self.counts = counts
        self.queue = queue
        self._looking = Looking(plan, counts, reviews)

    @property
    def longest(self) -> float:
        """Seconds that resolving one request takes at most."""
        return self.plane.longest + self.incumbent.longest

    async def close(self) -> None:
        """Finish what is under way and let go of every connection."""
        await self._looking.close()
        await self.plane.close()
        await self.incumbent.close()
        if self.queue is not None:
            await asyncio.to_thread(self.queue.close)

    async def resolve(
        self,
        question: Question,
        now: datetime,
        *,
        flags: tuple[str, ...] = (),
        besides: Collection[StandIn] = (),
    ) -> Resolved:
        """Return what the caller gets.

        Parameters
        ----------
        flags
            What is odd about the request.
        besides
            Who must not stand in where nobody answered; what becomes of an unsure answer stays as it is.
        """
        outcome = await self.plane.ask(question.body, question.headers)
        failed = self._failure(outcome)
        if failed is None and isinstance(outcome, Said):
            return self._served(question, outcome, flags, None)
        assert failed is not None  # noqa: S101 - an answer that fails nothing was returned
        said = outcome if isinstance(outcome, Said) else None
        for one in stand_ins(self.plan.serving, failed.failure, failed.side):
            if one in besides and failed.failure is not Failure.UNSURE:
                continue
            resolved = await self._stand_in(one, question, failed, said, flags, now)
            taken = str(resolved is not None).lower()
            self.counts.add("fallback", to=one, failure=failed.failure, taken=taken)
            _LOG.info(
                "fallback service=%s request=%s to=%s failure=%s side=%s taken=%s: %s",
                self.plan.service,
                question.request_id,
                one,
                failed.failure,
                failed.side,
                taken,
                failed.detail,
            )
            if resolved is not None:
                return resolved
        return nobody(failed, flags)

    def _failure(self, outcome: Said | Failed) -> Failed | None:
        """Return why an answer does not stand; None: it does."""
        if isinstance(outcome, Failed):
            return outcome
        floor = self.plan.serving.confidence_below
        if is_sure(floor, outcome.confidence) or (floor is not None and floor.then is Unsure.FLAG):
            return None
        known = "unknown" if outcome.confidence is None else "too low"
        return Failed(Failure.UNSURE, f"the answer's confidence is {known}", outcome.side or outcome.assigned)

    def _served(
        self,
        question: Question,
        said: Said,
        flags: tuple[str, ...],
        stood_in: StandIn | None,
        why: str | None = None,
    ) -> Resolved:
        if not is_sure(self.plan.serving.confidence_below, said.confidence):
            flags = (*flags, LOW_CONFIDENCE)
        if said.side is None:
            self.counts.add("other_version")
        elif said.assigned is Side.CANDIDATE and said.side is Side.INCUMBENT:
            self.counts.add("fallback", to="incumbent", failure="at_the_plane", taken="true")
        if LOW_CONFIDENCE in flags or (flags and self.plan.review is not None):
            reason = ReviewReason.LOW_CONFIDENCE if LOW_CONFIDENCE in flags else ReviewReason.FLAGGED
            self._looking.put_later(self._looking.case(question, said, reason))
        return Resolved(Decision.SERVED, 200, said.body, said=said, why=why, stood_in=stood_in, flags=flags)

    async def _stand_in(
        self,
        who: StandIn,
        question: Question,
        failed: Failed,
        said: Said | None,
        flags: tuple[str, ...],
        now: datetime,
    ) -> Resolved | None:
        """Return what comes of it; None: that one cannot stand in now."""
        why: str = failed.failure
        match who:
            case StandIn.INCUMBENT:
                answer = await self.incumbent.ask(question.body, question.headers)
                if isinstance(answer, Failed) or self._failure(answer) is not None:
                    return None
                return self._served(question, answer, flags, who, why)
            case StandIn.REVIEW:
                reason = ReviewReason.LOW_CONFIDENCE if said is not None else ReviewReason.FALLBACK
                if not await self._looking.put(self._looking.case(question, said, reason)):
                    return None
                body = later_answer("review", question.request_id, why)
                return Resolved(Decision.REVIEW, 202, body, None, said, why, who, flags)
            case StandIn.QUEUE:
                return await self._queued(question, why, flags, now)
            case StandIn.SAFE_DEFAULT:
                value = safe_default(self.plan)
                if value is None:
                    return None
                body = safe_answer(self.plan, value, question.request_id, why)
                return Resolved(Decision.SAFE_DEFAULT, 200, body, None, said, why, who, flags)

    async def _queued(
        self, question: Question, why: str, flags: tuple[str, ...], now: datetime
    ) -> Resolved | None:
        if self.queue is None:
            return None
        one = Queued(
            question.request_id, question.digest, question.body, question.entity, question.slice, question.at
        )
        try:
            put = await in_time(self.queue.put, one, now)
        except StoreError as err:
            _LOG.warning("queue of %s: %s", self.plan.service, err)
            return None
        match put:
            case Put.KEPT | Put.THERE:
                where = f"/v2/requests/{quote(question.request_id, safe='')}"
                body = later_answer("queued", question.request_id, why, answer_at=where)
                return Resolved(
                    Decision.QUEUED, 202, body, None, None, why, StandIn.QUEUE, flags, {"location": where}
                )
            case Put.OTHER:
                return used_before(question.request_id)
            case Put.FULL:
                self.counts.add("queue_full")
                return None
