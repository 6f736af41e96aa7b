r"""The grid numbers fall on: the leading 17 bits of ``float32(x - centre)``, in the order of the values.

A cell is :math:`2^{-8}` of the distance to the centre wide, so the middle of a distribution is drawn finely
and no range has to be known beforehand: one subtraction, one cast and one shift per value. Infinities have
the outermost cells. Distances below the grid's floor share one cell; without it a column of normal values
would fill tens of thousands of cells nobody needs.

========  =================================================================
cell      holds
========  =================================================================
255       :math:`-\infty` and what float32 cannot hold
65 536    :math:`|x - \mathrm{centre}| <` floor, and the centre itself
130 816   :math:`+\infty` and what float32 cannot hold
========  =================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log2

import numpy as np
import numpy.typing as npt

from headgate.profile.columns import Cells, Counts, Grid, Numeric

#: Bits that are dropped of the 32, cells there are, and the one the centre is in.
SHIFT, SIZE, MIDDLE = 15, 1 << 17, 1 << 16
#: The outermost cells, where infinities are.
LOWEST, HIGHEST = 255, 130_816
_LARGEST = float(np.finfo(np.float32).max)
#: The floor as a share of the scale of the values the grid is laid out for.
FINEST = 2.0**-10

Floats = npt.NDArray[np.float64]


def lay_out(values: Floats) -> Grid:
    """Return a grid that fits these finite values: the lower median is its centre.

    An actual value as the centre keeps whole numbers in cells of their own.

    Examples
    --------
    >>> lay_out(np.array([1e6 - 1, 1e6, 1e6 + 1]))
    Grid(centre=1000000.0, floor=0.0009765625)
    """
    if not values.size:
        return Grid()
    middle = (values.size - 1) // 2
    centre = float(np.partition(values, middle)[middle])
    low, high = np.quantile(values, (0.25, 0.75))
    scale = float(high - low) or float(np.abs(values - centre).max())
    return Grid(centre, floor_of(scale))


def floor_of(scale: float) -> float:
    """Return the floor for values that spread so far; 0 where they do not."""
    if not 1e-30 < scale < 1e30:
        return 0.0
    return 2.0 ** floor(log2(scale)) * FINEST


def cells_of(histogram: Counts, grid: Grid) -> tuple[Cells, Counts]:
    """Return the non-empty cells in the order of values, and their counts.

    Parameters
    ----------
    histogram
        Counts by the bits as they are, shape (`SIZE`,): sign, then magnitude.
    """
    bits = np.flatnonzero(histogram != 0)
    counts = histogram[bits]
    # A number's bits order it by magnitude; negative ones are turned round.
    first = int(np.searchsorted(bits, MIDDLE))
    cells = np.concatenate([SIZE - 1 - bits[first:][::-1], bits[:first] + MIDDLE]).astype(np.int32)
    counts = np.concatenate([counts[first:][::-1], counts[:first]])
    # -0.0 has a cell next to 0.0's; they are one value.
    reach = max(_bits(grid.floor), 1)
    low, high = np.searchsorted(cells, (MIDDLE - reach, MIDDLE + reach)).tolist()
    if low == high:
        return cells, counts
    near = np.array([MIDDLE], np.int32), counts[low:high].sum(keepdims=True)
    return (
        np.concatenate([cells[:low], near[0], cells[high:]]),
        np.concatenate([counts[:low], near[1], counts[high:]]),
    )


def add_cells(parts: list[tuple[Cells, Counts]]) -> tuple[Cells, Counts]:
    """Return the cells of several windows on one grid together."""
    cells = in_order(*(cells for cells, _ in parts))
    total = np.zeros(cells.size, np.int64)
    for some, counts in parts:
        total[np.searchsorted(cells, some)] += counts
    return cells, total


def in_order(*parts: Cells) -> Cells:
    """Return every cell that is in one of the parts, once, in the order of values."""
    cells = np.sort(np.concatenate(parts))
    return cells[np.concatenate([[True], np.diff(cells) > 0])] if cells.size else cells


def edges(cells: Cells, grid: Grid) -> tuple[Floats, Floats]:
    """Return lower and upper ends of cells, in the column's own unit; infinite at the outermost."""
    above = cells >= MIDDLE
    magnitude = np.where(above, cells - MIDDLE, MIDDLE - 1 - cells).astype(np.uint32)
    near, far = _values(magnitude), _values(magnitude + 1)
    low, high = np.where(above, near, -far), np.where(above, far, -near)
    middle = cells == MIDDLE
    low[middle] = -grid.floor
    high[middle] = max(grid.floor, float(_values(np.array([1], np.uint32))[0]))
    return low + grid.centre, high + grid.centre


