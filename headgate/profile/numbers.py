"""Counts numbers, batch by batch: a few passes of numpy over values that are in the cache."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from headgate.profile.columns import Grid, Numeric
from headgate.profile.grid import SHIFT, SIZE, Floats, cells_of

if TYPE_CHECKING:
    from headgate.plan.sides import ColumnContract

#: Values at a time: temporaries stay in the cache, and are so small that memory is used again instead of
#: being asked from the system each time, which costs more than all the arithmetic.
BLOCK = 1 << 14
#: Values further from the centre count as this far in mean and m2, so that squares stay finite.
_FARTHEST = 1e140

Numbers = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

_NONE: Indices = np.zeros(0, np.int64)


def no_numbers(grid: Grid) -> Numeric:
    """Return the state before the first value."""
    none = np.zeros(0, np.int32), np.zeros(0, np.int64)
    return Numeric(grid, 0, 0, 0, 0, None, None, 0.0, 0.0, *none)


class NumberTally:
    """Adds values up to a `Numeric`."""

    def __init__(self, grid: Grid, contract: ColumnContract | None = None) -> None:
        self._grid = grid
        self._contract = contract
        self._histogram = np.zeros(SIZE, np.int64)
        self._seen = self._nan = self._below = self._above = 0
        self._low = self._high = 0
        self._least: float | None = None
        self._most: float | None = None
        self._near, self._far = np.inf, -np.inf  # least and most again, as distances from the centre
        self._finite, self._mean, self._m2 = 0, 0.0, 0.0

    def add(self, values: Numbers, there: Mask | None = None) -> None:
        """Add values of any numeric type; ``there`` says which of them are, all if None."""
        gone = None if there is None else ~there
        with np.errstate(over="ignore", invalid="ignore"):  # what does not fit float32 is counted as infinite
            for begun in range(0, values.size, BLOCK):
                block = slice(begun, begun + BLOCK)
                self._block(values[block], _NONE if gone is None else gone[block].nonzero()[0])

    def state(self) -> Numeric:
        """Return what was added up."""
        cells, counts = cells_of(self._histogram, self._grid)
        limits = (None, None) if self._contract is None else (self._low, self._high)
        return Numeric(
            self._grid, self._seen, self._nan, self._below, self._above, self._least, self._most,
            self._grid.centre + self._mean if self._finite else 0.0, self._m2, cells, counts, *limits,
        )  # fmt: skip

    def _block(self, values: Numbers, nulls: Indices) -> None:
        away = np.subtract(values, self._grid.centre, dtype=np.float64)
        away[nulls] = 0.0  # changes no sum, and is taken out of its cell again
        total, squares = float(away.sum()), _squared(away)
        if not isfinite(squares):
            self._odd_block(np.delete(values, nulls))
            return
        self._count(away, nulls.size)
        self._seen += away.size - nulls.size
        if away.size > nulls.size:
            self._moments(away, nulls, total, squares)
            further = away[away.argmin()] < self._near or away[away.argmax()] > self._far
            if further or self._contract is not None:
                self._range(np.delete(values, nulls))

    def _odd_block(self, values: Numbers) -> None:
        """Count a block that has NaN, infinities or values whose squares are too large."""
        away = np.subtract(values, self._grid.centre, dtype=np.float64)
        self._count(away[~np.isnan(away)], 0)
        finite = np.isfinite(away)
        self._seen += away.size
        self._nan += int(np.count_nonzero(np.isnan(away)))
        self._below += int(np.count_nonzero(away == -np.inf))
        self._above += int(np.count_nonzero(away == np.inf))
        if finite.any():
            near = np.clip(away[finite], -_FARTHEST, _FARTHEST)
            self._moments(near, _NONE, float(near.sum()), _squared(near))
            self._range(values[finite])

    def _count(self, away: Floats, gone: int) -> None:
        """Count distances from the centre; so many of them, all 0, are not there."""
        bits = away.astype(np.float32).view(np.uint32)
        np.right_shift(bits, np.uint32(SHIFT), out=bits)
        # Not bincount: its answer is a histogram of the full size, for every block.
        np.add.at(self._histogram, bits.astype(np.int64), 1)
        self._histogram[0] -= gone

    def _moments(self, away: Floats, nulls: Indices, total: float, squares: float) -> None:
        """Add mean and squared deviations (Chan, Golub and LeVeque 1979), of distances from the centre."""
        n = away.size - nulls.size
        mean = total / n
        m2 = squares - total * mean
        if m2 < 1e-3 * squares:  # nearly all of it is the offset, and the difference has lost its digits
            rest = away - mean
            rest[nulls] = 0.0
            m2 = _squared(rest)
        gap, everything = mean - self._mean, self._finite + n
        self._m2 += max(m2, 0.0) + gap * gap * (self._finite * n / everything)
        self._mean += gap * (n / everything)
        self._finite = everything

    def _range(self, values: Numbers) -> None:
        """Note the range of finite values, and count those that the contract does not allow."""
        least, most = float(values.min()), float(values.max())
        self._least = least if self._least is None else min(self._least, least)
        self._most = most if self._most is None else max(self._most, most)
        self._near, self._far = self._least - self._grid.centre, self._most - self._grid.centre
        rule = self._contract
        if rule is not None and rule.min is not None and least < rule.min:
            self._low += int(np.count_nonzero(values < rule.min))
        if rule is not None and rule.max is not None and most > rule.max:
            self._high += int(np.count_nonzero(values > rule.max))


def _squared(values: Floats) -> float:
    """Return the sum of squares. Not by BLAS, which starts threads for a block and lets them spin."""
    return float(np.einsum("i,i->", values, values))
