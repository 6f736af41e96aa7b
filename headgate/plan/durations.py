"""Durations as people write them in a plan: 90s, 15m, 4h, 7d, 300ms."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_PATTERN = re.compile(r"^([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)$")
_LONGEST = timedelta(days=36_500)


def parse_duration(value: Any) -> Any:
    """Return a timedelta for ``"4h"``; a timedelta and ``"none"`` pass through unchanged.

    The arithmetic is decimal, so what is written is what is kept. A bare number is refused: 14 could
    be seconds or days, and the wrong guess would end a dwell a day too early.

    Raises
    ------
    ValueError
        If the text is not a number and one of ms, s, m, h, d, is finer than a millisecond, or is
        longer than a hundred years.

    Examples
    --------
    >>> parse_duration("90s"), parse_duration("1.5d")
    (datetime.timedelta(seconds=90), datetime.timedelta(days=1, seconds=43200))
    """
    if value is None or isinstance(value, timedelta) or value == "none":
        return value
    match = _PATTERN.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration like 90s, 15m, 4h or 7d")
    unit = _UNITS[match[2]]
    milliseconds = Decimal(match[1]) * (unit // _UNITS["ms"])
    if milliseconds != milliseconds.to_integral_value():
        raise ValueError("a duration in whole milliseconds")
    if milliseconds > _LONGEST // _UNITS["ms"]:
        raise ValueError("a duration of at most 36500d")
    return timedelta(milliseconds=int(milliseconds))


def as_duration(value: Any) -> Any:
    """Return the text of a duration in its largest whole unit; the inverse of `parse_duration`.

    Examples
    --------
    >>> as_duration(timedelta(days=14)), as_duration(timedelta(hours=36))
    ('14d', '36h')
    """
    if not isinstance(value, timedelta):
        return value
    if not value:
        return "0s"
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(value, _UNITS[unit])
        if not rest:
            return f"{count}{unit}"
    raise ValueError(f"{value} is finer than a millisecond")
