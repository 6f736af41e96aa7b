"""How the guardrails share one budget for wrong roll backs.

References
----------
.. [1] V. Vovk, R. Wang, "E-values: Calibration, combination and applications", Annals of Statistics
   49(3), 2021: a weighted mean of e-values is an e-value under any dependence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from headgate.stats.betting import FloatArray


def weights(segments: Mapping[str, Sequence[str]]) -> dict[tuple[str, str | None], float]:
    """Return the weight of each (gate, segment) in the mean of e-values; they sum to 1 at most.

    Parameters
    ----------
    segments
        Per guardrail the segments it is held to, none for most.

    Returns
    -------
    dict
        Gates count alike; a gate with segments gives half to all requests, half to its segments.

    Examples
    --------
    >>> weights({"quality": ["origin=JFK", "origin=LGA"], "errors": []})
    {('quality', None): 0.25, ('quality', 'origin=JFK'): 0.125, ('quality', 'origin=LGA'): 0.125,
     ('errors', None): 0.5}
    """
    found: dict[tuple[str, str | None], float] = {}
    for gate, names in segments.items():
        each = 1 / len(segments)
        found[gate, None] = each / 2 if names else each
        for name in names:
            found[gate, name] = each / 2 / len(names)
    return found


def log_mean(log_e: FloatArray, shares: Sequence[float]) -> FloatArray:
    """Return the log of the weighted mean of e-values: (G, ...) becomes (...).

    Examples
    --------
    >>> log_mean(np.zeros((2, 1)), [0.5, 0.5])
    array([0.])
    """
    terms = log_e + np.log(np.asarray(shares)).reshape((-1,) + (1,) * (log_e.ndim - 1))
    top = np.max(terms, axis=0)
    total = np.zeros(terms.shape[1:])
    for term in terms:
        total = total + np.exp(term - top)
    return np.asarray(top + np.log(total), dtype=np.float64)
