"""Which windows are due, and where nothing came. A gap in the clock is no window of its own, and no drift."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from headgate.compare.stays import column_micros, micros
from headgate.tables import INSTANT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """A window to look at, or (``empty``) a time as long as it may be in which no request came."""

    since: datetime
    until: datetime
    empty: bool = False


def due(begin: datetime, every: timedelta, now: datetime, requested: Sequence[datetime]) -> list[Span]:
    """Return the complete windows that are not looked at yet, in order of time.

    Windows without requests are one span up to the next request, however many there are. After the last
    request nothing is due: its log may be late, and whether that is silence is another question (`silence`).

    Parameters
    ----------
    begin
        Where the last window ended, a whole multiple of ``every``.
    requested
        Times of the requests since then; of a window one is enough, see `starts`.

    Examples
    --------
    >>> day, begin = timedelta(days=1), datetime(2013, 4, 1, tzinfo=UTC)
    >>> came = [begin + timedelta(hours=h) for h in (1, 2, 300, 310)]
    >>> [(one.since.day, one.until.day, one.empty) for one in due(begin, day, begin + 20 * day, came)]
    [(1, 2, False), (2, 13, True), (13, 14, False)]
    """
    last = begin + (now - begin) // every * every if now > begin else begin
    full = sorted({begin + (at - begin) // every * every for at in requested if begin <= at < last})
    return list(_with_gaps(begin, every, full))


def starts(times: pa.Array | pa.ChunkedArray, begin: datetime, every: timedelta) -> list[datetime]:
    """Return the beginnings of the windows in which requests came, however many they were.

    Parameters
    ----------
    times
        Aware timestamps; those that are missing are in no window.

    Examples
    --------
    >>> begin = datetime(2013, 4, 1, tzinfo=UTC)
    >>> came = pa.array([begin + timedelta(hours=h) for h in (1, 2, 50)] + [None])
    >>> [at.day for at in starts(came, begin, timedelta(days=1))]
    [1, 3]
    """
    at = column_micros(times.drop_null().cast(INSTANT, safe=False))
    length = every // timedelta(microseconds=1)
    return [begin + int(number) * every for number in np.unique((at - micros(begin)) // length)]


def silence(reached: datetime, every: timedelta, now: datetime, usual: timedelta) -> timedelta | None:
    """Return for how long no request has come, where that is longer than usual; else None.

    Parameters
    ----------
    reached
        End of the last window with requests.
    usual
        The longest gap of late. Half as long again is silence, and so is less only for a service that has no
        gaps: the log of a window may be late by a whole window.

    Examples
    --------
    >>> friday, day = datetime(2013, 4, 5, tzinfo=UTC), timedelta(days=1)
    >>> [silence(friday, day, friday + n * day, usual=2 * day) is None for n in (2, 3, 4)]
    [True, True, False]
    """
    missing = now - reached
    return missing if missing >= 2 * every and missing > 1.5 * usual else None


def aligned(at: datetime, every: timedelta) -> datetime:
    """Return the first whole multiple of ``every`` since 1970 UTC that is not before ``at``."""
    return at + (EPOCH - at) % every


def _with_gaps(begin: datetime, every: timedelta, full: Sequence[datetime]) -> Iterator[Span]:
    reached = begin
    for start in full:
        if start > reached:
            yield Span(reached, start, empty=True)
        yield Span(start, start + every)
        reached = start + every
