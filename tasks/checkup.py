"""Looks a whole installation over, whatever of it is down; no look is waited for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from enum import StrEnum

from headgate.errors import HeadgateError


class Level(StrEnum):
    """How well it is."""

    OK = "ok"
    WARNING = "warning"  # works, and somebody should know
    MISSING = "missing"  # does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    todo
        What to do about it; empty where nothing is.
    """

    what: str
    level: Level
    found: str
    todo: str = ""


#: Looks at one thing, or at several of a kind.
Look = Callable[[], Iterable[Finding]]


def ok(what: str, found: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(what, Level.OK, found)


def warning(what: str, found: str, todo: str) -> Finding:
    """Return that something works and wants attention."""
    return Finding(what, Level.WARNING, found, todo)


def missing(what: str, found: str, todo: str) -> Finding:
    """Return that something does not work."""
    return Finding(what, Level.MISSING, found, todo)


def look_over(looks: Mapping[str, Look], seconds: float) -> list[Finding]:
    """Take every look at once; one that has not ended in time, or raises, is a finding itself."""
    found: dict[str, list[Finding]] = {}

    def take(name: str, look: Look) -> None:
        try:
            found[name] = list(look())
        except HeadgateError as err:
            found[name] = [missing(name, str(err), "")]  # our own messages say what to do
        except Exception as err:  # noqa: BLE001 - a doctor who faints tells nothing
            found[name] = [missing(name, f"{type(err).__name__}: {err}", "see the message")]

    # Daemons: whoever hangs must not keep the command from ending. Prefect's settings live in the context.
    threads = [
        threading.Thread(target=copy_context().run, args=(take, name, look), daemon=True)
        for name, look in looks.items()
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = f"no answer within {seconds:g} s"
    return [
        finding
        for name in looks
        for finding in found.get(name, [missing(name, late, "see whether it hangs, and look again")])
    ]
