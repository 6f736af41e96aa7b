"""Paired losses: blocks that share their shocks, or single requests that proved independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date
from math import fsum, isfinite

import numpy as np

from headgate.errors import EvidenceError
from headgate.evidence import BlockSum, EvidenceRow, UnitSum
from headgate.gates.finding import Finding, Trail
from headgate.gates.questions import Question
from headgate.gates.rows import counted, merged
from headgate.plan.model import Metric, Unit
from headgate.stats.betting import Batches
from headgate.stats.blocks import FEWEST_BLOCKS, LARGEST_DESIGN_EFFECT, autocorrelation, design_effect
from headgate.stats.display import mean_interval
from headgate.stats.paired import Design, advance_evidence, rollback_evidence

_GRID = 2.0**-12
#: (grid index, count), sorted by index.
Counts = tuple[tuple[int, int], ...]
_METRICS = {Metric.BRIER: "Brier score", Metric.ZERO_ONE: "error rate (0/1 loss)"}
#: Both losses lie in [0, 1], so one request's difference lies in [-1, 1].
_RANGE = 1.0


def judge_blocks(
    question: Question, unit: Unit, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]
) -> Finding:
    """Return the finding of a paired loss in blocks: each block is one value, clipped to the bound.

    Raises
    ------
    EvidenceError
        If a block comes twice, is no finite number, or the gate's design makes no bet.
    """
    design = _design(question, unit.block_bound)
    everything, advancing = _blocks(rows), _blocks(fresh)
    if not everything:
        return Finding(unit="blocks")
    limit = unit.block_bound
    worst, best = (
        np.clip([getattr(b, side) for b in everything], -limit, limit) for side in ("worst", "best")
    )
    bets = np.clip([b.worst for b in advancing], -limit, limit)
    labelled = [b for b in everything if b.pairs]
    means = [min(max(b.observed, -limit), limit) for b in labelled]
    lower, upper = mean_interval(Batches.single(best), Batches.single(worst), limit)
    estimate = fsum(means) / len(means) if means else None
    return Finding(
        Trail(advance_evidence(Batches.single(bets), design), np.arange(1.0, len(advancing) + 1)),
        Trail(rollback_evidence(Batches.single(best), design), np.arange(1.0, len(everything) + 1)),
        estimate,
        lower,
        upper,
        unit="blocks",
        seen=_seen(question, estimate, lower, upper),
        notes=_notes(everything, limit),
        design_effect=_block_effect(labelled),
        autocorrelation=autocorrelation([b.observed for b in labelled]),
    )


def judge_units(
    question: Question, unit: Unit, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]
) -> Finding:
    """Return the finding of a paired loss whose requests are units (``block: none``).

    The design effect is measured by grouping the hours into UTC days: while it is above 1.5 single
    requests are refused, and before five days of data it is not known, so nothing is judged, unless
    the plan says ``independent``.
    """
    design = _design(question, _RANGE)
    if question.gate.variance is not None:
        # The plan's variance counts for two requests on which the sides differ entirely.
        design = replace(design, trust=2 / question.gate.variance)
    hours = merged(rows, UnitSum)
    worst, best = (_all([getattr(sums, side) for _, sums in hours]) for side in ("worst", "best"))
    if not worst:
        return Finding()
    means, predicted = _days(hours)
    effect = design_effect(means, predicted)
    fault, wait = _refusal(unit, effect)
    bets = _counts([sums.worst for _, sums in merged(fresh, UnitSum)])
    harms = _counts([sums.best for _, sums in hours])
    judged = not (fault or wait)
    advance = advance_evidence(bets, design) if judged else np.zeros(bets.counts.shape[-1])
    rollback = rollback_evidence(harms, design) if judged else np.zeros(harms.counts.shape[-1])
    lower, upper = mean_interval(_counts([best]), _counts([worst]), _RANGE)
    estimate = (_mean(worst) + _mean(best)) / 2
    return Finding(
        Trail(advance, np.cumsum(bets.units())),
        Trail(rollback, np.cumsum(harms.units())),
        estimate,
        lower,
        upper,
        seen=_seen(question, estimate, lower, upper),
        notes=_notes([sums for _, sums in hours], _RANGE),
        design_effect=effect,
        autocorrelation=autocorrelation(means),
        fault=fault,
        wait=wait,
    )


def _refusal(unit: Unit, effect: float | None) -> tuple[str, str]:
    """Return why single requests are no units: for good, or not known yet; both empty where they are."""
    if unit.independent:
        return "", ""
    if effect is None:
        return (
            "",
            f"single requests are not judged before {FEWEST_BLOCKS} days show that they are independent",
        )
    if effect <= LARGEST_DESIGN_EFFECT:
        return "", ""
    return (
        f"requests of a day share their shocks (design effect {effect:.1f}, at most "
        f"{LARGEST_DESIGN_EFFECT} for block: none); give the plan a block, e.g. 1d"
    ), ""


def _all(hours: Sequence[Counts]) -> Counts:
    """Return the counts of all hours together; empty where nothing was counted."""
    if any(count < 0 for hour in hours for _, count in hour):
        raise EvidenceError("an hour holds a negative count of differences")
    return tuple((index, count) for index, count in counted(pair for hour in hours for pair in hour) if count)


def _mean(counts: Counts) -> float:
    return sum(index * count for index, count in counts) / sum(count for _, count in counts) * _GRID


def _design(question: Question, limit: float) -> Design:
    gate = question.gate
    if question.limit is None:
        raise EvidenceError(f"the gate needs a margin; {gate.metric.value} has none")
    return Design(question.limit, limit, gate.expect, gate.harm, gate.variance)


def _blocks(rows: Sequence[EvidenceRow]) -> list[BlockSum]:
    """Return the blocks that hold anything: one without a pair or a missing label says nothing."""
    blocks = [sums for _, sums in merged(rows, BlockSum) if sums.pairs or sums.missing]
    for block in blocks:
        shown = block.observed if block.pairs else 0.0
        if not all(isfinite(value) for value in (block.worst, block.best, block.spread, shown)):
            raise EvidenceError(f"a block holds a value that is no finite number: {block}")
    return blocks


def _block_effect(blocks: Sequence[BlockSum]) -> float | None:
    several = [b for b in blocks if b.entities > 1]
    predicted = [b.spread / (b.entities - 1) / b.entities for b in several]
    return design_effect([b.observed for b in several], predicted)


def _counts(hours: Sequence[Counts]) -> Batches:
    """Return counts on the grid as batches, padded with nothing to the widest hour."""
    widest = max((len(hour) for hour in hours), default=0)
    values, counts = np.zeros((widest, len(hours))), np.zeros((widest, len(hours)))
    for at, hour in enumerate(hours):
        for place, (index, count) in enumerate(hour):
            values[place, at], counts[place, at] = index * _GRID, count
    return Batches(values, counts)


def _days(hours: Sequence[tuple[EvidenceRow, UnitSum]]) -> tuple[list[float], list[float]]:
    """Return each UTC day's mean of D and the variance of that mean if requests were independent."""
    days: dict[date, dict[int, int]] = {}
    for row, sums in hours:
        counts = days.setdefault(row.batch.astimezone(UTC).date(), {})
        for index, count in sums.worst:
            counts[index] = counts.get(index, 0) + count
    means, predicted = [], []  # of days with two requests or more: one has no spread
    for day in sorted(days):
        n = sum(days[day].values())
        if n < 2:
            continue
        mean = sum(index * count for index, count in days[day].items()) / n
        square = fsum(count * (index - mean) ** 2 for index, count in days[day].items())
        means.append(mean * _GRID)
        predicted.append(square / (n - 1) / n * _GRID**2)
    return means, predicted


def _seen(question: Question, estimate: float | None, lower: float, upper: float) -> str:
    metric = _METRICS[question.gate.metric]
    if estimate is None:
        return f"candidate's {metric} is not known yet (no label)"
    if estimate <= 0:
        return f"candidate's {metric} is {-estimate:.4f} lower (95 % {-upper:.4f}..{-lower:.4f})"
    return f"candidate's {metric} is {estimate:.4f} higher (95 % {lower:.4f}..{upper:.4f})"


def _notes(sums: Sequence[BlockSum] | Sequence[UnitSum], limit: float) -> tuple[str, ...]:
    notes = []
    clipped = sum(1 for b in sums if isinstance(b, BlockSum) and max(abs(b.worst), abs(b.best)) > limit)
    if clipped:
        notes.append(f"{clipped} of {len(sums)} blocks clipped at {limit:g}")
    for field, words in (
        ("missing", "labels missing, taken at their worst"),
        ("excluded", "unlabelled requests excluded by the plan"),
        ("unpaired", "requests without both answers left out"),
    ):
        count = sum(getattr(b, field) for b in sums)
        if count:
            notes.append(f"{count} {words}")
    return tuple(notes)
