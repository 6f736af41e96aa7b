"""What a set of requests saw of each column: of numbers the range, of words each value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headgate.errors import InputError
from headgate.profile import Kind as Held
from headgate.profile import arrays

_MOST_VALUES = 100_000


class Kind(StrEnum):
    """How the values of a column are told apart."""

    NUMBER = "number"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a set holds of one column: of numbers the range, of words each value."""

    kind: Kind
    missing: bool = False
    not_finite: bool = False
    low: float | None = None
    high: float | None = None
    words: frozenset[str] = frozenset()

    def __add__(self, other: Seen) -> Seen:
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        return Seen(
            self.kind,
            self.missing or other.missing,
            self.not_finite or other.not_finite,
            min(lows, default=None),
            max(highs, default=None),
            self.words | other.words,
        )


@dataclass(frozen=True, slots=True)
class Cover:
    """What a set saw.

    Attributes
    ----------
    rows
        How many requests it has.
    columns
        What it holds of each; columns it does not have are not there.
    """

    rows: int
    columns: Mapping[str, Seen]


def cover(batches: Iterable[pa.RecordBatch]) -> Cover:
    """Return what a set saw, of every column that holds numbers, words or truth values.

    Raises
    ------
    InputError
        If it has no rows, or a column of words has more than a hundred thousand.
    """
    rows, columns = 0, dict[str, Seen]()
    for batch in batches:
        rows += batch.num_rows
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if (kind := kind_of(column.type)) is None:
                continue
            seen = _seen(column, kind)
            columns[name] = columns[name] + seen if name in columns else seen
            if len(columns[name].words) > _MOST_VALUES:
                raise InputError(
                    f"{name}: asked at most {_MOST_VALUES} different words; found more; it is an id or free "
                    "text: leave it out with --hide"
                )
    if not rows:
        raise InputError("asked a set to hold against the stream; found no rows; name another file")
    return Cover(rows, columns)


def kind_of(kind: pa.DataType) -> Kind | None:
    """Return how values of this type are told apart; None: they are not (times, lists, bytes)."""
    match arrays.kind_of(kind):
        case Held.NUMBER:
            return Kind.NUMBER
        case Held.CATEGORY | Held.BOOLEAN:
            return Kind.WORD
        case Held.TIMESTAMP | Held.OPAQUE:
            return None


def _seen(column: pa.Array, kind: Kind) -> Seen:
    missing = column.null_count > 0
    if kind is Kind.WORD:
        words = pc.unique(column.drop_null().cast(pa.string())).to_pylist()
        return Seen(kind, missing, words=frozenset(words))
    values = arrays.floats_in(column.drop_null())
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (None, None)
    return Seen(kind, missing, len(finite) < len(values), low, high)
