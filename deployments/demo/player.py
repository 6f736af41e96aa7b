"""Plays months of a service in minutes, through the very flows that run in production.

The played clock moves from event to event: the end of a shadow window, or the time at which what the
rollout waits for is due (a calendar opens, a dwell is over, an approval was given). Callers send the
requests that fall in between, at the share that is in force then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from headgate.rollout.state import Asked, Move, Phase, State, Tick

#: What was due is looked at again a minute later at the earliest: a tick must move the clock.
LEAST_STEP = timedelta(minutes=1)


class Service(Protocol):
    """What the player needs from a running service."""

    def open(self, now: datetime) -> None:
        """Open the rollout."""
        ...

    def shadow(self, now: datetime) -> None:
        """Score the window that ends now."""
        ...

    def tick(self, now: datetime) -> Tick:
        """Take one tick and return the ledger row in force after it."""
        ...

    def call(self, start: datetime, end: datetime, state: State) -> None:
        """Let callers send what falls in ``[start, end)``."""
        ...

    def approve(self, asked: Asked, now: datetime) -> None:
        """Let the operators answer what was asked."""
        ...


@dataclass
class Player:
    """One service and its played clock.

    Attributes
    ----------
    every
        Length of a shadow window.
    answer_after
        How long the operators take to answer.
    told
        Called after every tick, for whoever watches.
    """

    service: Service
    start: datetime
    end: datetime
    every: timedelta
    answer_after: timedelta = timedelta(minutes=20)
    told: Callable[[Tick], None] = lambda _tick: None
    ticks: int = field(default=0, init=False)

    def play(self) -> Tick:
        """Play until the rollout is done or the time is over; return the last ledger row."""
        now = self.start
        self.service.open(now)
        last = self._tick(now)
        window_end = self.start + self.every
        answers_at: datetime | None = None
        while last.state.phase is not Phase.DONE and now < self.end:
            due = next_event(now, window_end, answers_at, last)
            self.service.call(now, due, last.state)
            now = due
            if now == window_end:
                self.service.shadow(now)
                window_end += self.every
            if answers_at is not None and now >= answers_at:
                if last.state.asked is not None:  # a tick in between may have made the question void
                    self.service.approve(last.state.asked, now)
                answers_at = None
            last = self._tick(now)
            if last.decision.move is Move.ASK:
                answers_at = now + self.answer_after
        return last

    def _tick(self, now: datetime) -> Tick:
        tick = self.service.tick(now)
        self.ticks += 1
        self.told(tick)
        return tick


def next_event(now: datetime, window_end: datetime, answers_at: datetime | None, last: Tick) -> datetime:
    """Return when something happens next, never before a minute has passed."""
    times = [window_end]
    if answers_at is not None:
        times.append(answers_at)
    if last.decision.move not in (Move.HOLD, Move.ASK) or last.state.phase is Phase.ROLLING_BACK:
        times.append(now + LEAST_STEP)  # something changed: a tick from now tells what it waits for
    elif last.decision.due is not None:
        times.append(max(last.decision.due, now + LEAST_STEP))
    return max(min(times), now)
