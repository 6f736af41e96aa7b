"""Which slice should go first: the highest value at the lowest risk, by the shadow evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from headgate.evidence import BlockSum, EvidenceRow, UnitSum
from headgate.plan.applies import is_paired_loss
from headgate.plan.model import Plan
from headgate.stats.grid import STEPS


@dataclass(frozen=True, slots=True)
class Prospect:
    """What earlier shadow evidence says about one slice.

    Attributes
    ----------
    slice
        Its name.
    share
        Of all requests, 0 to 1.
    gain
        Expected gain per request: minus the mean worsening, in the unit of the gate; None: no evidence.
    error
        Standard error of the gain; None where one block cannot tell.
    """

    slice: str
    share: float
    gain: float | None
    error: float | None = None

    @property
    def value(self) -> float | None:
        """Expected gain per request of the service: the slice's gain, times its share."""
        return None if self.gain is None else self.gain * self.share

    @property
    def cautious(self) -> float | None:
        """The same less two standard errors: what an unlucky start would still bring."""
        if self.gain is None or self.error is None:
            return None
        return (self.gain - 2 * self.error) * self.share


def ranked(prospects: Iterable[Prospect]) -> tuple[Prospect, ...]:
    """Return the slices, the one to go first in front: highest value at the lowest risk.

    They are ordered by what they would bring if things went badly (`Prospect.cautious`); one whose
    uncertainty is not known comes after all whose is, one without evidence last. Ties go by name.

    Examples
    --------
    >>> small_but_sure = Prospect("jfk", 0.2, gain=0.010, error=0.001)
    >>> large_and_unsure = Prospect("lga", 0.7, gain=0.012, error=0.010)
    >>> [one.slice for one in ranked([Prospect("ewr", 0.1, None), large_and_unsure, small_but_sure])]
    ['jfk', 'lga', 'ewr']
    """

    def key(one: Prospect) -> tuple[int, float, str]:
        if one.cautious is not None:
            return 0, -one.cautious, one.slice
        return (2, 0.0, one.slice) if one.value is None else (1, -one.value, one.slice)

    return tuple(sorted(prospects, key=key))


def rank_words(prospects: Sequence[Prospect]) -> dict[str, str]:
    """Return per slice its place and why, the one to go first in front."""
    return {one.slice: f"{place}. {_words(one)}" for place, one in enumerate(ranked(prospects), start=1)}


def prospects_of(
    plan: Plan, rows: Iterable[EvidenceRow], shares: Mapping[str, float]
) -> tuple[Prospect, ...]:
    """Return what shadow evidence says of every slice, by the plan's first paired loss.

    Parameters
    ----------
    rows
        Evidence of this plan or of another with the same slices; only what was seen at share 0 counts.
    shares
        Of all requests, per slice; a slice that is not named has none.
    """
    gate = next((gate.name for gate in plan.gates if is_paired_loss(gate, plan)), None)
    mine: dict[str, list[BlockSum | UnitSum]] = {name: [] for name in plan.slice_names}
    for row in rows:
        whole = row.gate == gate and row.segment is None and row.share_bp == 0 and row.slice in mine
        if whole and isinstance(row.sums, BlockSum | UnitSum):
            mine[row.slice].append(row.sums)
    return tuple(Prospect(name, shares.get(name, 0.0), *_gain(sums)) for name, sums in mine.items())


def _gain(sums: Sequence[BlockSum | UnitSum]) -> tuple[float | None, float | None]:
    """Return the mean gain per request and its standard error, as far as they can be told."""
    blocks = [one.observed for one in sums if isinstance(one, BlockSum) and one.pairs]
    if blocks:
        error = stdev(blocks) / math.sqrt(len(blocks)) if len(blocks) > 1 else None
        return -fmean(blocks), error
    units = [
        (index / STEPS * one.scale, count)
        for one in sums
        if isinstance(one, UnitSum)
        for index, count in one.worst
    ]
    n = sum(count for _, count in units)
    if not n:
        return None, None
    mean = sum(value * count for value, count in units) / n
    variance = sum(count * (value - mean) ** 2 for value, count in units) / n
    return -mean, math.sqrt(variance / n) if n > 1 else None


def _words(one: Prospect) -> str:
    share = f"{one.slice} ({100 * one.share:.0f} % of requests)"
    if one.gain is None:
        return f"{share}: no evidence yet"
    sure = "" if one.error is None else f" ± {2 * one.error:.2g}"
    return f"{share}: {'gains' if one.gain >= 0 else 'loses'} {abs(one.gain):.2g}{sure} per request"
