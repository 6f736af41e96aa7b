"""Unpaired losses and amounts of one closed batch of a live split: each entity by the side it met first.

A sticky split makes an entity's own level persist, so every entity counts once per rollout: in the batch
of its first exposure, by its mean over that batch's requests at the share of the first of them. Which
side it belongs to is decided by that first request; what a request lost is what the side lost that
served it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from headgate.compare.closed_rows import ClosedRows, parts_asked
from headgate.compare.losses import cap_of, capped, losses
from headgate.compare.money import usable_amounts
from headgate.compare.pairs import Batch, Floats, Mask
from headgate.compare.sides import is_split
from headgate.errors import InputError
from headgate.evidence import Entry, EvidenceRow, RateSum, Source, UnpairedSum
from headgate.plan.applies import MONEY, is_unpaired, label_chance, loss_range
from headgate.plan.model import Exclude, Gate, Plan, is_capped
from headgate.routing import FULL_BP
from headgate.stats.grid import STEPS, counts_of


def unpaired_rows(
    plan: Plan, batch: Batch, span: tuple[datetime, datetime], stay: Entry, caps: Mapping[str, float]
) -> list[EvidenceRow]:
    """Return the sums of every gate that compares the arms of the split, over one closed span.

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
        Per gate, segment and share in force an `UnpairedSum`, and per capped gate a `RateSum` of the
        candidate's losses above the cap. A span with requests in a split, and no entity that is new to
        it, has one empty row per gate: it says that waiting brings nothing. No row where a gate has no
        cap yet, or its amounts have no column.
    """
    gates = [gate for gate in plan.gates if is_unpaired(gate, plan)]
    exposed = _exposed(batch)
    if not gates or exposed is None:
        return []
    rows: list[EvidenceRow] = []
    for gate in gates:
        cap = cap_of(gate, caps.get(gate.name))
        column_missing = _column(gate) not in (None, *batch.amounts)
        if column_missing or (cap is None and is_capped(gate, plan)):
            continue
        found = _found(plan, gate, batch, exposed, cap)
        told = ClosedRows(gate, span[0], stay, Source.PLANE)
        for segment, members in parts_asked(plan, gate, batch):
            inside = members[exposed.first]
            for share in _shares(exposed, inside, stay, batch, whole=segment is None):
                one = _sum(found, exposed, inside & (exposed.share == share), _scale(plan, gate, cap))
                told.add(segment, one, share)
        for share in np.unique(exposed.share).tolist() if is_capped(gate, plan) else ():
            if (above := _above(found, exposed, share)).n:
                told.add_capped(above, share)
        rows += told.rows
    return rows


@dataclass(frozen=True, slots=True)
class _Exposed:
    """The g entities that met the split in this batch first, and their m requests that count.

    Attributes
    ----------
    first, share, ours
        Shape (g,): place of the entity's first request, the share then, and whether it is the candidate's.
    request, entity
        Shape (m,): place in the batch, and which of the g entities it is of.
    """

    first: npt.NDArray[np.intp]
    share: npt.NDArray[np.int32]
    ours: Mask
    request: npt.NDArray[np.intp]
    entity: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Found:
    """What the m requests lost, all of shape (m,); weighed by A / q where labels are audited.

    ``against`` and ``favouring`` the candidate differ only where a label is missing; ``counted`` says
    which requests are in.
    """

    against: Floats
    favouring: Floats
    counted: Mask
    missing: Mask
    excluded: Mask
    unanswered: Mask
    known: Mask
    above: Mask
    served: Mask


def _exposed(batch: Batch) -> _Exposed | None:
    """Return who met the split in this batch first; None where no request was in a split."""
    split = is_split(batch.share_bp)
    if not split.any():
        return None
    place = np.flatnonzero(split & ~batch.exposed_before)
    # Entities stand together, and sorting keeps the order of request ids at the same moment.
    whose = batch.entity[place]
    begins = np.ones(len(place), dtype=np.bool_)
    begins[1:] = whose[1:] != whose[:-1]
    entity = np.cumsum(begins) - 1
    in_time = np.lexsort((batch.at[place], entity))
    first = place[in_time[begins]]
    share = batch.share_bp[first]
    same = batch.share_bp[place] == share[entity]
    return _Exposed(first, share, batch.candidate_side[first], place[same], entity[same])


def _shares(exposed: _Exposed, inside: Mask, stay: Entry, batch: Batch, *, whole: bool) -> list[int]:
    """Return the shares that get a row; where nobody is new, the one of the split all the same."""
    shares: list[int] = np.unique(exposed.share[inside]).tolist()
    if shares or not whole:
        return shares
    if 0 < stay.share_bp < FULL_BP:
        return [stay.share_bp]
    return [int(batch.share_bp[is_split(batch.share_bp)].min())]


def _found(plan: Plan, gate: Gate, batch: Batch, exposed: _Exposed, cap: float | None) -> _Found:
    place = exposed.request
    served, ours = batch.candidate_side[place], exposed.ours[exposed.entity]
    if gate.metric in MONEY and gate.payoff is None:
        return _amounts(gate, batch, place, served, cap)
    answer = np.where(served, batch.candidate[place], batch.incumbent[place])
    answered, label, drawn = np.isfinite(answer), batch.label[place], batch.drawn[place]
    sought = answered & drawn
    known, missing = sought & ~np.isnan(label), sought & np.isnan(label)
    lost = np.zeros(len(place))
    if known.any():
        lost[known] = losses(gate, plan, answer[known], label[known])
    above = known & (lost > cap) if cap is not None else np.zeros(len(place), dtype=np.bool_)
    against = capped(lost, cap)
    favouring = against.copy()
    if missing.any():
        least, most = _bounds(plan, gate, answer[missing], cap)
        mine = ours[missing]
        against[missing], favouring[missing] = np.where(mine, most, least), np.where(mine, least, most)
    excluded = missing if isinstance(plan.outcomes.missing, Exclude) else np.zeros_like(missing)
    q = label_chance(plan)
    return _Found(
        against / q, favouring / q, answered & ~excluded, missing & ~excluded, excluded, ~answered,
        known, above, served,
    )  # fmt: skip


def _amounts(
    gate: Gate, batch: Batch, place: npt.NDArray[np.intp], served: Mask, cap: float | None
) -> _Found:
    """Return the same of what each request cost or was worth; no label is waited for."""
    incumbent, candidate = (side[place] for side in batch.amounts[_column(gate) or ""])
    lost, above = usable_amounts(gate, np.where(served, candidate, incumbent), cap)
    known, none = np.isfinite(lost), np.zeros(len(place), dtype=np.bool_)
    lost = np.where(known, lost, 0.0)
    return _Found(lost, lost, known, none, none, ~known, known, above, served)


def _bounds(plan: Plan, gate: Gate, answer: Floats, cap: float | None) -> tuple[Floats, Floats]:
    """Return the least and the most an answer can have lost, over every label there could be."""
    if plan.prediction.kind != "number":
        zero, one = (
            capped(losses(gate, plan, answer, label), cap)
            for label in (np.zeros_like(answer), np.ones_like(answer))
        )
        return np.minimum(zero, one), np.maximum(zero, one)
    if cap is None:
        raise InputError(f"{gate.name}: a loss of numbers without a cap has no bound; give the gate a cap")
    return np.zeros_like(answer), np.full_like(answer, cap)


def _sum(found: _Found, exposed: _Exposed, entities: Mask, scale: float) -> UnpairedSum:
    inside = entities[exposed.entity]
    used = inside & found.counted
    n = np.bincount(exposed.entity[used], minlength=len(entities))
    # Strictly in the order of (entity, request id), so the bits do not depend on the order of the rows.
    against, favouring = (
        np.bincount(exposed.entity[used], weights=side[used], minlength=len(entities)) / np.maximum(n, 1)
        for side in (found.against, found.favouring)
    )
    ours, theirs = exposed.ours & (n > 0), ~exposed.ours & (n > 0)
    return UnpairedSum(
        candidate_worst=counts_of(np.ceil(against[ours] / scale * STEPS)),
        candidate_best=counts_of(np.floor(favouring[ours] / scale * STEPS)),
        incumbent_worst=counts_of(np.floor(against[theirs] / scale * STEPS)),
        incumbent_best=counts_of(np.ceil(favouring[theirs] / scale * STEPS)),
        missing=int((inside & found.missing).sum()),
        excluded=int((inside & found.excluded).sum()),
        unanswered=int((inside & found.unanswered).sum()),
        scale=scale,
        capped=int((used & found.above).sum()),
    )


def _above(found: _Found, exposed: _Exposed, share: int) -> RateSum:
    """Return how many of the candidate's known losses are above the cap."""
    among = found.known & found.served & (exposed.share[exposed.entity] == share)
    return RateSum(int(among.sum()), int((among & found.above).sum()))


def _column(gate: Gate) -> str | None:
    """Return which amount the gate reads; None where it reads answers."""
    return gate.metric.value if gate.metric in MONEY and gate.payoff is None else None


def _scale(plan: Plan, gate: Gate, cap: float | None) -> float:
    return (loss_range(gate, plan) if cap is None else cap) / (1.0 if _column(gate) else label_chance(plan))
