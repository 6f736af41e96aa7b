"""The grid on which sums keep single values, steps of 2**-12 of a scale: onto it, and off it to bet on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headgate.errors import EvidenceError
from headgate.stats.betting import Batches, FloatArray

#: (index, count), sorted by index; an index stands for index / `STEPS` x scale.
Counts = tuple[tuple[int, int], ...]
STEPS = 2**12


def counts_of(steps: FloatArray) -> Counts:
    """Return how often each whole number of steps occurs.

    Examples
    --------
    >>> counts_of(np.array([3.0, -1.0, 3.0]))
    ((-1, 1), (3, 2))
    """
    cells, counts = np.unique(steps.astype(np.int64), return_counts=True)
    return tuple(zip(cells.tolist(), counts.tolist(), strict=True))


def on_grid(hours: Sequence[Counts], scale: float) -> Batches:
    """Return T batches of values, shape (m, T), padded with nothing to the widest.

    Raises
    ------
    EvidenceError
        If a count is negative.

    Examples
    --------
    >>> on_grid([((0, 3), (4096, 1)), ((2048, 2),)], scale=10.0).values.tolist()
    [[0.0, 5.0], [10.0, 0.0]]
    """
    widest = max((len(hour) for hour in hours), default=0)
    values, counts = np.zeros((widest, len(hours))), np.zeros((widest, len(hours)))
    for at, hour in enumerate(hours):
        for place, (index, count) in enumerate(hour):
            if count < 0:
                raise EvidenceError(f"a batch holds a negative count of values: {count}")
            values[place, at], counts[place, at] = index / STEPS * scale, count
    return Batches(values, counts)
