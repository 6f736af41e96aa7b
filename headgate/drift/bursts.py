r"""Bursts: shares of values that are missing, new or not allowed, far beyond what any block had.

Where blocks of the reference wander, one window says little by itself (`headgate.drift.looking`): a day with
six missing values in a hundred may be followed by one with ten. It is not followed by one with ninety: then
something broke, and waiting for a second such window helps nobody. So a ceiling is put up for each share,
`TIMES` the worst block of the reference and at least `FLOOR`. A window whose true share is below it is what
windows do; the number of such rows in it is then at most binomial, and

.. math:: e = (q/c)^k \, \{(1-q)/(1-c)\}^{n-k}

has mean at most 1 for every share up to the ceiling c, at every design q > c (a likelihood ratio that grows
with k). A reference with a quarter of its values missing on its worst day has no ceiling, and no burst.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from headgate.profile import Categorical, ColumnComparison, Comparison, Profile
from headgate.stats.betting import FloatArray

#: The ceiling of a share: so many times the reference's worst block, and at least this.
TIMES, FLOOR = 4.0, 0.2
#: Designs, as parts of the way from the ceiling to all values.
_DESIGNS = (0.1, 0.25, 0.5, 0.75, 0.95)
#: Rows come in spells, and do not fail one by one: no more of them count.
_MOST_ROWS = 300


@dataclass(frozen=True, slots=True)
class Worst:
    """The largest share that any block of the reference had of each: 0 to 1."""

    missing: float = 0.0
    unseen: float = 0.0
    outside: float = 0.0


def worst_of(blocks: Sequence[Profile], beside: Sequence[Comparison]) -> dict[str, Worst]:
    """Return the worst block's shares, per column of the reference.

    Parameters
    ----------
    blocks
        Profiles of the reference's blocks.
    beside
        The same, each beside the whole reference.
    """
    found: dict[str, Worst] = {}
    for between in beside:
        for column in between.columns:
            so_far = found.get(column.name, Worst())
            found[column.name] = Worst(
                max(so_far.missing, column.missing_current or 0.0),
                0.0,
                max(so_far.outside, column.out_of_contract_current or 0.0),
            )
    return {name: Worst(one.missing, _own(blocks, name), one.outside) for name, one in found.items()}


def log_bursts(column: ColumnComparison, between: Comparison, worst: Worst) -> FloatArray | None:
    """Return the log e-values of a window's burst, one per design; None where nothing can burst.

    The shares that a column has part the stake between them.

    Examples
    --------
    >>> from headgate.profile import Kind
    >>> def window(share: float) -> FloatArray | None:
    ...     one = ColumnComparison("x", Kind.NUMBER, missing_reference=0.01, missing_current=share)
    ...     return log_bursts(one, Comparison((one,), 20_000, 500), Worst(missing=0.06))
    >>> window(0.93).round(1).tolist()
    [74.5, 156.7, 250.2, 310.3, 324.4]
    >>> float(window(0.2).max().round(1))
    -8.8
    """
    shares = (
        (column.missing_current, between.rows_current, worst.missing),
        (column.unseen_share, column.n_current, worst.unseen),
        (column.out_of_contract_current, column.n_current, worst.outside),
    )
    found = [
        _log_ratios(share, min(rows, _MOST_ROWS), ceiling)
        for share, rows, known in shares
        if share is not None and rows and (ceiling := max(FLOOR, TIMES * known)) < 1
    ]
    return np.asarray(np.logaddexp.reduce(found, axis=0) - log(len(found))) if found else None


def _log_ratios(share: float, n: int, ceiling: float) -> FloatArray:
    k = share * n
    design = ceiling + (1 - ceiling) * np.asarray(_DESIGNS)
    ratios = k * np.log(design / ceiling) + (n - k) * np.log((1 - design) / (1 - ceiling))
    return np.asarray(ratios, dtype=np.float64)


def _own(blocks: Sequence[Profile], name: str) -> float:
    """Return the largest share of a block's values that no other block has: what is new on any day."""
    texts = [c.counts for block in blocks if isinstance(c := block.columns.get(name), Categorical)]
    held = Counter(value for counts in texts for value in counts)
    shares = (
        sum(n for value, n in counts.items() if held[value] == 1) / sum(counts.values())
        for counts in texts
        if counts
    )
    return max(shares, default=0.0)
