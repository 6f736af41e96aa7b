"""A proxy's logs as they grow: only whole lines are read, none twice, none lost without being counted.

What a line says is each proxy's own; see `envoy_log` and `haproxy_log`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from headgate.ports import Mirrored, PlaneLog, Served

_Line = TypeVar("_Line")

#: What the route of requests in no slice is called, and so what their lines say; no slice can be.
NO_SLICE = "-"


def read(
    position: Mapping[str, int],
    requests: tuple[Path, Callable[[bytes], Served]],
    copies: tuple[Path, Callable[[bytes], Mirrored]] | None = None,
) -> PlaneLog:
    """Return what a plane's logs gained since ``position`` ({} from the beginning).

    A line without its end is left for the next read. A log that was truncated or replaced is read from
    its beginning; that counts as one garbled line, because lines may have been lost with it.

    Parameters
    ----------
    requests, copies
        The log of live requests and that of mirrored copies, each with what reads one line of it; None:
        there are no copies.
    """
    live = _new_lines(requests[0], position)
    served, garbled = _parsed(live, requests[1])
    if copies is None:
        return PlaneLog(served, (), {**position, **live.position}, garbled)
    shadow = _new_lines(copies[0], position)
    mirrored, garbled_too = _parsed(shadow, copies[1])
    after = {**position, **live.position, **shadow.position}
    return PlaneLog(served, mirrored, after, garbled + garbled_too)


def event_time(claimed: str, seen: datetime) -> datetime:
    """Return the caller's time where it is one, else the plane's (aware UTC).

    Anybody can send anything: such a request happened when the plane saw it.
    """
    try:
        return aware(claimed)
    except (ValueError, OverflowError):
        return seen


def aware(text: str) -> datetime:
    """Return a time in UTC.

    Raises
    ------
    ValueError
        If it is none, or has no zone.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class _NewLines:
    """What a log gained, and where to go on reading.

    Attributes
    ----------
    restarted
        It was truncated or replaced and is read from its beginning: lines may have been lost with it.
    """

    lines: list[bytes]
    position: dict[str, int]
    restarted: bool


def _new_lines(path: Path, position: Mapping[str, int]) -> _NewLines:
    """Return the lines since ``position`` ({} from the beginning); one without its end is left for later."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return _NewLines([], {}, restarted=False)
    with file:
        found = os.fstat(file.fileno())
        start = position.get(path.name, 0)
        replaced = found.st_ino != position.get(f"{path.name}#inode", found.st_ino)
        restarted = replaced or found.st_size < start
        begin = 0 if restarted else start
        file.seek(begin)
        body = file.read()
    # Only a newline ends a line: header values may hold any other separator Unicode knows.
    whole = body.rfind(b"\n") + 1
    lines = body[:whole].split(b"\n")[:-1]
    return _NewLines(lines, {path.name: begin + whole, f"{path.name}#inode": found.st_ino}, restarted)


def _parsed(new: _NewLines, parse: Callable[[bytes], _Line]) -> tuple[list[_Line], int]:
    """Return what the lines say, and how many could not be read or may have been lost."""
    good: list[_Line] = []
    bad = int(new.restarted)
    for line in new.lines:
        try:
            good.append(parse(line))
        except (ValueError, LookupError, TypeError, OverflowError, AttributeError):
            bad += 1
    return good, bad
