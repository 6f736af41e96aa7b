"""Paired losses of one closed block of time, or of one closed hour of independent requests.

Both sides answered the same requests, so each request gives one difference D = candidate loss minus
incumbent loss. A missing label is bounded by all labels it could have been. Under an audit a request
counts D / q where its label was to be sought, and 0 where it was not: the mean stays the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from headgate.compare.closed_rows import ClosedRows, parts_asked
from headgate.compare.losses import cap_of, capped, difference_bounds, losses
from headgate.compare.pairs import Batch, Floats, Mask
from headgate.evidence import BlockSum, Entry, EvidenceRow, RateSum, Source, UnitSum
from headgate.plan.applies import is_paired_loss, label_chance, loss_range
from headgate.plan.model import Exclude, Gate, Plan, is_capped
from headgate.stats.exact import exact_sum
from headgate.stats.grid import STEPS, counts_of


def paired_rows(
    plan: Plan, batch: Batch, span: tuple[datetime, datetime], stay: Entry, caps: Mapping[str, float]
) -> list[EvidenceRow]:
    """Return the sums of every paired gate over one closed span, overall and per segment.

    Parameters
    ----------
    batch
        The requests of the span with the labels known when it closed.
    span
        [start, end), aware UTC: a block, or an hour under ``block: none``.
    stay
        The one in force at the span's start.
    caps
        Per gate the cap frozen before this span: see `headgate.compare.caps`.

    Returns
    -------
    list of EvidenceRow
        Per gate and segment a `BlockSum`, in the metric's unit and not clipped, or a `UnitSum`; per
        capped gate a `RateSum` of the candidate's losses above the cap. No row where no request has
        both answers, where the plan excludes every one that has for want of a label, or where the gate
        has no cap yet.

    Raises
    ------
    InputError
        If a loss function of one's own fails or returns what is no loss.
    """
    q = label_chance(plan)
    rows: list[EvidenceRow] = []
    for gate in plan.gates:
        cap = cap_of(gate, caps.get(gate.name))
        if not is_paired_loss(gate, plan) or (cap is None and is_capped(gate, plan)):
            continue
        request = np.flatnonzero(batch.paired)
        found, passed = _differences(plan, gate, batch, request, cap)
        told = ClosedRows(gate, span[0], stay, Source.SHADOW)
        for segment, members in parts_asked(plan, gate, batch):
            part = found.among(members[request], int((members & ~batch.paired).sum()))
            used = part.among(part.known) if isinstance(plan.outcomes.missing, Exclude) else part
            if len(used.entity):
                units = plan.unit.block == "none"
                one = _unit_sum(part, used, q, loss_range(gate, plan)) if units else _block_sum(part, used, q)
                told.add(segment, one)
        if is_capped(gate, plan) and found.known.any():
            told.add_capped(RateSum(int(found.known.sum()), passed))
        rows += told.rows
    return rows


@dataclass(frozen=True, slots=True)
class _Differences:
    """D of the m pairs of one gate, sorted by (entity, request id); all arrays are of shape (m,).

    Attributes
    ----------
    worst, best
        D, not weighted. They differ only where the label is missing; 0 where it was not to be sought.
    known, missing
        A label was sought, and it is there, or not.
    above
        How many of both sides' losses are known and above the cap.
    cap
        Largest loss counted; None: any.
    unpaired
        Requests of the same part without both answers.
    """

    entity: npt.NDArray[np.int64]
    worst: Floats
    best: Floats
    known: Mask
    missing: Mask
    above: npt.NDArray[np.int8]
    cap: float | None
    unpaired: int = 0

    def among(self, members: Mask, unpaired: int | None = None) -> _Differences:
        """Return those of the members, a mask of shape (m,)."""
        at = np.flatnonzero(members)
        return _Differences(
            self.entity.take(at),
            self.worst.take(at),
            self.best.take(at),
            self.known.take(at),
            self.missing.take(at),
            self.above.take(at),
            self.cap,
            self.unpaired if unpaired is None else unpaired,
        )


def _differences(
    plan: Plan, gate: Gate, batch: Batch, request: npt.NDArray[np.intp], cap: float | None
) -> tuple[_Differences, int]:
    """Return D of the pairs, places ``request`` of the batch, and the candidate's losses above the cap."""
    incumbent, candidate, label = (side[request] for side in (batch.incumbent, batch.candidate, batch.label))
    labelled, sought = ~np.isnan(label), batch.drawn[request]
    # Labels of requests that were not drawn are there for a reason, which may be the answer.
    known, missing = sought & labelled, sought & ~labelled
    lost = [losses(gate, plan, side[known], label[known]) for side in (candidate, incumbent)]
    worst = np.zeros(len(request))
    worst[known] = capped(lost[0], cap) - capped(lost[1], cap)
    best = worst.copy()
    if missing.any():
        best[missing], worst[missing] = difference_bounds(
            gate, plan, incumbent[missing], candidate[missing], cap
        )
    above, passed = np.zeros(len(request), dtype=np.int8), 0
    if cap is not None:
        above[known] = (lost[0] > cap).astype(np.int8) + (lost[1] > cap)
        passed = int((lost[0] > cap).sum())
    return _Differences(batch.entity[request], worst, best, known, missing, above, cap), passed


