"""An open loop: every request is sent when it is due, whether or not the ones before it were answered.

Callers do not wait for each other, so a load that does measures a server that is left alone as soon as it
is slow. Requests come at random (as many independent callers do), each on a connection of its own while it
is under way. Why this is our own: docs/decisions/0029.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import uvloop

from headgate.adapters.load.line import Line

FloatArray = npt.NDArray[np.float64]
#: Says what is wrong with an answer (status, headers, body); empty: nothing.
Judge = Callable[[int, Mapping[str, str], bytes], str]

#: Connections at once; requests beyond wait for one, and their latency counts the wait.
MOST_CONNECTIONS = 900
NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True)
class Shots:
    """What came of n requests, in the order they were due.

    Attributes
    ----------
    due, sent, done
        Seconds from the start, shape (n,). Without an answer ``done`` is when it was given up.
    faults
        n texts, empty where the answer was usable.
    """

    due: FloatArray
    sent: FloatArray
    done: FloatArray
    faults: Sequence[str]


def arrivals(rate: float, seconds: float, seed: int) -> FloatArray:
    """Return when requests are due: ``rate * seconds`` of them, at random, in order; at least one.

    A Poisson process of which the number of arrivals is known is as many uniform draws.

    Examples
    --------
    >>> arrivals(2.0, 2.0, seed=1)
    array([0.288, 1.024, 1.897, 1.901])
    """
    n = max(1, round(rate * seconds))
    return np.sort(np.random.default_rng(seed).uniform(0, seconds, n))


def fire(
    address: tuple[str, int],
    requests: Sequence[bytes],
    due: FloatArray,
    judge: Judge,
    *,
    patience: float = 10.0,
    keep_headers: bool = False,
    connections: int = MOST_CONNECTIONS,
) -> Shots:
    """Send requests when they are due, over and over from the first, and return what came of them.

    Parameters
    ----------
    address
        Host and port that answer plain HTTP/1.1.
    requests
        Whole requests as they go over the wire; at least one.
    due
        Seconds from the start, in order, shape (n,).
    judge
        Called with every answer as it comes; keep it short.
    patience
        Seconds from sending after which a request is given up.
    connections
        At most so many at once. With few of them and all requests due at once this is a closed loop.
    """
    volley = _Volley(address, requests, due, judge, patience, keep_headers, connections)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(volley.run())
    return Shots(due, volley.sent, volley.done, volley.faults)


class _Volley:
    """All requests of one stage."""

    def __init__(
        self,
        address: tuple[str, int],
        requests: Sequence[bytes],
        due: FloatArray,
        judge: Judge,
        patience: float,
        keep_headers: bool,
        connections: int,
    ) -> None:
        self._address, self._requests, self._due, self._judge = address, requests, due, judge
        self._patience, self._keep_headers, self._connections = patience, keep_headers, connections
        self.sent, self.done = np.full(len(due), np.nan), np.full(len(due), np.nan)
        self.faults = [NO_ANSWER] * len(due)
        self._free: list[Line] = []
        self._lines: set[Line] = set()
        self._waiting: deque[int] = deque()
        self._under_way: dict[int, Line] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._left = len(due)

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        self._start = time.perf_counter() + 0.01
        watch = self._loop.create_task(self._give_up())
        for i, at in enumerate(self._due.tolist()):
            wait = at - self._now()
            # The loop's timers count milliseconds: what is due by now is sent without another look at them.
            if wait > 0:
                await asyncio.sleep(wait)
            self._waiting.append(i)
            self._serve()
        await self._over
        watch.cancel()
        for line in list(self._lines):
            line.hang_up()

    def _serve(self) -> None:
        """Send what waits, on connections that are free or may be opened."""
        while self._waiting and self._free:
            self._shoot(self._free.pop(), self._waiting.popleft())
        while len(self._opening) < len(self._waiting) and self._room():
            task = self._loop.create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opened)

    def _room(self) -> bool:
        return len(self._lines) + len(self._opening) < self._connections

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._serve()

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                _, line = await self._loop.create_connection(
                    lambda: Line(self._idle, self._lost, keep_headers=self._keep_headers), *self._address
                )
        except OSError as err:
            if self._waiting:  # a request that nobody could be asked
                i = self._waiting.popleft()
                self.sent[i] = self._now()
                self._end(i, f"no connection ({type(err).__name__})")
            return
        self._lines.add(line)
        self._free.append(line)

    def _idle(self, line: Line) -> None:
        self._free.append(line)
        self._serve()

    def _lost(self, line: Line) -> None:
        self._lines.discard(line)
        if line in self._free:
            self._free.remove(line)
        self._serve()

    def _shoot(self, line: Line, i: int) -> None:
        self.sent[i] = self._now()
        self._under_way[i] = line
        line.shoot(
            self._requests[i % len(self._requests)],
            lambda status, headers, body: self._answered(i, status, headers, body),
        )

    def _answered(self, i: int, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.done[i] = self._now()  # before it is judged, which takes time of ours
        self._end(i, self._judge(status, headers, body) if status else NO_ANSWER)

    def _end(self, i: int, fault: str) -> None:
        if np.isnan(self.done[i]):
            self.done[i] = self._now()
        self.faults[i] = fault
        self._under_way.pop(i, None)
        self._left -= 1
        if not self._left and not self._over.done():
            self._over.set_result(None)

    async def _give_up(self) -> None:
        """Hang up on requests that nobody answers."""
        while True:
            await asyncio.sleep(min(1.0, self._patience / 4))
            late = self._now() - self._patience
            for line in [line for i, line in self._under_way.items() if self.sent[i] < late]:
                line.hang_up()

    def _now(self) -> float:
        # Not the loop's own time: uvloop's counts whole milliseconds.
        return time.perf_counter() - self._start
