"""Paired losses: blocks that share their shocks, or single requests that proved independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date
from math import fsum, inf, isclose, isfinite

import numpy as np

from headgate.errors import EvidenceError
from headgate.evidence import BlockSum, EvidenceRow, UnitSum
from headgate.gates.finding import Finding, Trail
from headgate.gates.paired_words import Shown, notes, seen
from headgate.gates.questions import Question
from headgate.gates.rows import counted, merged
from headgate.plan.applies import label_chance, loss_range
from headgate.plan.model import Gate, Plan, Unit, is_capped
from headgate.stats.betting import Batches
from headgate.stats.blocks import FEWEST_BLOCKS, LARGEST_DESIGN_EFFECT, autocorrelation, design_effect
from headgate.stats.display import mean_interval
from headgate.stats.grid import STEPS, Counts, on_grid
from headgate.stats.mixture import mixture_from_any_start
from headgate.stats.paired import Design, advance_evidence, harm_wealth

#: A block's value is clipped to this part of the range of the loss, unless the plan says to what.
_BLOCK_BOUND = 0.2


def judge_blocks(
    question: Question, plan: Plan, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]
) -> Finding:
    """Return the finding of a paired loss in blocks: each block is one value, clipped to the bound.

    Audited blocks are not clipped: a clipped mean of A/q x D is not the mean of a clipped D. They are
    bounded by the range of the loss over q instead.

    Raises
    ------
    EvidenceError
        If a block comes twice, is no finite number or has another cap, or the gate's design makes no bet.
    """
    gate, q = question.gate, label_chance(plan)
    everything, advancing = _blocks(rows), _blocks(fresh)
    largest = _largest(gate, plan, everything)
    if largest is None:  # no cap is known before the first block it judges
        return Finding(unit="blocks")
    clip = inf if q < 1 else min(plan.unit.block_bound or _BLOCK_BOUND * largest, largest)
    limit = min(clip, largest / q)
    design = _design(question, limit)
    if not everything:
        return Finding(unit="blocks")
    worst, best = (np.clip([getattr(b, side) for b in everything], -clip, clip) for side in ("worst", "best"))
    bets = np.clip([b.worst for b in advancing], -clip, clip)
    labelled = [b for b in everything if b.entities]
    means = [min(max(b.observed, -clip), clip) for b in labelled]
    estimate = fsum(means) / len(means) if means else None
    interval = mean_interval(Batches.single(best), Batches.single(worst), limit)
    shown = Shown.of(gate, estimate, *interval)
    return Finding(
        Trail(advance_evidence(Batches.single(bets), design), np.arange(1.0, len(advancing) + 1)),
        _harm(Batches.single(best), design),
        shown.estimate,
        shown.lower,
        shown.upper,
        unit="blocks",
        seen=seen(gate, shown, largest),
        notes=notes(gate, plan, everything, largest, clip),
        design_effect=_block_effect(labelled),
        autocorrelation=autocorrelation([b.observed for b in labelled]),
    )


def judge_units(
    question: Question, plan: Plan, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]
) -> Finding:
    """Return the finding of a paired loss whose requests are units (``block: none``).

    The design effect is measured by grouping the hours into UTC days: while it is above 1.5 single
    requests are refused, and before five days of data it is not known, so nothing is judged, unless
    the plan says ``independent``.
    """
    gate = question.gate
    hours = merged(rows, UnitSum)
    scale = _scale(gate, plan, [sums for _, sums in hours])
    if scale is None:
        return Finding()
    design = _design(question, scale)
    if gate.variance is not None:
        # The plan's variance counts for two requests on which the sides differ entirely.
        design = replace(design, trust=2 * scale * scale / gate.variance)
    worst, best = (_all([getattr(sums, side) for _, sums in hours]) for side in ("worst", "best"))
    if not worst:
        return Finding()
    means, predicted = _days(hours, scale)
    effect = design_effect(means, predicted)
    fault, wait = _refusal(plan.unit, effect)
    bets = on_grid([sums.worst for _, sums in merged(fresh, UnitSum)], scale)
    harms = on_grid([sums.best for _, sums in hours], scale)
    judged = not (fault or wait)
    advance = advance_evidence(bets, design) if judged else np.zeros(bets.counts.shape[-1])
    interval = mean_interval(on_grid([best], scale), on_grid([worst], scale), scale)
    shown = Shown.of(gate, (_mean(worst) + _mean(best)) / 2 * scale, *interval)
    largest = scale * label_chance(plan)
    return Finding(
        Trail(advance, np.cumsum(bets.units())),
        _harm(harms, design) if judged else Trail(np.zeros(len(hours)), np.cumsum(harms.units())),
        shown.estimate,
        shown.lower,
        shown.upper,
        seen=seen(gate, shown, largest),
        notes=notes(gate, plan, [sums for _, sums in hours], largest, inf),
        design_effect=effect,
        autocorrelation=autocorrelation(means),
        fault=fault,
        wait=wait,
    )


def _harm(differences: Batches, design: Design) -> Trail:
    wealth = harm_wealth(differences, design)
    return Trail(mixture_from_any_start(wealth), np.cumsum(differences.units()), wealth)


def _named(gate: Gate, plan: Plan) -> float | None:
    """Return the largest loss where the plan or the metric says it; None where it was frozen."""
    if gate.cap is not None and gate.payoff is None:
        return gate.cap
    return None if is_capped(gate, plan) else loss_range(gate, plan)


def _largest(gate: Gate, plan: Plan, blocks: Sequence[BlockSum]) -> float | None:
    """Return the largest loss of one request; None where it is a cap and no block was judged yet."""
    named, caps = _named(gate, plan), {b.cap for b in blocks if b.cap is not None}
    if len(caps | ({named} if caps and named is not None else set())) > 1:
        raise EvidenceError(f"blocks were summed with different caps: {sorted(caps)}, the plan says {named}")
    return next(iter(caps), named)


def _scale(gate: Gate, plan: Plan, hours: Sequence[UnitSum]) -> float | None:
    """Return the largest difference of a unit, weighted; None where no hour tells it."""
    named, scales = _named(gate, plan), {sums.scale for sums in hours}
    expected = None if named is None else named / label_chance(plan)
    found = next(iter(scales), expected)
    if len(scales) > 1 or (found is not None and expected is not None and not isclose(found, expected)):
        raise EvidenceError(f"hours stand on grids of {sorted(scales)}; the plan's is {expected}")
    return found


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
    """Return the mean in units of the scale."""
    return sum(index * count for index, count in counts) / sum(count for _, count in counts) / STEPS


def _design(question: Question, limit: float) -> Design:
    gate = question.gate
    if question.limit is None:
        raise EvidenceError(f"the gate needs a margin; {gate.metric.value} has none")
    return Design(question.limit, limit, gate.expect, gate.harm, gate.variance)


def _blocks(rows: Sequence[EvidenceRow]) -> list[BlockSum]:
    """Return the blocks that hold anything. One in which an audit drew nobody holds a 0 and counts."""
    blocks = [sums for _, sums in merged(rows, BlockSum) if sums.entities or sums.missing]
    for block in blocks:
        shown = block.observed if block.entities else 0.0
        if not all(isfinite(value) for value in (block.worst, block.best, block.spread, shown)):
            raise EvidenceError(f"a block holds a value that is no finite number: {block}")
    return blocks


def _block_effect(blocks: Sequence[BlockSum]) -> float | None:
    several = [b for b in blocks if b.entities > 1]
    predicted = [b.spread / (b.entities - 1) / b.entities for b in several]
    return design_effect([b.observed for b in several], predicted)


def _days(hours: Sequence[tuple[EvidenceRow, UnitSum]], scale: float) -> tuple[list[float], list[float]]:
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
        means.append(mean / STEPS * scale)
        predicted.append(square / (n - 1) / n * (scale / STEPS) ** 2)
    return means, predicted
