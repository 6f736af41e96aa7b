"""Two arms of a live split: their losses, what is asked of them, and what is known before each batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from headgate.errors import EvidenceError
from headgate.stats.betting import Batches, FloatArray, known_before, ordered_sum


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """Losses of the entities of each batch, one value per entity, by the side they met.

    Attributes
    ----------
    candidate, incumbent
        Values in the unit of the design, each of shape (m, ..., T) with an m of its own.
    """

    candidate: Batches
    incumbent: Batches


@dataclass(frozen=True, slots=True)
class Design:
    """What is asked of an unpaired loss, and what is expected of it. All in the metric's unit.

    Attributes
    ----------
    margin
        The largest excess of the candidate's mean loss tolerated; below 0 it asks for superiority.
    expect
        The excess that is expected, below the margin.
    harm
        The excess that is to be found fast, > 0; None: the margin.
    variance
        Of one entity's loss, expected before any data; None: the most there can be.
    low, high
        Range of an entity's loss.
    """

    margin: float
    expect: float = 0.0
    harm: float | None = None
    variance: float | None = None
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.spread < np.inf:
            raise EvidenceError(f"a loss needs a finite range, got {self.low} to {self.high}")
        if not -self.spread < self.margin < self.spread:
            raise EvidenceError(
                f"a margin of {self.margin} cannot be told from the largest possible difference of "
                f"{self.spread}: choose one closer to 0"
            )
        if self.expect >= self.margin:
            raise EvidenceError(
                f"the expected difference {self.expect} must lie below the margin {self.margin}: "
                "say expect, or raise the margin"
            )
        if not (self.margin if self.harm is None else self.harm) > 0:
            raise EvidenceError(f"a margin of {self.margin} does not say what harm is: give harm > 0")
        if self.variance is not None and not 0 < self.variance < np.inf:
            raise EvidenceError(f"the variance of a loss must be above 0 and finite, got {self.variance}")

    @property
    def spread(self) -> float:
        """The range of an entity's loss, and of a block's value."""
        return self.high - self.low

    @property
    def expected_variance(self) -> float:
        """The variance of one entity's loss before any data; a loss in a range has no more than this."""
        most = self.spread * self.spread / 4
        return most if self.variance is None else min(self.variance, most)

    def distance(self, *, harm: bool) -> float:
        """Return the design distance of the bets."""
        if not harm:
            return self.margin - self.expect
        return self.margin if self.harm is None else self.harm


def differences(arms: Arms) -> FloatArray:
    """Return the candidate's mean loss minus the incumbent's per batch, shape (..., T); NaN without both.

    Examples
    --------
    >>> differences(Arms(Batches.single([0.5, 1.0]), Batches.single([0.25, 0.0])))
    array([0.25, 1.  ])
    """
    means = []
    for side in (arms.candidate, arms.incumbent):
        n = side.units()
        means.append(np.where(n > 0, ordered_sum(side.counts * side.values) / np.maximum(n, 1), np.nan))
    return means[0] - means[1]


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known before each batch, all of shape (..., T).

    ``centre`` is the incumbent's mean; ``ours`` and ``theirs`` are the second moments of each side's
    losses about it, ``ours_cubed`` and ``theirs_cubed`` the third.
    """

    centre: FloatArray
    ours: FloatArray
    theirs: FloatArray
    ours_cubed: FloatArray
    theirs_cubed: FloatArray

    @classmethod
    def of(cls, arms: Arms, design: Design) -> Known:
        """Pool the earlier batches with what the design expects.

        Expected is a loss of two values, as a 0/1 loss, with the design's variance. Its mean counts for one
        entity, its moments for as many as hold half an event: two units of a rare event are hardly ever
        one, and a first quiet batch would make every bet far too bold.
        """
        spread, variance = design.spread, design.expected_variance
        first = spread * (1 - sqrt(1 - 4 * variance / (spread * spread))) / 2
        trust = spread * spread / 2 / variance
        ours, theirs = _sums(arms.candidate), _sums(arms.incumbent)
        centre = (design.low + first + theirs[1]) / (1 + theirs[0])
        expected = variance, variance * (spread - 2 * first)

        def moments(sums: Sequence[FloatArray]) -> list[FloatArray]:
            n, one, two, three = sums
            # Rounding may leave a sum of squares of nothing just below 0.
            second = np.maximum(two - 2 * centre * one + n * centre**2, 0.0)
            third = three - 3 * centre * two + 3 * centre**2 * one - n * centre**3
            pairs = zip(expected, (second, third), strict=True)
            return [(trust * e + m) / (trust + n) for e, m in pairs]

        (ours2, ours3), (theirs2, theirs3) = moments(ours), moments(theirs)
        return cls(centre, ours2, theirs2, ours3, theirs3)


def _sums(side: Batches) -> tuple[FloatArray, ...]:
    """Return entities, losses, their squares and cubes, summed over the earlier batches."""
    power, found = side.counts, []
    for _ in range(4):
        found.append(known_before(ordered_sum(power)))
        power = power * side.values
    return tuple(found)
