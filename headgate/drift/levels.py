r"""Levels: whether a column stays raised or lowered, though every window differs from every other.

A day's temperatures lie close together and far from the quarter's: as a distance each day is a surprise, in
January as in July. What tells is that the days stay on one side. So the mean of each window is followed too,
in standard deviations of the reference, against how the means of the reference's own blocks move: their
standard deviation, and how much a block resembles the one before. With that autocorrelation r the shift is
freed of its past, :math:`w_t = (z_t - r z_{t-1}) / (1 - r)`, whose mean is the lasting shift.

The bet is on ``w`` less what the reference's mean itself may be off, capped from above: for any law with that
variance, the Bennett bound makes it an e-value.

References
----------
.. [1] G. Bennett, "Probability inequalities for the sum of independent random variables", Journal of the
   American Statistical Association 57(297), 1962, eq. (8b).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, fsum, sqrt

import numpy as np

from headgate.stats.betting import FloatArray

#: Blocks needed to know how means of blocks move.
FEWEST_BLOCKS = 10
#: Stakes in units of 1 / deviation, and where gains are capped, in deviations.
STAKES = (0.1, 0.25, 0.5, 0.75, 1.0)
_CAP = 2.0
_MOST_ALIKE = 0.9
#: A window with so many times the rows of a block holds several; less is a busy day.
_SEVERAL = 2.0


@dataclass(frozen=True, slots=True)
class Level:
    """How the means of a reference's blocks move, in standard deviations of the whole.

    Attributes
    ----------
    deviation
        Standard deviation of the blocks' means, a little high, > 0.
    alike
        Autocorrelation of one block and the next, 0 to 0.9.
    blocks
        How many there were.
    rows
        Rows of a block, in the mean; 0: as many as a window has.
    """

    deviation: float
    alike: float
    blocks: float
    rows: float = 0.0

    @property
    def lasting(self) -> float:
        """Standard deviation of a shift freed of its past."""
        return self.deviation * sqrt((1 + self.alike) / (1 - self.alike))

    @property
    def off(self) -> float:
        """What the reference's own mean may be off, three standard errors: many columns are followed."""
        return 3 * self.lasting / sqrt(self.blocks)

    def of(self, rows: int) -> Level:
        """Return how means of windows move that hold several blocks: less, and hardly alike.

        Examples
        --------
        >>> Level(deviation=0.5, alike=0.0, blocks=90, rows=100.0).of(400)
        Level(deviation=0.25, alike=0.0, blocks=22.5, rows=400)
        """
        held = rows / self.rows if self.rows else 1.0
        if held < _SEVERAL:
            return self
        return Level(self.lasting / sqrt(held), 0.0, self.blocks / held, rows)

    def freed(self, shift: float, last: float | None) -> float:
        """Return a window's shift freed of what the window before explains; as it is where there is none.

        Examples
        --------
        >>> Level(deviation=0.5, alike=0.5, blocks=90).freed(1.0, last=1.0)
        1.0
        >>> Level(deviation=0.5, alike=0.5, blocks=90).freed(1.0, last=2.0)
        0.0
        """
        return shift if last is None else (shift - self.alike * last) / (1 - self.alike)

    def log_bets(self, freed: float) -> FloatArray:
        r"""Return the log e-values of a lasting rise, one per stake; of a fall with the sign turned.

        Notes
        -----
        With x = (w - off) / deviation capped at c: :math:`E e^{l x} \le \exp\{(e^{lc} - 1 - lc)/c^2\}` for
        any x with mean at most 0 and variance at most 1 that never passes c.

        Examples
        --------
        >>> Level(deviation=0.5, alike=0.0, blocks=100).log_bets(0.75).round(2).tolist()
        [0.11, 0.26, 0.42, 0.41, 0.1]
        """
        x = min((freed - self.off) / self.lasting, _CAP)
        cost = [(exp(stake * _CAP) - 1 - stake * _CAP) / _CAP**2 for stake in STAKES]
        return np.asarray(np.asarray(STAKES) * x - np.asarray(cost), dtype=np.float64)


def level_of(shifts: Sequence[float], rows: float = 0.0) -> Level | None:
    """Return how blocks' means move, given their shifts in order of time; None where there are too few.

    Examples
    --------
    >>> level_of([0.1, -0.1] * 10).alike
    0.0
    """
    count = len(shifts)
    if count < FEWEST_BLOCKS:
        return None
    mean = fsum(shifts) / count
    squares = fsum((shift - mean) ** 2 for shift in shifts)
    if not squares > 0:
        return None
    alike = fsum((a - mean) * (b - mean) for a, b in pairwise(shifts)) / squares
    if alike > 0:
        # In few blocks the estimate is low by about (1 + 3r) / n, and it is uncertain.
        alike += (1 + 3 * alike) / count + sqrt(max(0.0, 1 - alike**2) / count)
    alike = min(max(alike, 0.0), _MOST_ALIKE)
    deviation = sqrt(squares / (count - 1)) * (1 + 2 / sqrt(2 * count))
    return Level(deviation, alike, count, rows)
