"""The head of the audit chain, noted outside the store: whoever rewrites the store has to find this too.

A file of JSON lines that only grows, to be kept where the store's writers cannot change it: another
machine's share, a log collector, a disk that is written once.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from headgate.adapters.codec import instant, stamp
from headgate.audit import Head, head_of
from headgate.errors import HeadgateError, InputError, StoreError

# Far more than a line is long.
_TAIL = 1024


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head as it was noted, and when."""

    at: datetime
    head: Head


@dataclass(frozen=True, slots=True)
class Anchors:
    """A file of them.

    Attributes
    ----------
    unreadable
        Numbers of lines, from 1, that are none: torn by a power failure, or tampered with.
    """

    path: Path
    anchors: tuple[Anchor, ...]
    unreadable: tuple[int, ...]

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads in the order in which they were noted."""
        return tuple(one.head for one in self.anchors)


def anchor(path: Path, head: Head, at: datetime) -> bool:
    """Note a head, safe on the disk; return False where it is the last one noted anyway.

    Raises
    ------
    HeadgateError
        If the file cannot be written. The record itself is not touched by that: a caller may go on.
    """
    line = json.dumps({"at": stamp(at), "seq": head.seq, "hash": head.hash}) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            tail = file.read()
            if (last := _last(tail)) is not None and last.head == head:
                return False
            if tail and not tail.endswith(b"\n"):
                line = "\n" + line  # a torn line stays by itself
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as err:
        raise HeadgateError(
            f"asked to note the audit head {head.seq} in {path}; {err.strerror}; give the process write "
            "access or name another file with HEADGATE_ANCHORS; the record itself is whole"
        ) from err
    return True


def read_anchors(path: Path) -> Anchors:
    """Return the heads noted in a file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as err:
        raise InputError(f"asked the anchors file {path}; {err.strerror}; name it with --anchors") from err
    read = [(number, _anchor(line)) for number, line in enumerate(lines, 1) if line.strip()]
    return Anchors(
        path,
        tuple(one for _, one in read if one is not None),
        tuple(number for number, one in read if one is None),
    )


def _last(tail: bytes) -> Anchor | None:
    lines = tail.splitlines()
    return _anchor(lines[-1]) if lines else None


def _anchor(line: bytes) -> Anchor | None:
    try:
        said = json.loads(line)
        return Anchor(instant(said["at"]), head_of(f"{said['seq']}:{said['hash']}"))
    except (ValueError, TypeError, KeyError, InputError, StoreError):
        return None
