"""Profiles as bytes: kilobytes, versioned, the same on every machine.

A signature, a version, then compressed: the length of a JSON head, the head, and every column's cells. Cells
are kept as steps and bytes of like weight side by side, which is what makes them small.
"""

from __future__ import annotations

import json
import struct
import zlib
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from headgate.errors import InputError
from headgate.profile.columns import (
    Boolean,
    Categorical,
    Cells,
    Column,
    Counts,
    Grid,
    Kind,
    Numeric,
    Opaque,
    Profile,
    Timestamp,
)

SIGNATURE, VERSION = b"HGPROF", 1
_LENGTH = struct.Struct("<I")
#: A profile is kilobytes; a file that says more is none.
_MOST_BYTES = 1 << 28


def to_bytes(profile: Profile) -> bytes:
    """Return a profile as bytes."""
    arrays: list[bytes] = []
    head = {
        "rows": profile.rows,
        "since": _said(profile.since),
        "until": _said(profile.until),
        "columns": [_head(name, column, arrays) for name, column in profile.columns.items()],
    }
    text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode("utf-8", "surrogatepass")
    body = _LENGTH.pack(len(text)) + text + b"".join(arrays)
    return SIGNATURE + bytes((VERSION,)) + zlib.compress(body, 6)


def from_bytes(body: bytes) -> Profile:
    """Return the profile that `to_bytes` wrote.

    Raises
    ------
    InputError
        If these are no profile, a damaged one, or one of another version.
    """
    start = len(SIGNATURE)
    if body[:start] != SIGNATURE:
        raise InputError(
            "profile: asked a file of `headgate profile take`; found something else; name another"
        )
    if len(body) == start:
        raise InputError("profile: asked a whole one; found it damaged (it ends too early); take it anew")
    if body[start] != VERSION:
        raise InputError(
            f"profile: asked version {VERSION}; found version {body[start]}; read it with the Headgate that "
            "wrote it, or take it anew"
        )
    try:
        plain = _inflated(body[start + 1 :])
        (length,) = _LENGTH.unpack_from(plain)
        head = json.loads(plain[_LENGTH.size : _LENGTH.size + length].decode("utf-8", "surrogatepass"))
        arrays = _Reader(plain[_LENGTH.size + length :])
        columns = {one["name"]: _column(one, arrays) for one in head["columns"]}
        return Profile(columns, head["rows"], _moment(head["since"]), _moment(head["until"]))
    except (zlib.error, ValueError, KeyError, TypeError, struct.error) as err:
        raise InputError(f"profile: asked a whole one; found it damaged ({err}); take it anew") from err


def _inflated(body: bytes) -> bytes:
    inflate = zlib.decompressobj()
    plain = inflate.decompress(body, _MOST_BYTES)
    if not inflate.eof:
        raise ValueError("it ends too early")
    return plain


def _head(name: str, column: Column, arrays: list[bytes]) -> dict[str, Any]:
    head: dict[str, Any] = {"name": name, "kind": column.kind.value, "seen": column.seen}
    match column:
        case Numeric():
            arrays += [
                _packed(np.diff(column.cells, prepend=0).astype("<u4")),
                _packed(column.counts.astype("<u8")),
            ]
            return head | {
                "centre": column.grid.centre, "floor": column.grid.floor, "nan": column.nan,
                "below": column.below, "above": column.above, "least": column.least, "most": column.most,
                "mean": column.mean, "m2": column.m2, "cells": column.cells.size,
                "too_low": column.too_low, "too_high": column.too_high,
            }  # fmt: skip
        case Categorical():
            allowed = None if column.allowed is None else sorted(column.allowed)
            counts = dict(sorted(column.counts.items()))
            return head | {"counts": counts, "other": column.other, "limit": column.limit, "allowed": allowed}
        case Boolean():
            return head | {"true": column.true}
        case Timestamp():
            span = {"least": _said(column.least), "most": _said(column.most)}
            return head | span | {"hours": column.hours.tolist(), "naive": column.naive}
        case Opaque():
            return head | {"types": sorted(column.types)}


def _column(head: dict[str, Any], arrays: _Reader) -> Column:
    seen = head["seen"]
    match Kind(head["kind"]):
        case Kind.NUMBER:
            return _numeric(head, arrays)
        case Kind.CATEGORY:
            allowed = None if head["allowed"] is None else frozenset(head["allowed"])
            return Categorical(seen, head["counts"], head["other"], head["limit"], allowed)
        case Kind.BOOLEAN:
            return Boolean(seen, head["true"])
        case Kind.TIMESTAMP:
            hours = np.array(head["hours"], np.int64)
            return Timestamp(seen, _moment(head["least"]), _moment(head["most"]), hours, head["naive"])
        case Kind.OPAQUE:
            return Opaque(seen, frozenset(head["types"]))


def _numeric(head: dict[str, Any], arrays: _Reader) -> Numeric:
    cells: Cells = np.cumsum(arrays.take(head["cells"], 4).astype(np.int64)).astype(np.int32)
    counts: Counts = arrays.take(head["cells"], 8).astype(np.int64)
    return Numeric(
        Grid(head["centre"], head["floor"]), head["seen"], head["nan"], head["below"], head["above"],
        head["least"], head["most"], head["mean"], head["m2"], cells, counts,
        head["too_low"], head["too_high"],
    )  # fmt: skip


def _packed(values: npt.NDArray[Any]) -> bytes:
    """Return the lowest bytes of all values, then the next ones: mostly zeros at the end."""
    return values.view(np.uint8).reshape(values.size, values.itemsize).T.tobytes()


class _Reader:
    """Takes arrays from bytes, in the order they were packed."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def take(self, size: int, width: int) -> npt.NDArray[Any]:
        end = self._at + size * width
        if size < 0 or end > len(self._body):
            raise ValueError("it ends too early")
        raw = np.frombuffer(self._body[self._at : end], np.uint8).reshape(width, size)
        self._at = end
        return np.ascontiguousarray(raw.T).reshape(-1).view(f"<u{width}")


def _said(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
