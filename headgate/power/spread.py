"""Quantiles of times that some runs never reach."""

from __future__ import annotations

import numpy as np

from headgate.power.forecast import Spread
from headgate.stats.betting import FloatArray

HALF, MOST, NEARLY_ALL = 0.5, 0.8, 0.95


def spread(values: FloatArray) -> Spread:
    """Return what half, 80 % and 95 % of the runs stay within; infinite values are runs that never did.

    Examples
    --------
    >>> spread(np.array([1.0, 2.0, 3.0, np.inf]))
    Spread(half=2.0, most=None, nearly_all=None)
    """
    return Spread(*(quantile(values, part) for part in (HALF, MOST, NEARLY_ALL)))


def quantile(values: FloatArray, part: float) -> float | None:
    """Return the smallest value that at least this part of the runs do not exceed, or None."""
    if not values.size:
        return None
    found = float(np.sort(values)[int(np.ceil(part * values.size - 1e-9)) - 1])
    return found if np.isfinite(found) else None
