"""Whom the guard asks: the plane, or the incumbent itself. What comes back is an answer or a failure.

Asked again: no connection, no answer in time, 5xx, and 429 where the wait is short. Never: any other
refusal, and an answer that came and is garbage. Attempts per request, the retry budget of the guard, and a
circuit breaker each bound it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from itertools import count

import httpx

from headgate.adapters.circuit import Breaker, Position
from headgate.adapters.guard.answers import read_answer
from headgate.adapters.models import backoff, retry_after
from headgate.guard.budgets import Repeats
from headgate.guard.counts import Counts
from headgate.guard.words import TRANSIENT, Failed, Failure, Said
from headgate.plan.model import Plan
from headgate.ports import Side, Status

#: Seconds a caller is kept waiting for another try; a server that asks for more counts as not there.
LONGEST_PAUSE = 2.0
#: Seconds for which a server that asks to be left alone is left alone, at most.
LONGEST_REST = 60.0
SIDE_HEADER = "x-rollout-side"
#: What the plane says of the answer, and the model of itself: it goes on to the caller.
TOLD = (SIDE_HEADER, "x-rollout", "x-rollout-generation", "x-model-version")

RawHeaders = Sequence[tuple[bytes, bytes]]


class Upstream:
    """One address that answers in the Open Inference Protocol.

    Parameters
    ----------
    name
        What it is called in counts: ``plane`` or ``incumbent``.
    url
        Where it listens, without a path.
    patience
        Seconds for one try.
    side
        Who answers there; None: that is for the plane to say.
    """

    def __init__(
        self,
        name: str,
        url: str,
        plan: Plan,
        client: httpx.AsyncClient,
        repeats: Repeats,
        counts: Counts,
        *,
        patience: float,
        side: Side | None = None,
        breaker: Breaker | None = None,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.name = name
        self._url = httpx.URL(f"{url}/v2/models/{plan.incumbent.model}/infer")
        self._plan = plan
        self._client = client
        self._repeats = repeats
        self._counts = counts
        self._patience = patience
        self._side = side
        self._breaker = breaker or Breaker(plan.serving.circuit)
        self._draw = draw
        self._not_before = 0.0
        self._rests: Side | None = side  # who asked to be left alone

    @property
    def position(self) -> Position:
        """Where its circuit breaker stands."""
        return self._breaker.position

    @property
    def longest(self) -> float:
        """Seconds after which `ask` has ended, whatever is behind it."""
        retry = self._plan.serving.retry
        pauses = (backoff(retry, tries, lambda _least, most: most) for tries in range(1, retry.attempts))
        return retry.attempts * self._patience + sum(LONGEST_PAUSE + pause for pause in pauses)

    async def close(self) -> None:
        """Let go of its connections."""
        await self._client.aclose()

    async def ask(self, body: bytes, headers: RawHeaders) -> Said | Failed:
        """Ask, and ask again where that may help and the budget allows. Never raises for what it does."""
        for tries in count(1):
            outcome = await self._guarded(body, headers)
            if isinstance(outcome, Said):
                return outcome
            self._counts.add("failure", at=self.name, failure=outcome.failure, side=outcome.side or "unknown")
            pause = self._pause(outcome, tries)
            if pause is None:
                return outcome
            await asyncio.sleep(pause)
        raise AssertionError("unreachable: the loop ends by an answer or a failure")

    def _pause(self, failed: Failed, tries: int) -> float | None:
        """Return the seconds to wait before asking again; None: not again."""
        if failed.failure not in TRANSIENT or tries >= self._plan.serving.retry.attempts:
            return None
        if failed.retry_after is not None and failed.retry_after > LONGEST_PAUSE:
            return None
        within = self._repeats.again()
        self._counts.add("retry", at=self.name, within_budget=str(within).lower())
        if not within:
            return None
        # Those who were told the same time should not come back at the same moment.
        return (failed.retry_after or 0.0) + backoff(self._plan.serving.retry, tries, self._draw)

    async def _guarded(self, body: bytes, headers: RawHeaders) -> Said | Failed:
        if (rest := self._not_before - time.monotonic()) > 0:
            detail = "not asked: it said when to come back"
            return Failed(Failure.LIMITED, detail, self._rests, retry_after=rest)
        ticket = self._breaker.enter()
        if ticket is None:
            detail = "not asked: the circuit is open after too many failures"
            return Failed(Failure.CIRCUIT_OPEN, detail, self._side)
        healthy = False  # stays so when this task is cancelled: a probe must always report
        try:
            outcome = await self._try(body, headers)
            down = (Failure.UNREACHABLE, Failure.TIMEOUT, Failure.SERVER_ERROR)
            healthy = isinstance(outcome, Said) or outcome.failure not in down
        finally:
            self._breaker.record(ticket, ok=healthy)
        if isinstance(outcome, Failed) and (outcome.retry_after or 0.0) > LONGEST_PAUSE:
            self._not_before = time.monotonic() + min(outcome.retry_after or 0.0, LONGEST_REST)
            self._rests = outcome.side
        return outcome

    async def _try(self, body: bytes, headers: RawHeaders) -> Said | Failed:
        try:
            # httpx bounds each read; a server that drips bytes is bounded only by a limit on the whole.
            async with asyncio.timeout(self._patience):
                response = await self._client.request(
                    "POST", self._url, content=body, headers=list(headers), timeout=None
                )
        except (TimeoutError, httpx.TimeoutException):
            detail = f"{self.name}: no answer within {self._patience:g} s"
            return Failed(Failure.TIMEOUT, detail, self._side)
        except httpx.RequestError as err:
            return Failed(Failure.UNREACHABLE, f"{self.name}: {type(err).__name__}", self._side)
        return self._read(response)

    def _read(self, response: httpx.Response) -> Said | Failed:
        assigned = _side(response.headers.get(SIDE_HEADER)) or self._side
        if not response.is_success:
            # The plane asks the incumbent after any failure of the candidate: what it passes on is the
            # incumbent's own, whoever the request was assigned to.
            side = Side.INCUMBENT if assigned is not None else None
            detail = f"{self.name}: HTTP {response.status_code}"
            return Failed(_failure(response), detail, side, response.status_code, retry_after(response))
        answer = read_answer(self._plan, response.content)
        side = self._who(answer.version)
        if answer.value is None or answer.status is not Status.OK:
            return Failed(
                Failure.INVALID, f"{self.name}: {answer.detail}", side or assigned, response.status_code
            )
        told = tuple((name, found) for name in TOLD if _printable(found := response.headers.get(name, "")))
        return Said(response.content, answer.value, answer.confidence, answer.version, side, assigned, told)

    def _who(self, version: str | None) -> Side | None:
        """Return whose version that is; None where it is neither's, or not told."""
        versions = {
            self._plan.candidate.version: Side.CANDIDATE,
            self._plan.incumbent.version: Side.INCUMBENT,
        }
        return self._side or (None if version is None else versions.get(version))


def _failure(response: httpx.Response) -> Failure:
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return Failure.LIMITED
    if response.is_client_error:
        return Failure.REFUSED
    return Failure.SERVER_ERROR


def _side(said: str | None) -> Side | None:
    return Side(said) if said in tuple(Side) else None


def _printable(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable()
