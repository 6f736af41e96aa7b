"""The two arms of a live split, from evidence to batches: which count, and whether entities are units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from itertools import groupby

import numpy as np

from headgate.errors import EvidenceError
from headgate.evidence import EvidenceRow, UnpairedSum
from headgate.gates.rows import joined, merged
from headgate.stats.arms import Arms, differences
from headgate.stats.betting import Batches, FloatArray, ordered_sum
from headgate.stats.blocks import design_effect
from headgate.stats.grid import Counts, on_grid
from headgate.stats.unpaired import BoolArray

#: Hours are pooled until each side has so many entities: a batch of n costs 1/n of what it says.
_FEWEST = 10
#: With nobody new for so long, waiting brings nothing.
_LONG = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """T batches of a live split, in order of time.

    Attributes
    ----------
    rows
        (first row, sums) of each batch; both sides may be empty.
    fresh
        Shape (T,): which may advance this step.
    scale
        Unit of the grids: largest loss of an entity, weighed by the audit.
    exhausted
        Requests still come and no entity that is new to the split.
    """

    rows: tuple[tuple[EvidenceRow, UnpairedSum], ...]
    fresh: BoolArray
    scale: float
    exhausted: bool

    @property
    def sums(self) -> list[UnpairedSum]:
        """The sums of each batch."""
        return [sums for _, sums in self.rows]

    def arms(self, reading: str) -> Arms:
        """Return the arms with labels and rounding at their ``worst`` for the candidate, or ``best``."""
        sides = [
            [getattr(one, f"{side}_{reading}") for one in self.sums] for side in ("candidate", "incumbent")
        ]
        return Arms(*(on_grid(grids, self.scale) for grids in sides))

    def among(self, kept: BoolArray) -> Seen:
        """Return the batches of a mask of shape (T,)."""
        rows = tuple(row for row, keep in zip(self.rows, kept.tolist(), strict=True) if keep)
        return replace(self, rows=rows, fresh=self.fresh[kept])

    def entities(self) -> FloatArray:
        """Return the entities of both sides in each batch, shape (T,)."""
        return np.array(
            [_size(s.candidate_worst) + _size(s.incumbent_worst) for s in self.sums], dtype=np.float64
        )


def seen_of(rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow], *, blocks: bool) -> Seen | None:
    """Return the batches of a gate's rows; None where no row holds an entity.

    Of a block in which the share changed the part that says more counts: a block is one value, and the
    arms of two shares must not be added up. Hours of one stay are pooled until both sides have enough
    entities; a pool that is not full yet is not judged.

    Raises
    ------
    EvidenceError
        If rows stand on different grids.
    """
    all_rows = merged(rows, UnpairedSum)
    found = [(row, sums) for row, sums in all_rows if sums.candidate_worst or sums.incumbent_worst]
    if not found:
        return None
    scales = {sums.scale for _, sums in found}
    if len(scales) > 1:
        raise EvidenceError(f"arms were summed with different caps: {sorted(scales)}")
    counts = {_key(row) for row, _ in merged(fresh, UnpairedSum)}
    batches = _largest(found) if blocks else list(_pools(found, counts))
    last, newest = all_rows[-1][0], found[-1][0]
    exhausted = last.batch - newest.batch >= _LONG or (blocks and last.batch > newest.batch)
    marks = np.array([_key(row) in counts for row, _ in batches], dtype=np.bool_)
    return Seen(tuple(batches), marks, scales.pop(), exhausted)


def shared_shocks(seen: Seen, *, blocks: bool) -> tuple[float | None, list[float]]:
    """Return the design effect of blocks, or of UTC days of hours, and their values.

    The value is the difference of the arms' means; independent entities would give it the variance of
    each side's entities over their number.
    """
    groups = seen.sums if blocks else _days(seen)
    arms = Arms(*(on_grid([getattr(s, f"{side}_worst") for s in groups], seen.scale)
                  for side in ("candidate", "incumbent")))  # fmt: skip
    predicted = np.zeros(len(groups))
    for side in (arms.candidate, arms.incumbent):
        predicted = predicted + _variance_of_mean(side)
    means = differences(arms)
    known = np.isfinite(means) & np.isfinite(predicted)
    values = means[known].tolist()
    return design_effect(values, predicted[known].tolist()), values


def _variance_of_mean(side: Batches) -> FloatArray:
    """Return the variance of each batch's mean if entities are independent; NaN below two of them."""
    n, losses = side.units(), ordered_sum(side.counts * side.values)
    mean = losses / np.maximum(n, 1)
    squares = ordered_sum(side.counts * (side.values - mean) ** 2)
    return np.where(n > 1, squares / np.maximum(n - 1, 1) / np.maximum(n, 1), np.nan)


def _key(row: EvidenceRow) -> tuple[object, ...]:
    return row.batch, row.entry, row.share_bp, row.source


def _size(grid: Counts) -> int:
    return sum(count for _, count in grid)


def _sizes(sums: UnpairedSum) -> tuple[int, int]:
    return _size(sums.candidate_worst), _size(sums.incumbent_worst)


def _largest(rows: Sequence[tuple[EvidenceRow, UnpairedSum]]) -> list[tuple[EvidenceRow, UnpairedSum]]:
    def says(pair: tuple[EvidenceRow, UnpairedSum]) -> float:
        n1, n0 = _sizes(pair[1])
        return n1 * n0 / (n1 + n0)

    return [max(parts, key=says) for _, parts in groupby(rows, key=lambda pair: pair[0].batch)]


def _pools(
    rows: Sequence[tuple[EvidenceRow, UnpairedSum]], counts: set[tuple[object, ...]]
) -> Iterator[tuple[EvidenceRow, UnpairedSum]]:
    """Yield full pools of hours of one stay. Which hours go together is decided by counts alone."""
    for _, stay in groupby(rows, key=lambda pair: (*_key(pair[0])[1:], _key(pair[0]) in counts)):
        pool: tuple[EvidenceRow, UnpairedSum] | None = None
        for row, sums in stay:
            pool = (row, sums) if pool is None else (pool[0], joined(pool[1], sums))
            if min(_sizes(pool[1])) >= _FEWEST:
                yield pool
                pool = None


def _days(seen: Seen) -> list[UnpairedSum]:
    """Return the batches of each UTC day and stay together."""
    found = []
    for _, day in groupby(
        seen.rows, key=lambda pair: (*_key(pair[0])[1:], pair[0].batch.astimezone(UTC).date())
    ):
        first, *rest = (sums for _, sums in day)
        for sums in rest:
            first = joined(first, sums)
        found.append(first)
    return found
