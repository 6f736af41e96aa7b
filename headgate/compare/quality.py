"""Paired losses of one closed block of time, or of one closed hour of independent requests.

Both sides answered the same requests, so each request gives one difference D = candidate loss minus
incumbent loss. A missing label is bounded by both labels it could have been.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headgate.compare.pairs import Batch, Floats, Mask, batch_of
from headgate.compare.stays import stay_at
from headgate.evidence import BlockSum, Entry, EvidenceRow, Source, UnitSum
from headgate.plan.model import Exclude, Gate, Metric, Plan

PAIRED = (Metric.BRIER, Metric.ZERO_ONE)
GRID = 2**12
"""Steps of a `UnitSum` per unit of loss."""


def quality_rows(
    plan: Plan,
    exchanges: pa.Table,
    outcomes: pa.Table,
    block: tuple[datetime, datetime],
    entries: Sequence[Entry],
    segments: Mapping[str, tuple[str, ...]],
) -> list[EvidenceRow]:
    """Return the sums of every paired gate over one closed block, overall and per segment.

    Parameters
    ----------
    exchanges
        At least those of the block, in any order; others are left out.
    outcomes
        As the outcome log has them, with the plan's column names, not cleaned yet: what contradicts
        an outcome after its block closed must not reach back into it. A label known later than the
        block's end plus the plan's maturity is missing, whenever this is called: a closed block has
        one value for ever.
    block
        [start, end), aware UTC.
    entries
        All stays so far; the one in force at the block's start is the block's.
    segments
        Per column the values frozen at preflight; any other value counts as ``other``.

    Returns
    -------
    list of EvidenceRow
        Each with a `BlockSum` in the metric's unit, not clipped. No row where no request has both
        answers, or where the plan excludes every one that has for want of a label.

    Raises
    ------
    EvidenceError
        If there are no entries.
    InputError
        If the outcome log is not as the plan says.
    """
    return _rows(plan, exchanges, outcomes, block, entries, segments, _block_sum)


def unit_rows(
    plan: Plan,
    exchanges: pa.Table,
    outcomes: pa.Table,
    hour: tuple[datetime, datetime],
    entries: Sequence[Entry],
    segments: Mapping[str, tuple[str, ...]],
) -> list[EvidenceRow]:
    """Return the same for one closed hour under ``block: none``: every request counts by itself.

    Each row holds a `UnitSum`: D on a grid of 2**-12, the worst rounded up and the best down, so
    that rounding helps neither to advance nor to roll back.
    """
    return _rows(plan, exchanges, outcomes, hour, entries, segments, _unit_sum)


@dataclass(frozen=True, slots=True)
class _Differences:
    """D of the m pairs of one segment and gate; equal ``entity`` numbers stand together.

    ``worst`` and ``best`` differ only where the label is missing; ``known`` says where it is not.
    """

    entity: npt.NDArray[np.int64]
    worst: Floats
    best: Floats
    known: Mask
    excluded: int
    unpaired: int


def _rows(
    plan: Plan,
    exchanges: pa.Table,
    outcomes: pa.Table,
    span: tuple[datetime, datetime],
    entries: Sequence[Entry],
    segments: Mapping[str, tuple[str, ...]],
    summed: Callable[[_Differences], BlockSum | UnitSum],
) -> list[EvidenceRow]:
    stay = stay_at(entries, span[0])
    batch = batch_of(plan, exchanges, outcomes, span, segments)
    segmented = plan.segments.gates if plan.segments else {}
    rows = []
    for gate in plan.gates:
        if gate.metric not in PAIRED:
            continue
        losses = _losses(plan, gate, batch)
        for segment, members in batch.parts.items():
            if segment is not None and gate.name not in segmented:
                continue
            differences = _differences(plan, batch, losses, members)
            if len(differences.entity):
                rows.append(
                    EvidenceRow(
                        gate.name, segment, span[0], stay.entry, stay.share_bp,
                        Source.SHADOW, "batch", summed(differences),
                    )
                )  # fmt: skip
    return rows


def _losses(plan: Plan, gate: Gate, batch: Batch) -> tuple[Floats, Floats]:
    """Return D of every request, were its label 0 and were it 1."""

    def loss(prediction: Floats, label: float) -> Floats:
        if gate.metric is Metric.BRIER:
            away = prediction - label
            return away * away
        if plan.prediction.kind == "probability":
            prediction = (prediction >= plan.prediction.threshold).astype(np.float64)
        wrong: Floats = (prediction != label).astype(np.float64)
        return wrong

    zero, one = (loss(batch.candidate, y) - loss(batch.incumbent, y) for y in (0.0, 1.0))
    return zero, one


def _differences(plan: Plan, batch: Batch, losses: tuple[Floats, Floats], members: Mask) -> _Differences:
    pairs = members & batch.paired
    known = ~np.isnan(batch.label)
    used = pairs & known if isinstance(plan.outcomes.missing, Exclude) else pairs
    zero, one = losses
    observed = np.where(batch.label == 1, one, zero)
    return _Differences(
        entity=batch.entity[used],
        worst=np.where(known, observed, np.maximum(zero, one))[used],
        best=np.where(known, observed, np.minimum(zero, one))[used],
        known=known[used],
        excluded=int(pairs.sum() - used.sum()),
        unpaired=int((members & ~batch.paired).sum()),
    )


def _block_sum(d: _Differences) -> BlockSum:
    missing = int((~d.known).sum())
    means = _entity_means(d.entity[d.known], d.worst[d.known])
    observed = math.fsum(means) / len(means) if means else math.nan
    if missing:
        worst, best = (_entity_means(d.entity, side) for side in (d.worst, d.best))
        high, low = math.fsum(worst) / len(worst), math.fsum(best) / len(best)
    else:
        high = low = observed
    if not means:
        # Nothing was observed (pairs = 0 says so), but the bounds hold: shown is their middle.
        observed = (high + low) / 2
    return BlockSum(
        worst=high,
        best=low,
        observed=observed,
        entities=len(means),
        pairs=int(d.known.sum()),
        missing=missing,
        excluded=d.excluded,
        unpaired=d.unpaired,
        spread=math.fsum((mean - observed) ** 2 for mean in means),
    )


def _entity_means(entity: npt.NDArray[np.int64], values: Floats) -> list[float]:
    """Return the mean per entity. `math.fsum` rounds once, so no order of requests changes a bit."""
    listed = values.tolist()
    bounds = np.flatnonzero(np.diff(entity)) + 1
    starts, ends = [0, *bounds.tolist()], [*bounds.tolist(), len(listed)]
    return [math.fsum(listed[a:b]) / (b - a) for a, b in zip(starts, ends, strict=True) if b > a]


def _unit_sum(d: _Differences) -> UnitSum:
    return UnitSum(
        worst=_on_grid(np.ceil(d.worst * GRID)),
        best=_on_grid(np.floor(d.best * GRID)),
        missing=int((~d.known).sum()),
        excluded=d.excluded,
        unpaired=d.unpaired,
    )


def _on_grid(values: Floats) -> tuple[tuple[int, int], ...]:
    cells, counts = np.unique(values.astype(np.int64), return_counts=True)
    return tuple(zip(cells.tolist(), counts.tolist(), strict=True))
