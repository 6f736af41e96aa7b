"""Opening hours: when the share may rise. Rolling back never asks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from headgate.errors import InputError
from headgate.plan.model import Calendar

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PART = re.compile(
    rf"({'|'.join(_DAYS)})(?:-({'|'.join(_DAYS)}))? +([0-9]{{2}}):([0-9]{{2}})-([0-9]{{2}}):([0-9]{{2}})"
)
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
#: How far `OpenHours.next_opening` looks before it says there is none.
_HORIZON_DAYS = 3_660


@dataclass(frozen=True, slots=True)
class Window:
    """Open on one weekday (Monday is 0) from ``start`` until before ``end``, minutes of local time."""

    weekday: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OpenHours:
    """A plan's calendar, read.

    Local time decides: an hour that a clock change repeats is open both times, one that it skips
    never comes. Freezes close whole local days, first and last included.

    Examples
    --------
    >>> hours = OpenHours.of(Calendar(timezone="America/New_York", advance="mon-thu 09:00-16:00"))
    >>> hours.next_opening(datetime(2013, 6, 14, 12, tzinfo=UTC)).isoformat()  # a Friday
    '2013-06-17T13:00:00+00:00'
    """

    zone: ZoneInfo
    windows: tuple[Window, ...]
    freezes: tuple[tuple[date, date], ...]

    @classmethod
    def of(cls, calendar: Calendar) -> Self:
        """Read a plan's calendar.

        Raises
        ------
        InputError
            If its text means nothing; a plan that went through the lint never does.
        """
        freezes = tuple(read_freeze(text) for text in calendar.freeze)
        return cls(read_zone(calendar.timezone), read_windows(calendar.advance), freezes)

    def is_open(self, now: datetime) -> bool:
        """Return whether the share may rise at ``now`` (aware)."""
        local = _aware(now).astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return any(window.start <= minute < window.end for window in self._windows_on(local.date()))

    def next_opening(self, now: datetime) -> datetime | None:
        """Return the first time from ``now`` (aware) on when it is open, in UTC.

        ``now`` itself while open; None when nothing opens within ten years.
        """
        if self.is_open(now):
            return now.astimezone(UTC)
        today = now.astimezone(self.zone).date()
        # Yesterday too: a clock set back at midnight brings its last hour once more.
        for offset in range(-1, _HORIZON_DAYS):
            day = today + offset * _DAY
            if (windows := self._windows_on(day)) and (opening := self._opening_on(day, windows, now)):
                return opening
        return None

    def _windows_on(self, day: date) -> tuple[Window, ...]:
        if any(first <= day <= last for first, last in self.freezes):
            return ()
        return tuple(window for window in self.windows if window.weekday == day.weekday())

    def _opening_on(self, day: date, windows: tuple[Window, ...], now: datetime) -> datetime | None:
        """Return the first opening at or after ``now`` on one local day; it is closed at ``now``."""
        begin = datetime.combine(day, time(), self.zone)
        end = datetime.combine(day + _DAY, time(), self.zone).replace(fold=1)
        if begin.utcoffset() == end.utcoffset():
            starts = (begin.astimezone(UTC) + window.start * _MINUTE for window in windows)
            return min((start for start in starts if start >= now), default=None)
        # A clock change: minute by minute is slow, rare, and has no corner cases.
        at, last = begin.astimezone(UTC), end.astimezone(UTC)
        while at < last:
            if at >= now and self.is_open(at):
                return at
            at += _MINUTE
        return None


def read_zone(text: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises
    ------
    InputError
        If there is no such zone.
    """
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as err:  # a directory of zones, such as "America", is an OSError
        raise InputError("an IANA time zone like America/New_York or UTC") from err


def read_windows(text: str) -> tuple[Window, ...]:
    """Return the opening hours of ``"mon-thu 09:00-16:00, fri 09:00-12:00"``.

    Raises
    ------
    InputError
        If the text says something else; the message says what is asked.

    Examples
    --------
    >>> read_windows("sat-sun 10:00-24:00")
    (Window(weekday=5, start=600, end=1440), Window(weekday=6, start=600, end=1440))
    """
    return tuple(window for part in re.split(r"[,;]", text) for window in _read_part(part.strip()))


def _read_part(part: str) -> list[Window]:
    match = _PART.fullmatch(part)
    if match is None:
        raise InputError("opening hours like `mon-thu 09:00-16:00`, several separated by commas")
    first, last = _DAYS.index(match[1]), _DAYS.index(match[2] or match[1])
    hour, minute, end_hour, end_minute = (int(match[i]) for i in (3, 4, 5, 6))
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if minute > 59 or end_minute > 59 or end > 24 * 60:
        raise InputError("hours from 00:00 to 24:00")
    if start >= end:
        raise InputError("hours that end after they start; split what crosses midnight into two days")
    return [Window((first + i) % 7, start, end) for i in range((last - first) % 7 + 1)]


def read_freeze(text: str) -> tuple[date, date]:
    """Return first and last frozen day of ``"2013-11-27/2013-12-01"``, or of a single day.

    Raises
    ------
    InputError
        If the text says something else; the message says what is asked.
    """
    first_text, _, last_text = text.partition("/")
    try:
        first = date.fromisoformat(first_text)
        last = date.fromisoformat(last_text) if "/" in text else first
    except ValueError as err:
        raise InputError("days like 2013-11-27/2013-12-01") from err
    if last < first:
        raise InputError("a freeze whose last day is not before its first")
    return first, last


def _aware(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise InputError(f"a time with a zone was asked; found {now.isoformat()}; say which zone it is in")
    return now
