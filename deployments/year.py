"""Plays the example's year beside a live stack: quickly to the first question, then day by day.

People are never played. Whenever a rollout waits for somebody, the played clock runs as the machine's does
and everything goes on by the deployments' own schedules in the worker, however long it takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from deployments.demo.player import next_event
from headgate.adapters.clock import read_clock, set_clock
from headgate.rollout.state import Phase, State, Tick, Waiting

#: Windows of a week until the first question; then of a day, so that people can watch.
QUICK, MODERATE = timedelta(days=7), timedelta(days=1)
#: How long the worker may take to act on an answer before the player ticks by itself, seconds.
_WORKERS_TURN = 180.0
_AFTER_A_FAILURE = 3.0


class Stage(Protocol):
    """What the player needs from the running service."""

    def open(self, now: datetime) -> None:
        """Open a rollout, if none was ever opened."""
        ...

    def look(self) -> Tick:
        """Return the last ledger row of the rollout that holds the service, else of the newest."""
        ...

    def since(self, tick: int, last: Tick) -> Sequence[Tick]:
        """Return the ledger rows after this number and up to ``last``: the worker ticks as well."""
        ...

    def next_window(self, every: timedelta) -> datetime:
        """Return when the next shadow window of this length ends."""
        ...

    def shadow(self, now: datetime, every: timedelta) -> None:
        """Score the windows that are due."""
        ...

    def tick(self, now: datetime) -> None:
        """Take one tick."""
        ...

    def call(self, start: datetime, end: datetime, state: State) -> None:
        """Let callers send what falls in ``[start, end)``."""
        ...

    def goes_on(self) -> bool:
        """Return whether a promoted model is watched, so that the year goes on once its rollout is done."""
        ...

    def watch(self, now: datetime) -> None:
        """Let the monitor look, and wait for the retraining that may follow."""
        ...

    def unanswered(self) -> bool:
        """Return whether a question is open that too few people have answered."""
        ...


@dataclass
class Year:
    """The played year of one service.

    Attributes
    ----------
    clock
        The clock file, which the worker's flow runs read too.
    end
        Where the data ends.
    told
        Called with every new ledger row, for whoever watches.
    waits
        Called with the row that waits for people, once per question or stop.
    failed
        Called with what a flow run raised.
    idle
        Called about once a second while there is nothing to play.
    least
        Wall seconds that a played step takes at least once people watch.
    """

    stage: Stage
    clock: Path
    end: datetime
    told: Callable[[Tick], None] = lambda _tick: None
    waits: Callable[[Tick], None] = lambda _tick: None
    failed: Callable[[Exception], None] = lambda _err: None
    idle: Callable[[], None] = lambda: None
    least: float = 2.0
    quick: bool = True
    _told: tuple[str, int] | None = field(default=None, init=False)

    def play(self) -> None:
        """Play for ever: until interrupted, there is always somebody who may still press something."""
        self.stage.open(self.now())
        last = self._do(self.now(), self.stage.tick)
        while True:
            if self._stands(last):
                self.waits(last)
                last = self._wait(last)
                continue
            began = time.monotonic()
            last = self._go_on(last)
            if not self.quick:
                self._rest(self.least - (time.monotonic() - began))

    def stand_by(self) -> None:
        """Play nothing; whoever uses the stack opens and ticks."""
        while True:
            self._rest(1.0)

    def now(self) -> datetime:
        """Return the played time."""
        return read_clock(self.clock).now(datetime.now(UTC))

    def _go_on(self, last: Tick) -> Tick:
        """Play to the next event: callers, then the windows that are due, then a tick."""
        every = QUICK if self.quick else MODERATE
        now = self.now()
        if last.state.phase is Phase.DONE:
            return self._watch_on(now + every)
        window = self.stage.next_window(every)
        due = next_event(now, max(window, now), None, last)
        self.stage.call(now, due, last.state)
        due = max(due, self.now())  # the clock went on meanwhile, and never runs backwards
        set_clock(self.clock, due)
        if due >= window:
            self._do(due, lambda now: self.stage.shadow(now, every))
            if self.stage.goes_on():
                self._do(due, self.stage.watch)
        return self._do(due, self.stage.tick)

    def _watch_on(self, due: datetime) -> Tick:
        """Let a window pass while no rollout is under way; a tick opens what a retraining has queued."""
        set_clock(self.clock, due)
        self._do(due, self.stage.watch)
        return self._do(due, self.stage.tick)

    def _do(self, now: datetime, run: Callable[[datetime], None]) -> Tick:
        """Run a flow and look what is on record: one that fails is made up for by the next."""
        try:
            run(now)
        except Exception as err:  # noqa: BLE001 - a busy server must not take the stack down with it
            self.failed(err)
            self._rest(_AFTER_A_FAILURE)
        return self._look()

    def _look(self) -> Tick:
        last = self.stage.look()
        rollout, told = self._told or (last.state.rollout, last.tick - 1)
        for tick in self.stage.since(told if rollout == last.state.rollout else -1, last):
            self.told(tick)
        self._told = (last.state.rollout, last.tick)
        return last

    def _stands(self, last: Tick) -> bool:
        """Return whether only people, or nobody any more, can change anything."""
        if self.now() >= self.end:
            return True
        if last.state.phase is Phase.DONE:
            return not self.stage.goes_on()
        stopped = last.state.paused is not None or Waiting.OPERATOR in last.state.waiting_for
        return stopped or (last.state.asked is not None and self.stage.unanswered())

    def _wait(self, last: Tick) -> Tick:
        """Wait until people have changed something, and the worker's tick has acted on it."""
        self.quick, stood = False, last.state  # from now on somebody watches
        while self._stands(last):
            self._rest(1.0)
            last = self._look()
        answered_at = time.monotonic()
        patience = 0 if Waiting.CALENDAR in last.state.waiting_for else _WORKERS_TURN
        while last.state == stood and time.monotonic() - answered_at < patience:
            self._rest(1.0)
            last = self._look()
        return last

    def _rest(self, seconds: float) -> None:
        self.idle()
        time.sleep(max(0.0, seconds))
