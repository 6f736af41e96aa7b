"""The guard: one request in, one reply out, and a line of each in the logs."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import orjson

from headgate.adapters.guard.notes import Notes
from headgate.adapters.guard.question import Question, Resolved, used_before
from headgate.adapters.guard.queue import Queued, State, in_time
from headgate.adapters.guard.resolving import Resolver
from headgate.adapters.oip import encode
from headgate.errors import StoreError
from headgate.guard.asked import Asked, Door
from headgate.guard.budgets import Gate, Repeats
from headgate.guard.headers import Headers
from headgate.guard.problems import MEDIA_TYPE, Problem, Refused
from headgate.guard.words import Decision, Named
from headgate.plan.model import Plan

_LOG = logging.getLogger("headgate.guard")
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back over the wire."""

    status: int
    body: bytes
    media_type: str
    headers: Mapping[str, str]


class Guard:
    """Answers requests of one service. Everything it must remember is in the queue and the logs."""

    def __init__(
        self, plan: Plan, resolver: Resolver, repeats: Repeats, notes: Notes, clock: Callable[[], datetime]
    ) -> None:
        self.plan = plan
        self.resolver = resolver
        self.counts = resolver.counts
        self.notes = notes
        self.clock = clock
        self.door = Door(plan, lambda: str(uuid4()))
        self._gate = Gate(plan.serving.rate_limit)
        self._repeats = repeats
        self._kinds = {name: rule.type for name, rule in plan.input.columns.items()} if plan.input else {}

    async def infer(self, headers: Headers, body: bytes) -> Reply:
        """Answer one request. Nothing about a request is ever an error of the guard."""
        began, now = time.perf_counter(), self.clock()
        if (wait := self._gate.wait()) > 0:
            problem = Problem(
                429, "too_many_requests", "the rate limit of this guard is reached; come back later", (),
                {"retry-after": str(math.ceil(wait))},
            )  # fmt: skip
            return self._reply(Resolved(Decision.LIMITED, 429, problem=problem, why="rate_limit"), None)
        self._repeats.asked()
        try:
            asked = self.door.read(headers, body, now)
        except Refused as err:
            return self._refused(err, began)
        self._count(asked)
        question = self._question(asked, body)
        resolved = await self._resolve(question, asked, now)
        self.notes.asked(asked.named, asked.row)
        self._note(asked.named, asked.slice, resolved, began)
        return self._reply(resolved, question.request_id)

    async def find(self, request_id: str) -> Reply:
        """Return what became of a request that was queued."""
        kept = await self._kept(request_id)
        if kept is None:
            detail = f"asked a request that was queued here; found none called {request_id[:128]!r}"
            return problem_reply(Problem(404, "no_such_request", detail))
        return _reply_of(kept)

    async def _resolve(self, question: Question, asked: Asked, now: datetime) -> Resolved:
        kept = await self._kept(question.request_id) if asked.named.given else None
        if kept is not None and kept.digest != question.digest:
            return used_before(question.request_id)
        if kept is not None and kept.state is State.ANSWERED and kept.answer is not None:
            return Resolved(Decision.SERVED, 200, kept.answer, why="recorded")
        resolved = await self.resolver.resolve(question, now, flags=tuple(asked.flags))
        if kept is not None and kept.state is State.WAITING and resolved.status == 200:
            return await self._recorded(question.request_id, resolved)
        return resolved

    async def _recorded(self, request_id: str, resolved: Resolved) -> Resolved:
        """Record the answer of a request that waits as well; whichever was recorded first is the answer."""
        queue = self.resolver.queue
        try:
            if queue is None or await in_time(queue.record, request_id, resolved.body, self.clock()):
                return resolved
            kept = await in_time(queue.find, request_id)
        except StoreError as err:
            _LOG.warning("queue of %s: %s", self.plan.service, err)
            return resolved
        if kept is None or kept.answer is None:
            return resolved
        return Resolved(Decision.SERVED, 200, kept.answer, why="recorded")

    async def _kept(self, request_id: str) -> Queued | None:
        if self.resolver.queue is None:
            return None
        try:
            return await in_time(self.resolver.queue.find, request_id)
        except StoreError as err:
            _LOG.warning("queue of %s: %s", self.plan.service, err)
            return None

    def _refused(self, err: Refused, began: float) -> Reply:
        reasons = ";".join(err.reasons)
        for reason in err.reasons:
            self.counts.add("input", reason=reason, then="rejected")
        resolved = Resolved(Decision.REFUSED, err.problem.status, problem=err.problem, why=reasons)
        if err.about is None:
            _LOG.info("refused service=%s reasons=%s", self.plan.service, reasons)
            return self._reply(resolved, None)
        named, row = err.about
        _LOG.info("refused service=%s request=%s reasons=%s", self.plan.service, named.request_id, reasons)
        self.notes.asked(named, row)
        self._note(named, None, resolved, began)
        return self._reply(resolved, named.request_id)

    def _note(self, named: Named, part: str | None, resolved: Resolved, began: float) -> None:
        self.notes.answered(named, part, resolved, self.clock(), (time.perf_counter() - began) * 1e3)

    def _question(self, asked: Asked, body: bytes) -> Question:
        named = asked.named
        if self.plan.input is not None:
            body = encode({name: [value] for name, value in asked.sent.items()}, self._kinds)
        return Question(named.request_id, named.entity, asked.slice, named.at, body, asked.row)

    def _count(self, asked: Asked) -> None:
        for reason in asked.flags:
            self.counts.add("input", reason=reason, then="flagged")
        for column in asked.changed:
            self.counts.add("normalised", column=column)
        if asked.named.entity is None:
            self.counts.add("no_entity")
        if not asked.named.given:
            self.counts.add("no_request_id")

    def _reply(self, resolved: Resolved, request_id: str | None) -> Reply:
        self.counts.add("decision", decision=resolved.decision, why=_few_words(resolved))
        headers = {"x-headgate-decision": resolved.decision.value, **resolved.headers}
        if resolved.said is not None:
            headers |= dict(resolved.said.told)
        if resolved.stood_in is not None:
            headers["x-headgate-stood-in"] = resolved.stood_in.value
        if resolved.flags:
            headers["x-headgate-flags"] = quote(";".join(resolved.flags), safe=";._-")
        if request_id is not None:
            headers["x-request-id"] = request_id
        if resolved.problem is not None:
            return problem_reply(resolved.problem, request_id, headers)
        return Reply(resolved.status, resolved.body, _JSON, headers)


def problem_reply(
    problem: Problem, request_id: str | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """Return a problem as it is told."""
    return Reply(
        problem.status,
        orjson.dumps(problem.body(request_id)),
        MEDIA_TYPE,
        {**(headers or {}), **problem.headers},
    )


def json_reply(body: Any, status: int = 200) -> Reply:
    """Return JSON."""
    return Reply(status, orjson.dumps(body), _JSON, {})


def _few_words(resolved: Resolved) -> str:
    """Return why, as a label: the reasons of a refusal are counted by themselves."""
    return "input" if resolved.decision is Decision.REFUSED else resolved.why or "ok"


def _reply_of(kept: Queued) -> Reply:
    headers = {"x-request-id": kept.request_id}
    match kept.state:
        case State.ANSWERED:
            return Reply(200, kept.answer or b"{}", _JSON, headers)
        case State.WAITING:
            waiting = {"decision": "queued", "request_id": kept.request_id}
            return Reply(202, orjson.dumps(waiting), _JSON, {**headers, "retry-after": "1"})
        case State.EXPIRED:
            detail = "it waited for longer than an answer is of use; ask anew with a new id"
            return problem_reply(Problem(410, "expired", detail), kept.request_id, headers)
