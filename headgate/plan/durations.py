"""Durations as people write them in a plan: 90s, 15m, 4h, 7d, 300ms."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_PATTERN = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$")


def parse_duration(value: Any) -> Any:
    """Return a timedelta for ``"4h"``; anything that is no string passes through unchanged.

    Raises
    ------
    ValueError
        If the text is not a number and one of ms, s, m, h, d.

    Examples
    --------
    >>> parse_duration("90s")
    datetime.timedelta(seconds=90)
    """
    if isinstance(value, timedelta) or not isinstance(value, str) or value == "none":
        return value
    match = _PATTERN.match(value.strip())
    if match is None:
        raise ValueError(f"a duration like 90s, 15m, 4h or 7d, not {value!r}")
    return float(match[1]) * _UNITS[match[2]]


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
