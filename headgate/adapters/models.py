"""Served models, asked over HTTP in the Open Inference Protocol v2.

Retried: no connection, no answer in time, 5xx, 429. Never retried: any other refusal, and an answer
that came and is garbage. Whatever a server does, `HttpModel.infer` answers with a status per row.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import stamina

from headgate.adapters.circuit import Breaker
from headgate.adapters.oip import all_alike, decode, encode
from headgate.errors import ModelError, ModelRefused, ModelUnavailable
from headgate.parity import Told, wire
from headgate.plan.model import InputContract, ModelRef, Plan, Retry, Serving
from headgate.ports import Answers, Metadata, Status

LONGEST_WAIT = 30.0
"""Seconds between two tries at most; a server that asks for more (Retry-After) counts as down."""

_TOO_MANY = 429


class _Timeout(ModelUnavailable):
    """No answer within the plan's timeout."""


class _Later(ModelUnavailable):
    """The server said when to come back."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class _Answered:
    """A 2xx body, not looked into yet."""

    body: bytes


def client_for(*refs: ModelRef) -> httpx.AsyncClient:
    """Return a client for the `HttpModel` of these servers; whoever asks for it closes it."""
    # Without TLS there is nothing to verify, and loading the authorities takes longer than a window.
    return httpx.AsyncClient(verify=any(ref.url.startswith("https") for ref in refs))


class HttpModel:
    """One side's model server; implements `headgate.ports.Model`.

    Parameters
    ----------
    ref
        Where it is and what its model is called.
    serving
        Timeout of one try, retries, circuit breaker, calls under way at once.
    answers
        Range an answer must be in, lowest and highest (`Plan.answers`).
    client
        Whoever opens it closes it. Its own timeout does not matter: the plan's is enforced here.
    contract
        The plan's input contract: names the datatype of a column even where a batch is all null.
        Without it the datatype is read off the values of each batch.
    breaker
        Tests pass one with a clock of their own.
    draw
        Uniform number between two others: the jitter.
    """

    def __init__(
        self,
        ref: ModelRef,
        serving: Serving,
        answers: tuple[float, float],
        client: httpx.AsyncClient,
        *,
        contract: InputContract | None = None,
        breaker: Breaker | None = None,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._url = f"{ref.url}/v2/models/{quote(ref.model, safe='')}"
        # Parsed once: httpx would spend half of building a request on it.
        self._urls = {path: httpx.URL(self._url + path) for path in ("", "/ready", "/infer")}
        self._retry = serving.retry
        self._timeout = serving.timeout.total_seconds()
        self._answers = answers
        self._client = client
        self._kinds = {name: column.type for name, column in contract.columns.items()} if contract else {}
        self._breaker = breaker or Breaker(serving.circuit)
        self._draw = draw
        self._slots = asyncio.Semaphore(serving.concurrency)

    async def infer(self, columns: Mapping[str, Sequence[Any]]) -> Answers:
        """Score one batch. Never raises for what a server does: failures are statuses.

        Parameters
        ----------
        columns
            One sequence of n values per input column; None is a missing value.

        Raises
        ------
        ValueError
            If there are no columns or they differ in length: the caller's mistake, not the server's.
        """
        lengths = {len(values) for values in columns.values()}
        if len(lengths) != 1:
            raise ValueError(f"columns must be there and of one length, got lengths {sorted(lengths)}")
        n = lengths.pop()
        body = encode(columns, self._kinds)
        try:
            answered = await self._post(body)
        except _Timeout as err:
            return all_alike(n, Status.TIMEOUT, str(err))
        except ModelError as err:
            return all_alike(n, Status.ERROR, str(err))
        return decode(answered.body, n, self._answers)

    async def stages(self, columns: Mapping[str, Sequence[Any]], n: int) -> Told:
        """Ask n golden examples, and what each step makes of them.

        Raises
        ------
        ModelUnavailable, ModelRefused
            If the server does not answer, or not to n requests.
        """
        body = wire.asking(encode(columns, self._kinds))
        return wire.read((await self._post(body)).body, n)

    async def ready(self) -> bool:
        """Say whether the server answers and its model is loaded. Asked once: no retries."""
        try:
            await self._try("GET", "/ready")
        except ModelError:
            return False
        return True

    async def metadata(self) -> Metadata:
        """Return name and version.

        Raises
        ------
        ModelUnavailable, ModelRefused
            If the server does not answer, or not with metadata.
        """
        answered = await self._retried("GET", "", b"")
        try:
            said = orjson.loads(answered.body)
            version = said.get("version") or said["versions"][-1]
            inputs, outputs = tuple(said.get("inputs", ())), tuple(said.get("outputs", ()))
            told = said.get("parameters")
            return Metadata(
                str(said["name"]), str(version), inputs, outputs, told if isinstance(told, dict) else {}
            )
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as err:
            raise ModelRefused(
                f"{self._url}: asked for metadata with a name and versions; "
                f"found {answered.body[:200]!r}; the server must speak Open Inference Protocol v2"
            ) from err

    async def _post(self, body: bytes) -> _Answered:
        return await self._retried("POST", "/infer", body)

    async def _retried(self, method: str, path: str, body: bytes) -> _Answered:
        tries = 0

        def patience(err: Exception) -> bool | float:
            if isinstance(err, _Later):
                return err.wait if err.wait <= LONGEST_WAIT else False
            return backoff(self._retry, tries, self._draw) if isinstance(err, ModelUnavailable) else False

        async for attempt in stamina.retry_context(patience, attempts=self._retry.attempts, timeout=None):
            with attempt:
                tries = attempt.num
                return await self._guarded(method, path, body)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _guarded(self, method: str, path: str, body: bytes) -> _Answered:
        async with self._slots:
            ticket = self._breaker.enter()
            if ticket is None:
                raise ModelRefused(f"{self._url}: not asked, the circuit is open after too many failures")
            healthy = False  # stays so when this task is cancelled: a probe must always report
            try:
                answered = await self._try(method, path, body)
                healthy = True
            except ModelRefused:
                healthy = True  # it is there and says no
                raise
            finally:
                self._breaker.record(ticket, ok=healthy)
        return answered

    async def _try(self, method: str, path: str, body: bytes = b"") -> _Answered:
        url = self._urls[path]
        headers = {"content-type": "application/json"} if body else None
        try:
            # httpx bounds each read; a server that drips bytes is bounded only by a limit on the whole.
            async with asyncio.timeout(self._timeout):
                response = await self._client.request(
                    method, url, content=body or None, headers=headers, timeout=None
                )
        except (TimeoutError, httpx.TimeoutException) as err:
            raise _Timeout(f"{url}: no answer within {self._timeout:g} s") from err
        except httpx.RequestError as err:
            raise ModelUnavailable(f"{url}: {type(err).__name__}: {err}") from err
        if response.is_success:
            return _Answered(response.content)
        message = f"{url}: HTTP {response.status_code}: {response.text[:200]}"
        if response.status_code != _TOO_MANY and not response.is_server_error:
            raise ModelRefused(message)
        wait = retry_after(response)
        raise ModelUnavailable(message) if wait is None else _Later(message, wait)


def backoff(retry: Retry, tries: int, draw: Callable[[float, float], float]) -> float:
    """Return the seconds to wait after the ``tries``-th try failed (from 1).

    Full jitter: uniform between nothing and ``base * 2**(tries - 1)``, so that callers who failed
    together do not come back together. ``jitter: false`` waits that long exactly.

    Examples
    --------
    >>> backoff(Retry(jitter=False), 3, random.uniform)
    0.2
    """
    most = min(LONGEST_WAIT, retry.base.total_seconds() * 2 ** (tries - 1))
    return draw(0.0, most) if retry.jitter else most


def retry_after(response: httpx.Response) -> float | None:
    """Return how many seconds an answer asks its caller to wait; None where it does not say."""
    asked = response.headers.get("retry-after")
    if asked is None:
        return None
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        # A date is held against the server's own Date, so that its clock need not agree with ours.
        gap = parsedate_to_datetime(asked) - parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError, TypeError):
        return None
    return max(0.0, gap.total_seconds())


async def metadata_of(plan: Plan, ref: ModelRef) -> Metadata:
    """Ask one model of a plan what it says of itself; raises as `HttpModel.metadata` does."""
    async with client_for(ref) as client:
        return await HttpModel(ref, plan.serving, plan.answers, client).metadata()
