"""What goes on once a model is promoted: the monitor looks week by week, and what it starts is played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from deployments.demo.player import Player, Service
from headgate.rollout.state import Tick


class Kept(Service, Protocol):
    """A service whose model is kept fresh."""

    def watch(self, now: datetime) -> None:
        """Let the monitor look, and wait for what that starts."""
        ...

    def renewed(self) -> bool:
        """Return whether a retraining has opened a rollout that nobody has taken up yet."""
        ...

    def over(self, last: Tick) -> None:
        """Take leave of a rollout that was played to its end, or to the end of time."""
        ...


@dataclass(frozen=True, slots=True)
class Watching:
    """The same service while a rollout is under way: windows are scored, and then looked at."""

    service: Kept

    def shadow(self, now: datetime) -> None:
        """Score the window that ends now, and let the monitor look."""
        self.service.shadow(now)
        self.service.watch(now)

    def __getattr__(self, name: str) -> object:
        return getattr(self.service, name)


def play_on(
    service: Kept, week: datetime, end: datetime, every: timedelta, told: Callable[[Tick], None]
) -> None:
    """Play from the end of a week to the end of time; rollouts that are opened meanwhile are played as well.

    Parameters
    ----------
    week
        When the first window that nobody looked at ends.
    every
        Length of a window.
    """
    while week <= end:
        service.watch(week)
        while service.renewed():
            last = Player(Watching(service), week, end, every, told=told).play()  # type: ignore[arg-type]
            service.over(last)
            week += max(0, -(-(last.at - week) // every)) * every
        week += every
