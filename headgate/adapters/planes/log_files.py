"""A proxy's logs as they grow: only whole lines are read, none twice, none lost without being counted."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

_Line = TypeVar("_Line")


@dataclass(frozen=True, slots=True)
class NewLines:
    """What a log gained, and where to go on reading.

    Attributes
    ----------
    restarted
        It was truncated or replaced and is read from its beginning: lines may have been lost with it.
    """

    lines: list[bytes]
    position: dict[str, int]
    restarted: bool


def new_lines(path: Path, position: Mapping[str, int]) -> NewLines:
    """Return the lines since ``position`` ({} from the beginning); one without its end is left for later."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return NewLines([], {}, restarted=False)
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
    return NewLines(lines, {path.name: begin + whole, f"{path.name}#inode": found.st_ino}, restarted)


def parsed(lines: list[bytes], parse: Callable[[bytes], _Line]) -> tuple[list[_Line], int]:
    """Return what the lines say, and how many could not be read."""
    good: list[_Line] = []
    bad = 0
    for line in lines:
        try:
            good.append(parse(line))
        except (ValueError, LookupError, TypeError, OverflowError, AttributeError):
            bad += 1
    return good, bad


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
