"""Stays on steps, and where a rollout stands when its evidence is judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One stay on one step: what was in force between two confirmations by the plane.

    ``until`` is None while it lasts. Stays are contiguous and in order of time; request time
    decides which stay an exchange belongs to.
    """

    entry: int
    step: int
    share_bp: int
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a rollout stands when its evidence is judged.

    Attributes
    ----------
    step, entry, share_bp
        The step, which entry it is (fresh evidence counts only this one), the share in force.
    confirmed_at
        When the plane confirmed this entry's share; None while it has not: nothing fresh counts.
    now
        Time of the tick (aware UTC). Only batches that end by now are folded.
    attempt
        From 1: the attempts of this candidate version in this service share alpha and beta.
    segments
        Per column the values above the floor, frozen at preflight.
    restarts
        (gate, since, level): signals and ``split`` whose e-process was restarted by a resume, and
        the factor on their error level.
    fresh_since
        Evidence before this time no longer advances (the incumbent changed under us); None: all.
    """

    step: int
    entry: int
    share_bp: int
    confirmed_at: datetime | None
    now: datetime
    attempt: int = 1
    segments: dict[str, tuple[str, ...]] | None = None
    restarts: tuple[tuple[str, datetime, float], ...] = ()
    fresh_since: datetime | None = None
