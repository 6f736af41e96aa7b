"""The callers of the flights service: real requests, one at a time each, through the plane."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import orjson
import pyarrow as pa


@dataclass
class Tally:
    """What callers saw.

    Attributes
    ----------
    sent
        Requests sent.
    dropped
        Requests that got no answer at all.
    failed
        Requests whose answer was no probability in [0, 1].
    by_side
        Answers per (rollout, generation, assigned side).
    """

    sent: int = 0
    dropped: int = 0
    failed: int = 0
    by_side: Counter[tuple[str, int, str]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Live:
    """Which part of the requests is sent live, and how many of them are started per second."""

    part: float
    per_second: float


class _Pace:
    """Lets callers start one after the other, never closer than this; a late start is not made up for."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    async def turn(self) -> None:
        now = time.perf_counter()
        mine = max(self._next, now)
        self._next = mine + self._seconds
        await asyncio.sleep(mine - now)


@dataclass(frozen=True)
class Callers:
    """A fixed number of callers that keep their connections.

    Attributes
    ----------
    url
        Where the plane answers.
    model
        Name in the Open Inference Protocol path.
    columns
        (name, datatype) of the inputs a caller sends.
    concurrency
        Requests under way at once.
    """

    url: str
    model: str
    columns: Sequence[tuple[str, str]]
    id_column: str
    at_column: str
    entity_column: str
    concurrency: int = 8

    def send(self, requests: pa.Table, tally: Tally, per_second: float) -> None:
        """Send every request once, evenly spaced, and count what came back.

        A week of requests is sent in seconds: unpaced, they would queue up at the slower server, and its
        latency would be that of the queue.
        """
        asyncio.run(self._send(requests, tally, per_second))

    async def _send(self, requests: pa.Table, tally: Tally, per_second: float) -> None:
        queue = self._rows(requests)
        pace = _Pace(1 / per_second)
        limits = httpx.Limits(max_connections=self.concurrency)
        async with (
            httpx.AsyncClient(base_url=self.url, limits=limits, timeout=10.0) as client,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(self.concurrency):
                group.create_task(self._caller(client, queue, pace, tally))

    async def _caller(
        self,
        client: httpx.AsyncClient,
        queue: Iterator[tuple[Mapping[str, str], bytes]],
        pace: _Pace,
        tally: Tally,
    ) -> None:
        path = f"/v2/models/{self.model}/infer"
        for headers, body in queue:  # the callers share one queue
            await pace.turn()
            tally.sent += 1
            try:
                answer = await client.post(path, content=body, headers=dict(headers))
            except httpx.HTTPError:
                tally.dropped += 1
                continue
            if not _is_probability(answer):
                tally.failed += 1
            got = answer.headers
            key = (
                got.get("x-rollout", ""),
                int(got.get("x-rollout-generation", -1)),
                got.get("x-rollout-side", ""),
            )
            tally.by_side[key] += 1

    def _rows(self, requests: pa.Table) -> Iterator[tuple[Mapping[str, str], bytes]]:
        for row in requests.to_pylist():
            headers = {
                "content-type": "application/json",
                "x-request-id": str(row[self.id_column]),
                "x-request-at": _utc(row[self.at_column]),
            }
            if row[self.entity_column]:
                headers["x-entity-id"] = str(row[self.entity_column])
            yield headers, orjson.dumps({"inputs": [_tensor(row, name, kind) for name, kind in self.columns]})


def _tensor(row: Mapping[str, Any], name: str, kind: str) -> dict[str, Any]:
    value = row[name]
    if isinstance(value, datetime):
        value = _utc(value)
    return {"name": name, "shape": [1], "datatype": kind, "data": [value]}


def _utc(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def _is_probability(answer: httpx.Response) -> bool:
    if answer.status_code != httpx.codes.OK:
        return False
    try:
        value = orjson.loads(answer.content)["outputs"][0]["data"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        return False
    return isinstance(value, float | int) and math.isfinite(value) and 0 <= value <= 1
