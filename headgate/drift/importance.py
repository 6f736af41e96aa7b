"""How much each input matters to the score: the part of the score's variance that it explains by itself.

No model is asked: a sample of rows with their scores is enough. What only matters together with another
column is missed; its drift moves the score, and that is watched.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from headgate.drift.classifier import numbers_of
from headgate.errors import InputError
from headgate.stats.betting import FloatArray

_GROUPS = 20


def importance(rows: pa.Table, score: str) -> dict[str, float]:
    """Return each column's correlation ratio with the score, 0 to 1; identifiers and times are left out.

    Parameters
    ----------
    rows
        Some thousand rows with inputs and score: see `headgate.drift.draw`.
    score
        The column of scores.

    Raises
    ------
    InputError
        If there is no such column of numbers.

    Examples
    --------
    >>> table = pa.table({"x": [1, 1, 2, 2], "y": [1, 2, 1, 2], "score": [0.1, 0.1, 0.9, 0.9]})
    >>> importance(table, "score")
    {'x': 1.0, 'y': 0.0}
    """
    found = numbers_of(rows.column(score)) if score in rows.schema.names else None
    if found is None:
        raise InputError(
            f"asked scores in {score!r}; found {', '.join(rows.schema.names)}; name a column of numbers"
        )
    known = np.isfinite(found)
    columns = {name: numbers_of(rows.column(name)) for name in rows.schema.names if name != score}
    return {
        name: _explained(values[known], found[known])
        for name, values in columns.items()
        if values is not None
    }


def _explained(values: FloatArray, score: FloatArray) -> float:
    """Return the part of the variance between groups of like values, less what chance makes of it."""
    if score.size <= 2 * _GROUPS and np.unique(values).size * 2 > score.size:
        return 0.0
    groups = _grouped(values)
    counts = np.bincount(groups)
    means = np.bincount(groups, weights=score) / np.maximum(counts, 1)
    total = float(np.sum((score - score.mean()) ** 2))
    if not total:
        return 0.0
    between = float(np.sum(counts * (means - score.mean()) ** 2))
    k, n = int((counts > 0).sum()), score.size
    left = (total - between) / max(n - k, 1)
    return min(1.0, max(0.0, (between - (k - 1) * left) / total))


def _grouped(values: FloatArray) -> np.ndarray:
    """Return the group of each value: its own where there are few, else a twentieth; gaps are a group."""
    gaps = np.isnan(values)
    there = values[~gaps]
    distinct = np.unique(there)
    cuts = distinct if distinct.size <= _GROUPS else np.quantile(there, np.arange(1, _GROUPS) / _GROUPS)
    groups = np.searchsorted(cuts, values, side="left")
    groups[gaps] = cuts.size + 1
    return groups
