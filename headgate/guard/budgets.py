"""How often the guard may let in, and how often it may ask again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from headgate.plan.guarding import RateLimit, RetryBudget

#: Seconds over which requests and repeats are held against each other.
WINDOW = 10.0

Clock = Callable[[], float]


class Repeats:
    """The retry budget: when everything fails, retries must not become the load that keeps it failing.

    Attempts per request bound what one caller costs; this bounds what all of them cost together
    (Google SRE book, chapter 21; the same rule as in Finagle and Linkerd).

    Examples
    --------
    >>> budget = Repeats(RetryBudget(share=0.5, least=1), clock=lambda: 0.0)
    >>> for _ in range(4):
    ...     budget.asked()
    >>> [budget.again() for _ in range(4)]
    [True, True, True, False]
    """

    def __init__(self, budget: RetryBudget, clock: Clock = time.monotonic) -> None:
        self._budget = budget
        self._clock = clock
        self._asked: deque[float] = deque()
        self._again: deque[float] = deque()

    def asked(self) -> None:
        """Note that a request came."""
        self._asked.append(self._clock())

    def again(self) -> bool:
        """Say whether one more repeat is within the budget, and if so note it."""
        now = self._clock()
        for moments in (self._asked, self._again):
            while moments and now - moments[0] > WINDOW:
                moments.popleft()
        if len(self._again) >= self._budget.least + self._budget.share * len(self._asked):
            return False
        self._again.append(now)
        return True


class Gate:
    """The rate limit: a bucket of tokens, one per request, filled at the plan's rate.

    Examples
    --------
    >>> now = [0.0]
    >>> gate = Gate(RateLimit(requests=2), clock=lambda: now[0])
    >>> [gate.wait() for _ in range(3)]
    [0.0, 0.0, 0.5]
    >>> now[0] = 0.5
    >>> gate.wait()
    0.0
    """

    def __init__(self, limit: RateLimit | None, clock: Clock = time.monotonic) -> None:
        self._rate = limit.requests / limit.per.total_seconds() if limit else None
        self._most = float(limit.most_at_once) if limit else 0.0
        self._clock = clock
        self._tokens, self._at = self._most, clock()

    def wait(self) -> float:
        """Let a request in and return 0; or return after how many seconds there is room for it."""
        if self._rate is None:
            return 0.0
        now = self._clock()
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate
