"""Lines, and how one is tied to the one before.

A line's hash is made in two steps: its content (what it vouches for) has a hash of its own, and the
line's hash is over seq, that, and the hash before. So a line can be shown sealed, without its content,
and the chain through it still adds up.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from headgate.errors import InputError

#: What the first line follows.
GENESIS = "0" * 64

# In every hashed text, so that a hash of something else is never taken for one of ours.
_VERSION = "headgate audit 1"
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: written ``<seq>:<hash>``, and 0 with sixty-four zeros before the first line."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A line whose content is not shown, only its hash."""

    seq: int
    content: str
    prev: str
    hash: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line: at this time, by the machine's clock, this row was there and had this digest.

    Attributes
    ----------
    at
        Text of an instant, exactly as it was hashed.
    kind
        Name of the row's table.
    rollout_id
        Whose row it is; empty for what belongs to no rollout, as plans and approvers.
    row_key
        JSON of the row's primary key; for evidence that of a range of rows.
    digest
        Of the row's values (`digest_of`).
    """

    seq: int
    at: str
    kind: str
    rollout_id: str
    row_key: str
    digest: str
    prev: str
    hash: str

    @property
    def content(self) -> str:
        """The hash of what this line vouches for."""
        return _hash(["content", self.at, self.kind, self.rollout_id, self.row_key, self.digest])

    def sealed(self) -> Sealed:
        """Return the line without its content."""
        return Sealed(self.seq, self.content, self.prev, self.hash)


def link(head: Head, at: str, kind: str, rollout_id: str, row_key: str, digest: str) -> Line:
    """Return the line that follows a head.

    Examples
    --------
    >>> first = link(Head(0, GENESIS), "2026-01-05T09:00:00.000000Z", "fact", "a-1", '{"name":"x"}', "0a")
    >>> first.seq, first.prev == GENESIS, first.hash[:12]
    (1, True, 'e2974d97d8a2')
    """
    loose = Line(head.seq + 1, at, kind, rollout_id, row_key, digest, head.hash, "")
    return replace(loose, hash=hash_of(loose.seq, loose.content, loose.prev))


def hash_of(seq: int, content: str, prev: str) -> str:
    """Return the hash a line should have."""
    return _hash(["line", seq, content, prev])


def digest_of(*rows: Mapping[str, Any]) -> str:
    """Return the digest of one row, or of several in this order.

    Parameters
    ----------
    rows
        Plain JSON values by column name; the order of the columns does not matter.

    Examples
    --------
    >>> digest_of({"a": 1, "b": "x"}) == digest_of({"b": "x", "a": 1})
    True
    >>> digest_of({"a": 1}) == digest_of({"a": "1"}) or digest_of({"a": 1}) == digest_of({"a": True})
    False
    """
    told = hashlib.sha256()
    for row in rows:
        told.update(_text(row).encode())
        told.update(b"\n")
    return told.hexdigest()


def head_of(text: str) -> Head:
    """Return the head that an alert or a page shows.

    Raises
    ------
    InputError
        If the text is no ``<seq>:<hash>``.

    Examples
    --------
    >>> head_of(f"0:{GENESIS}").seq
    0
    """
    found = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text.strip().lower())
    if found is None:
        raise InputError(
            f"asked a head like 1284:9f2c… (a number, a colon and 64 hexadecimal digits); found {text!r}; "
            "copy it whole from an alert, a status page or `headgate audit head`"
        )
    return Head(int(found[1]), found[2])


def _hash(parts: list[Any]) -> str:
    return hashlib.sha256(_text([_VERSION, *parts]).encode()).hexdigest()


def _text(value: Any) -> str:
    """Return the one text that equal values have, ASCII throughout."""
    return _JSON.encode(value)
