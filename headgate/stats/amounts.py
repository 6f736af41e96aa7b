"""Paired differences of amounts by the hour, for requests that share what they cost."""

from __future__ import annotations

import numpy as np

from headgate.stats.betting import Batches, FloatArray, ordered_sum
from headgate.stats.hours import Hours, hourly_evidence


def hours(differences: Batches) -> Hours:
    """Return each hour's mean difference, and how far independent requests would spread it.

    Parameters
    ----------
    differences
        Candidate minus incumbent, larger is worse, shape (m, ..., T).

    Examples
    --------
    >>> found = hours(Batches(np.array([[0.0, 1.0], [2.0, 0.0]]), np.array([[1.0, 4.0], [1.0, 0.0]])))
    >>> found.value.tolist(), found.weight.tolist(), found.events.tolist()
    ([1.0, 1.0], [2.0, 4.0], [1.0, 5.0])
    """
    n, total = differences.units(), ordered_sum(differences.counts * differences.values)
    squares = ordered_sum(differences.counts * differences.values**2)
    seen = np.maximum(np.cumsum(n, axis=-1), 1.0)
    mean = np.cumsum(total, axis=-1) / seen
    # Rounding may leave a variance of nothing just below 0.
    variance = np.maximum(np.cumsum(squares, axis=-1) / seen - mean * mean, 0.0)
    events = np.cumsum(ordered_sum(differences.counts * (differences.values != 0)), axis=-1)
    spread = np.cumsum((n > 0).astype(np.float64), axis=-1) * variance
    return Hours(total / np.maximum(n, 1), n, spread, events)


def hourly(seen: Hours, margin: float, limit: float, *, harm: bool, any_start: bool = True) -> FloatArray:
    """Return log E by the hour: each hour is one value, however its requests hang together.

    Parameters
    ----------
    seen
        Of `hours`.
    margin, limit
        The largest mean difference tolerated, and the largest possible one of a request.
    harm, any_start
        Against "at most 0" (harm may begin at any hour), or "at least the margin".
    """
    xi, bound = (seen.value, limit) if harm else (margin - seen.value, limit - margin)
    return hourly_evidence(np.where(seen.seen, xi, 0.0), bound, any_start=harm and any_start)
