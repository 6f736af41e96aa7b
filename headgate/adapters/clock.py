"""The clock in use: the machine's, or a played one that several processes read from one file.

A stack that plays another year keeps its time in a small JSON file ``{"played": …, "at": …, "speed": …}``:
when the machine's clock said ``at`` the played one said ``played``, and since then it has run ``speed``
times as fast. Whoever plays writes it; flow runs, which are processes of their own, read it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headgate.errors import InputError


@dataclass(frozen=True, slots=True)
class Played:
    """One setting of a played clock.

    Attributes
    ----------
    played, at
        The played time and the machine's at the moment it was set, both aware.
    speed
        Played seconds per second of the machine, at least 0: 1 runs as the machine does, 0 stands still.

    Examples
    --------
    >>> set_at = datetime(2026, 1, 5, 9, tzinfo=UTC)
    >>> clock = Played(datetime(2013, 4, 1, tzinfo=UTC), set_at, speed=60)
    >>> str(clock.now(set_at + timedelta(minutes=2)))
    '2013-04-01 02:00:00+00:00'
    """

    played: datetime
    at: datetime
    speed: float = 1.0

    def now(self, machine: datetime) -> datetime:
        """Return the played time when the machine's clock says ``machine``; it never runs backwards."""
        passed = max(machine - self.at, timedelta(0))
        return self.played + passed * self.speed


def clock_of(path: Path | None) -> Callable[[], datetime]:
    """Return the clock that a file plays; without a file the machine's. It is read anew at every look.

    The clock raises `InputError` where the file is not there or not as `set_clock` writes it: a flow that
    took the machine's time instead would judge years of evidence as old.
    """
    if path is None:
        return lambda: datetime.now(UTC)
    return lambda: read_clock(path).now(datetime.now(UTC))


def read_clock(path: Path) -> Played:
    """Return what a clock file says.

    Raises
    ------
    InputError
        If it cannot be read or says no time.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        played, at = (_aware(body[name]) for name in ("played", "at"))
        speed = float(body.get("speed", 1.0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise _unusable(path, f"{type(err).__name__}: {err}") from err
    if not (math.isfinite(speed) and speed >= 0):
        raise _unusable(path, f"the speed {speed}")
    return Played(played, at, speed)


def set_clock(path: Path, played: datetime, speed: float = 1.0) -> None:
    """Set a played clock from now on, by one rename: a reader sees the old setting or the new one."""
    body = {"played": played.isoformat(), "at": datetime.now(UTC).isoformat(), "speed": speed}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(body) + "\n", encoding="utf-8")
    fresh.replace(path)


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return at.astimezone(UTC)


def _unusable(path: Path, found: str) -> InputError:
    return InputError(
        f"HEADGATE_CLOCK: asked {path} for the played time, a JSON object with played and at (ISO 8601 with "
        f"offset) and speed (0 or more); found {found}; mend it, or unset HEADGATE_CLOCK"
    )
