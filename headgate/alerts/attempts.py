"""How telling something on one route stands, from the attempts on record.

An attempt is written down before it is made and again when its end is known. A message may therefore
arrive twice and is never lost: where a process died in between, the next one says so in the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: Details of attempts that mean something to us.
BEGUN, REFUSED = "begun", "refused"
#: The route under which is noted that an alert is told, or given up, on all of its routes.
CLOSED = "*"
#: How long an attempt without an end belongs to whoever began it.
IN_FLIGHT = timedelta(minutes=2)
#: Failed attempts after which a message is given up: a little more than five hours.
MOST = 12
_FIRST, _LONGEST = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt on one route, by the machine's clock."""

    route: str
    ok: bool
    detail: str
    at: datetime


class Standing(StrEnum):
    """What is to be done on one route."""

    DUE = "due"
    LATER = "later"
    TOLD = "told"
    GIVEN_UP = "given_up"


def standing(route: str, attempts: Sequence[Attempt], now: datetime) -> Standing:
    """Return how telling an alert on this route stands.

    A refusal is final: whoever says no will say no again. Anything else is tried again after one
    minute, two, four, … up to an hour.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2026, 1, 5, 9, tzinfo=UTC)
    >>> failed = Attempt("r", False, "unreachable", at)
    >>> standing("r", [failed], at), standing("r", [failed], at + timedelta(minutes=1))
    (<Standing.LATER: 'later'>, <Standing.DUE: 'due'>)
    """
    mine = [attempt for attempt in attempts if attempt.route == route]
    if any(attempt.ok for attempt in mine):
        return Standing.TOLD
    if not mine:
        return Standing.DUE
    last = mine[-1]
    if last.detail == BEGUN:
        return Standing.LATER if now - last.at < IN_FLIGHT else Standing.DUE
    failed = sum(attempt.detail != BEGUN for attempt in mine)
    if last.detail.startswith(REFUSED) or failed >= MOST:
        return Standing.GIVEN_UP
    return Standing.LATER if now - last.at < min(_FIRST * 2 ** (failed - 1), _LONGEST) else Standing.DUE


def perhaps_told(route: str, attempts: Sequence[Attempt]) -> bool:
    """Return whether an attempt has no end: nobody knows whether that message arrived."""
    mine = [attempt for attempt in attempts if attempt.route == route]
    return bool(mine) and mine[-1].detail == BEGUN


def late(route: str, attempts: Sequence[Attempt], within: timedelta, now: datetime) -> bool:
    """Return whether a message should have arrived by now: it is given up, or tried for too long."""
    mine = [attempt for attempt in attempts if attempt.route == route]
    match standing(route, attempts, now):
        case Standing.TOLD:
            return False
        case Standing.GIVEN_UP:
            return True
        case Standing.DUE | Standing.LATER:
            return bool(mine) and now - mine[0].at >= within
