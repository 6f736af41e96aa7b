"""A circuit breaker by error rate: a failing server is left alone for a while, then probed once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum

from headgate.plan.model import Circuit


class Position(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"  # calls pass
    OPEN = "open"  # nothing passes
    HALF_OPEN = "half_open"  # one probe is under way; nothing else passes


class Breaker:
    """Opens when too many recent calls failed; closes when one later probe succeeds.

    The usual libraries count failures in a row; a server that fails every other call would never
    open those. This one looks at the share of failures among the calls of the last ``window``.

    Parameters
    ----------
    settings
        The plan's ``serving.circuit``.
    clock
        Seconds, never going back. Tests pass their own.

    Examples
    --------
    >>> now = [0.0]
    >>> breaker = Breaker(Circuit(min_calls=2), clock=lambda: now[0])
    >>> for _ in range(2):
    ...     breaker.record(breaker.enter(), ok=False)
    >>> breaker.enter() is None
    True
    >>> now[0] = 30.0
    >>> breaker.record(breaker.enter(), ok=True)
    >>> breaker.position
    <Position.CLOSED: 'closed'>
    """

    def __init__(self, settings: Circuit, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = settings.error_rate
        self._window = settings.window.total_seconds()
        self._min_calls = settings.min_calls
        self._rest = settings.half_open_after.total_seconds()
        self._clock = clock
        self._calls: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._opened_at = 0.0
        self._epoch = 0
        self._position = Position.CLOSED

    @property
    def position(self) -> Position:
        """Where the breaker stands. It leaves OPEN only when somebody asks to `enter`."""
        return self._position

    def enter(self) -> int | None:
        """Return a pass for one call, to be handed to `record`; None when the call must not be made."""
        if self._position is Position.OPEN and self._clock() - self._opened_at >= self._rest:
            self._position = Position.HALF_OPEN
            self._epoch += 1
            return self._epoch
        return self._epoch if self._position is Position.CLOSED else None

    def record(self, ticket: int | None, *, ok: bool) -> None:
        """Say how the call with this pass ended.

        A pass from before the last change of position is stale: a slow call that started before the
        breaker opened says nothing about the server now, and must not settle the probe's question.
        """
        if ticket != self._epoch:
            return
        if self._position is Position.HALF_OPEN:
            self._move(Position.CLOSED if ok else Position.OPEN)
            return
        now = self._clock()
        self._calls.append((now, ok))
        self._failures += not ok
        while now - self._calls[0][0] > self._window:
            self._failures -= not self._calls.popleft()[1]
        if len(self._calls) >= self._min_calls and self._failures >= self._rate * len(self._calls):
            self._move(Position.OPEN)

    def _move(self, position: Position) -> None:
        self._position = position
        self._opened_at = self._clock()
        self._epoch += 1
        self._calls.clear()
        self._failures = 0
