"""The grid on which sums keep single values: whole steps of 2**-12 of a scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: (index, count), sorted by index; an index stands for index / `STEPS` x scale.
Counts = tuple[tuple[int, int], ...]
STEPS = 2**12


def counts_of(steps: npt.NDArray[np.float64]) -> Counts:
    """Return how often each whole number of steps occurs.

    Examples
    --------
    >>> counts_of(np.array([3.0, -1.0, 3.0]))
    ((-1, 1), (3, 2))
    """
    cells, counts = np.unique(steps.astype(np.int64), return_counts=True)
    return tuple(zip(cells.tolist(), counts.tolist(), strict=True))
