"""Adds up columns of booleans, times and what cannot be profiled, and finds the tally for a column."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import types

from headgate.profile.arrays import as_text, kind_of, microseconds_in, plain, values_in
from headgate.profile.columns import Boolean, Column, Counts, Grid, Kind, Opaque, Timestamp
from headgate.profile.numbers import NumberTally
from headgate.profile.texts import TextTally

if TYPE_CHECKING:
    from headgate.plan.sides import ColumnContract

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = 3_600_000_000


class BooleanTally:
    """Adds booleans up."""

    def __init__(self) -> None:
        self._seen = self._true = 0

    def add(self, values: pa.BooleanArray) -> None:
        """Add values; nulls are left out."""
        self._seen += len(values) - values.null_count
        self._true += values.true_count

    def state(self) -> Boolean:
        """Return what was added up."""
        return Boolean(self._seen, self._true)


class TimeTally:
    """Adds times up: the first, the last, and how many per hour of the day."""

    def __init__(self, *, naive: bool) -> None:
        self._naive = naive
        self._seen = 0
        self._least: int | None = None
        self._most: int | None = None
        self._hours: Counts = np.zeros(24, np.int64)

    def add(self, values: npt.NDArray[np.int64]) -> None:
        """Add microseconds since 1970 in UTC, none of them null."""
        if not values.size:
            return
        least, most = int(values.min()), int(values.max())
        self._seen += values.size
        self._least = least if self._least is None else min(self._least, least)
        self._most = most if self._most is None else max(self._most, most)
        self._hours += np.bincount(values // _HOUR % 24, minlength=24)

    def state(self) -> Timestamp:
        """Return what was added up."""
        return Timestamp(self._seen, _moment(self._least), _moment(self._most), self._hours, self._naive)


class OpaqueTally:
    """Counts which values are there; ``name`` is their type, None for nulls of no type."""

    def __init__(self, name: str | None) -> None:
        self._types = frozenset((name,)) if name else frozenset()
        self._seen = 0

    def add(self, values: pa.Array) -> None:
        """Add values; nulls are left out."""
        self._seen += len(values) - values.null_count

    def state(self) -> Opaque:
        """Return what was added up."""
        return Opaque(self._seen, self._types)


class ColumnTally:
    """Adds one column up, batch by batch; one tally per kind of values that turns up."""

    def __init__(self, grid: Grid, contract: ColumnContract | None) -> None:
        self._grid, self._contract = grid, contract
        self._number: NumberTally | None = None
        self._text: TextTally | None = None
        self._boolean: BooleanTally | None = None
        self._times: dict[bool, TimeTally] = {}
        self._opaque: dict[str | None, OpaqueTally] = {}

    def add(self, array: pa.Array) -> None:
        """Add one batch's values."""
        array = plain(array)
        match kind_of(array.type):
            case Kind.NUMBER:
                self._number = self._number or NumberTally(self._grid, self._contract)
                self._number.add(*values_in(array))
            case Kind.CATEGORY:
                self._text = self._text or TextTally(self._contract)
                self._text.add(
                    array if types.is_dictionary(array.type) else as_text(array).dictionary_encode()
                )
            case Kind.BOOLEAN:
                self._boolean = self._boolean or BooleanTally()
                self._boolean.add(array)
            case Kind.TIMESTAMP:
                naive = getattr(array.type, "tz", None) is None
                self._times.setdefault(naive, TimeTally(naive=naive)).add(microseconds_in(array))
            case Kind.OPAQUE:
                name = None if types.is_null(array.type) else str(array.type)
                self._opaque.setdefault(name, OpaqueTally(name)).add(array)

    def states(self) -> list[Column]:
        """Return the state of each kind of values that turned up."""
        tallies = (self._number, self._text, self._boolean, *self._times.values(), *self._opaque.values())
        return [tally.state() for tally in tallies if tally is not None]


def _moment(micro: int | None) -> datetime | None:
    """Return a time; one beyond the calendar (year 10 000) as its last moment."""
    if micro is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=micro)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if micro > 0 else datetime.min.replace(tzinfo=UTC)