def _block_sum(part: _Differences, used: _Differences, q: float) -> BlockSum:
    worst, best, means = _entity_means(used, q)
    high = _mean(worst)
    low = high if best is worst else _mean(best)
    # Where nothing was observed (no entities, so it says) the bounds hold: shown is their middle.
    observed = high if means is worst else _mean(means) if len(means) else (high + low) / 2
    excluded = len(part.entity) - len(used.entity)
    with_excluded = _entity_means(part, q)[:2] if excluded else ()
    held = used.known | used.missing
    return BlockSum(
        worst=high,
        best=low,
        observed=observed,
        entities=len(means),
        pairs=int(used.known.sum()),
        missing=int(used.missing.sum()),
        excluded=excluded,
        unpaired=part.unpaired,
        spread=exact_sum((means - observed) ** 2),
        cap=used.cap,
        capped=int(used.above.sum()),
        largest=int(np.diff(_edges(used.entity[held])).max(initial=0)),
        worst_with_excluded=_mean(with_excluded[0]) if with_excluded else None,
        best_with_excluded=_mean(with_excluded[1]) if with_excluded else None,
    )


def _entity_means(d: _Differences, q: float) -> tuple[Floats, Floats, Floats]:
    """Return the mean per entity at its worst and best, and of what was observed where anything was."""
    edges = _edges(d.entity)
    worst = _means(edges, d.worst / q)
    if not d.missing.any():
        return worst, worst, worst
    unsure = np.logical_or.reduceat(d.missing, edges[:-1])
    there = d.among(np.repeat(unsure, np.diff(edges)))
    best = worst.copy()
    best[unsure] = _means(_edges(there.entity), there.best / q)
    shown = there.among(~there.missing)
    observed = _means(_edges(shown.entity), shown.worst / q)
    return worst, best, np.concatenate([worst[~unsure], observed])


def _edges(entity: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return where each entity begins, and the end of the last."""
    if not len(entity):
        return np.zeros(1, dtype=np.intp)
    changes = np.flatnonzero(np.diff(entity)) + 1
    return np.concatenate([np.zeros(1, dtype=np.intp), changes, np.array([len(entity)])])


def _means(edges: npt.NDArray[np.intp], values: Floats) -> Floats:
    """Return the mean per entity, each rounded once as by `math.fsum`."""
    starts, counts = edges[:-1], np.diff(edges)
    sums = values[starts]
    # Most entities come once or twice a block, and two numbers are rounded once by plain addition.
    twice = np.flatnonzero(counts == 2)
    sums[twice] += values[starts[twice] + 1]
    often = np.flatnonzero(counts > 2)
    if len(often):
        listed = values.tolist()
        spans = zip(edges[often].tolist(), edges[often + 1].tolist(), strict=True)
        sums[often] = [math.fsum(listed[start:end]) for start, end in spans]
    means: Floats = sums / counts
    return means


def _mean(values: Floats) -> float:
    """One rounding, so no order of requests changes a bit."""
    return exact_sum(values) / len(values)


def _unit_sum(part: _Differences, used: _Differences, q: float, largest: float) -> UnitSum:
    largest = largest if used.cap is None else used.cap
    # Divided first: a difference at its bound is exactly one, whatever the bound is.
    return UnitSum(
        worst=counts_of(np.ceil(used.worst / largest * STEPS)),
        best=counts_of(np.floor(used.best / largest * STEPS)),
        missing=int(used.missing.sum()),
        excluded=len(part.entity) - len(used.entity),
        unpaired=part.unpaired,
        scale=largest / q,
        capped=int(used.above.sum()),
    )
