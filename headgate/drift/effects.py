"""How far a column moved, on one scale: what a comparison says, made fit for evidence.

Everything is a debiased squared distance on the scale of the PSI (Cohen's w squared): 0.01 small, 0.04 a
mean that moved by a fifth of a standard deviation, 0.1 what people call moderate.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import log, sqrt

from headgate.profile import ColumnComparison, Comparison, Kind

#: Cells of a number's distances less one: tenths of the reference.
_TENTHS = 9
#: For small differences eight times the Jensen-Shannon divergence in nats is the PSI; it stays finite where
#: a cell is empty, and hardly leaves the chi-square law at ten values a cell. Its square is in bits.
_FROM_JS = 8 * log(2)


class Aspect(StrEnum):
    """What can move in a column."""

    VALUES = "values"
    MISSING = "missing"
    RISE = "rise"  # of the mean, lasting
    FALL = "fall"
    BURST = "burst"  # of missing, unseen or forbidden values, at once
    TOGETHER = "together"  # of all columns: the domain classifier


@dataclass(frozen=True, slots=True)
class Effect:
    """How far one aspect of one column moved in one window.

    Attributes
    ----------
    distance
        Squared distance as measured, >= 0.
    size
        What is said of its size, debiased, >= 0: at most ``debiased``.
    dof
        Degrees of freedom of the distance, >= 1.
    n_reference, n_current
        Values that it rests on.
    """

    distance: float
    size: float
    dof: int
    n_reference: int
    n_current: int

    @property
    def n(self) -> float:
        """The number of values that counts, 1 / (1/n_ref + 1/n_cur)."""
        return 1 / (1 / self.n_reference + 1 / self.n_current)

    @property
    def debiased(self) -> float:
        """The distance less what sampling alone makes of it; negative as often as not."""
        return self.distance - self.dof / self.n


def effects(column: ColumnComparison, between: Comparison, fewest: int) -> dict[Aspect, Effect]:
    """Return the effects that can be judged: at least ``fewest`` values on both sides, and a distance."""
    found = {}
    values = _values(column)
    if values is not None and min(values.n_reference, values.n_current) >= fewest:
        found[Aspect.VALUES] = values
    missing = _missing(column, between)
    if missing is not None and min(missing.n_reference, missing.n_current) >= fewest:
        found[Aspect.MISSING] = missing
    return found


def shift(column: ColumnComparison) -> float | None:
    """Return how far the mean moved, in standard deviations of the reference; None where there is no mean."""
    before, now, spread = column.mean_reference, column.mean_current, column.spread_reference
    if before is None or now is None:
        return None
    if column.kind is Kind.BOOLEAN:
        spread = sqrt(before * (1 - before))
    return (now - before) / spread if spread else None


def _values(column: ColumnComparison) -> Effect | None:
    if not column.n_reference or not column.n_current or column.changed is not None:
        return None
    match column.kind:
        case Kind.NUMBER:
            if column.js is None:
                return None
            distance = _FROM_JS * column.js**2
            return _effect(distance, distance, _TENTHS, column)
        case Kind.CATEGORY | Kind.BOOLEAN:
            if column.chi2 is None or not column.chi2_dof:
                return None
            n = 1 / (1 / column.n_reference + 1 / column.n_current)
            distance = column.chi2 / n
            # A value that the reference lacks weighs without bound in chi-square, in the JS it does not;
            # the JS of ten thousand values is biased, chi-square is not. Both must say that it is large.
            size = distance if column.js is None else min(distance, _FROM_JS * column.js**2)
            return _effect(distance, size, column.chi2_dof, column)
        case Kind.TIMESTAMP | Kind.OPAQUE:
            # Hours move with the calendar and with the length of windows: told, not judged.
            return None


def _effect(distance: float, size: float, dof: int, column: ColumnComparison) -> Effect:
    one = Effect(distance, 0.0, dof, column.n_reference, column.n_current)
    return Effect(distance, max(0.0, size - dof / one.n), dof, column.n_reference, column.n_current)


def _missing(column: ColumnComparison, between: Comparison) -> Effect | None:
    before, now = column.missing_reference, column.missing_current
    if before is None or now is None or column.changed is not None:
        return None
    if not between.rows_reference or not between.rows_current:
        return None
    middle = (before + now) / 2
    distance = (before - now) ** 2 / (middle * (1 - middle)) if 0 < middle < 1 else 0.0
    one = Effect(distance, 0.0, 1, between.rows_reference, between.rows_current)
    return Effect(distance, max(0.0, one.debiased), 1, between.rows_reference, between.rows_current)
