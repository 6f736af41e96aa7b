"""Which windows are the same season a year before: July is held against July."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from headgate.performance.monitored import Monitored

#: Whole weeks, so that a Monday is held against Mondays.
YEAR = timedelta(days=364)
#: A season reaches so far to either side of the day a year before.
SIDE = timedelta(days=14)


def season_before(windows: Iterable[Monitored], at: datetime) -> list[Monitored]:
    """Return the windows of the two weeks before and after the day a year before, in order of time.

    Empty where they do not reach a week to either side of that day: the end of a season says nothing about
    its beginning, and three days do not say what days do.

    Parameters
    ----------
    windows
        Those in which requests came, in order of time.
    at
        What is held against them begins here.
    """
    day = at - YEAR
    found = [one for one in windows if abs(one.since - day) <= SIDE and one.until <= at]
    if len(found) < 2 or found[0].since > day - SIDE / 2 or found[-1].until < day + SIDE / 2:
        return []
    return found