def quantile(column: Numeric, share: float) -> float | None:
    """Return the value below which a share of the finite values is; None without any.

    Exact to the width of a cell: :math:`2^{-8}` of the distance to the grid's centre, or its floor.
    """
    found = quantiles(column, (share,))
    return found[0] if found else None


def quantiles(column: Numeric, shares: Sequence[float]) -> list[float]:
    """Return several quantiles; an empty list without finite values."""
    if not column.finite or column.least is None or column.most is None:
        return []
    places, low, high, inside = _places(column, shares)
    start, end = np.maximum(low, column.least), np.minimum(high, column.most)
    values = np.where(column.cells[places] == MIDDLE, column.grid.centre, start + (end - start) * inside)
    return [float(value) for value in np.clip(values, column.least, column.most)]


def _places(column: Numeric, shares: Sequence[float]) -> tuple[Counts, Floats, Floats, Floats]:
    """Return in which cells quantiles are, those cells' ends, and how far into them; shape (shares,).

    In the cell of the centre they are the centre: a value of the reference, and often the only one there.
    """
    counts = column.counts.astype(np.float64)
    # Infinities are not values one can calculate with; they share the outermost cells with what is too large.
    counts[column.cells == LOWEST] -= column.below
    counts[column.cells == HIGHEST] -= column.above
    cumulative = np.cumsum(counts)
    wanted = np.asarray(shares) * cumulative[-1]
    places = np.minimum(np.searchsorted(cumulative, wanted, side="left"), cumulative.size - 1)
    low, high = edges(column.cells[places], column.grid)
    there = np.maximum(counts[places], 1.0)
    return places, low, high, (wanted - (cumulative[places] - counts[places])) / there


def is_coarse(column: Numeric) -> bool:
    """Whether the grid is too coarse where the values are: it was laid out for others.

    A cell at the median that is wider than a sixteenth of the middle half hides what happens inside it.
    """
    if not column.finite or column.least == column.most:
        return False
    places, low, high, _ = _places(column, (0.25, 0.5, 0.75))
    if column.cells[places[1]] == MIDDLE:
        return column.grid.floor * 16 > (column.spread or 0.0)
    return bool((high[1] - low[1]) * 16 > high[2] - low[0] - (high[1] - low[1]))


def cell_width(column: Numeric, value: float) -> float:
    """Return how wide the cell is that a value is in, in the column's own unit."""
    bits = int(np.float32(value - column.grid.centre).view(np.uint32)) >> SHIFT
    cell = bits + MIDDLE if bits < MIDDLE else SIZE - 1 - bits
    low, high = edges(np.array([cell], np.int32), column.grid)
    return float(high[0] - low[0])


def _bits(magnitude: float) -> int:
    return int(np.float32(magnitude).view(np.uint32)) >> SHIFT


def _values(bits: npt.NDArray[np.uint32]) -> Floats:
    infinite = HIGHEST - MIDDLE
    values = (np.minimum(bits, infinite) << SHIFT).astype(np.uint32).view(np.float32).astype(np.float64)
    values[bits == infinite] = _LARGEST  # the outermost cells begin where float32 ends
    return values
