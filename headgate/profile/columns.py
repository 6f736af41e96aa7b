"""What is kept of one column of a window: small states that add up over batches and partitions.

Whatever is missing is not in a state: a column's missing values are the profile's rows minus ``seen``.
A partition that lacks the column altogether therefore adds nothing but rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from math import sqrt
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Cells = npt.NDArray[np.int32]


class Kind(StrEnum):
    """What sort of values a column holds, as far as a profile can tell them apart."""

    NUMBER = "number"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a number falls: the leading bits of ``float32(x - centre)``, finest near the centre.

    Attributes
    ----------
    centre
        The reference's median, or near it; windows that are compared or merged share it.
    floor
        Distances from the centre below this share one cell. A power of two, or 0: as fine as float32 is.
    """

    centre: float = 0.0
    floor: float = 0.0


class _ByValue:
    """Equality of states that hold arrays."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))  # type: ignore[arg-type]
        return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]  # arrays have none


@dataclass(frozen=True, slots=True, eq=False)
class Numeric(_ByValue):
    """State of a column of numbers.

    Attributes
    ----------
    grid
        Where values fall.
    seen
        Values that are there, NaN and infinities included.
    nan, below, above
        How many of them are NaN, -inf and +inf.
    least, most, mean, m2
        Of the finite values: range, mean, and the sum of squared deviations from it; None and 0 without any.
    cells, counts
        Non-empty cells in the order of their values, and how many values are in each; all but NaN, the
        infinities in the outermost cells. See ``headgate.profile.grid``.
    too_low, too_high
        Values outside the contract's range; None without one.
    """

    kind: ClassVar[Kind] = Kind.NUMBER

    grid: Grid
    seen: int
    nan: int
    below: int
    above: int
    least: float | None
    most: float | None
    mean: float
    m2: float
    cells: Cells
    counts: Counts
    too_low: int | None = None
    too_high: int | None = None

    @property
    def finite(self) -> int:
        """How many values are numbers one can calculate with."""
        return self.seen - self.nan - self.below - self.above

    @property
    def spread(self) -> float | None:
        """Standard deviation of the finite values; None without any."""
        return sqrt(self.m2 / self.finite) if self.finite else None

    @property
    def outside(self) -> int | None:
        """Values the contract does not allow; NaN and infinities are never allowed."""
        if self.too_low is None or self.too_high is None:
            return None
        return self.too_low + self.too_high + self.nan


@dataclass(frozen=True, slots=True, eq=False)
class Categorical(_ByValue):
    """State of a column of texts.

    Attributes
    ----------
    seen
        Values that are there.
    counts
        How often each kept value is there. All are kept up to `MOST_VALUES`; of more, those with the smallest
        hashes: a random choice of values that is the same however the rows are split.
    other
        Values that are there but not kept; 0 while everything is.
    limit
        Hash below which values are kept; None while everything is.
    allowed
        The contract's values; None without any.
    """

    kind: ClassVar[Kind] = Kind.CATEGORY

    seen: int
    counts: Mapping[str, int]
    other: int = 0
    limit: int | None = None
    allowed: frozenset[str] | None = None

    @property
    def outside(self) -> int | None:
        """Values the contract does not allow; those not kept count as such. None without a contract."""
        if self.allowed is None:
            return None
        return self.seen - sum(self.counts.get(value, 0) for value in self.allowed)


@dataclass(frozen=True, slots=True, eq=False)
class Boolean(_ByValue):
    """State of a column of yes and no: how many values are there, and how many are true."""

    kind: ClassVar[Kind] = Kind.BOOLEAN

    seen: int
    true: int


@dataclass(frozen=True, slots=True, eq=False)
class Timestamp(_ByValue):
    """State of a column of times.

    Attributes
    ----------
    seen
        Values that are there.
    least, most
        First and last, in UTC; times without a zone are taken as UTC. None without any.
    hours
        Values per hour of the day (UTC), shape (24,).
    naive
        Whether the column has no time zone.
    """

    kind: ClassVar[Kind] = Kind.TIMESTAMP

    seen: int
    least: datetime | None
    most: datetime | None
    hours: Counts
    naive: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Opaque(_ByValue):
    """State of a column nothing can be said about but whether values are there.

    Attributes
    ----------
    seen
        Values that are there.
    types
        What was found: one type that is not profiled (a list, bytes), or several that do not go together.
        Empty: nothing but nulls of no type.
    """

    kind: ClassVar[Kind] = Kind.OPAQUE

    seen: int
    types: frozenset[str]


Column = Numeric | Categorical | Boolean | Timestamp | Opaque

#: Values of one column of texts that are counted one by one. A column with more is hardly a category.
MOST_VALUES = 16_384


@dataclass(frozen=True, slots=True)
class Profile:
    """What is kept of a window of rows.

    Attributes
    ----------
    columns
        State of each column, in the order first seen.
    rows
        Rows of the window.
    since, until
        First and last time of the column asked for with ``at``; None without one, or without rows.
    """

    columns: Mapping[str, Column]
    rows: int
    since: datetime | None = None
    until: datetime | None = None

    def missing(self, name: str) -> float | None:
        """Return the share of rows without a value (null or NaN); None without rows.

        NaN counts as missing: files that came through pandas cannot tell the two apart.
        """
        if not self.rows:
            return None
        column = self.columns.get(name)
        if column is None:
            return 1.0
        there = column.seen - (column.nan if isinstance(column, Numeric) else 0)
        return 1 - there / self.rows


def grids(profile: Profile | None) -> dict[str, Grid]:
    """Return the grid of each column of numbers, to profile another window alike."""
    columns: Mapping[str, Any] = profile.columns if profile else {}
    return {name: column.grid for name, column in columns.items() if isinstance(column, Numeric)}
