"""Losses and amounts of which each entity shows one side's alone, in a live split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isclose, isfinite, sqrt

import numpy as np

from headgate.errors import EvidenceError
from headgate.evidence import EvidenceRow
from headgate.gates.arms import Seen, seen_of, shared_shocks
from headgate.gates.finding import Finding, Trail
from headgate.gates.paired_words import Shown, seen
from headgate.gates.questions import Question
from headgate.gates.rows import joined
from headgate.plan.applies import MONEY, columns_of, label_chance, loss_range
from headgate.plan.model import Audit, Gate, Metric, Plan, is_capped
from headgate.stats import ratio, unpaired
from headgate.stats.betting import Batches, ordered_sum
from headgate.stats.blocks import FEWEST_BLOCKS, LARGEST_DESIGN_EFFECT, autocorrelation
from headgate.stats.display import ALPHA, mean_interval, mean_limit

#: Standard errors above 1 before events are refused as units: by chance one look in a thousand would.
_SURENESS = 3.0


def judge_unpaired(
    question: Question, plan: Plan, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]
) -> Finding:
    """Return the finding of a gate that compares the arms of the split, by a margin or by a ratio.

    Blocks are units where the plan has blocks. Entities are under ``block: none``, and for a ratio
    always: what a block does to both sides alike cancels there.

    Raises
    ------
    EvidenceError
        If rows stand on different grids, a loss passes its range, or the gate's design makes no bet.
    """
    gate, blocks = question.gate, plan.unit.block != "none"
    rare = gate.ratio is not None
    found = seen_of(rows, fresh, blocks=blocks)
    unit = "blocks" if blocks and not rare else "entities"
    if found is None:
        return Finding(unit=unit, seen=_nothing(gate))
    if not found.rows:
        return Finding(unit=unit, seen="too few entities of one side so far")
    effect, values = shared_shocks(found, blocks=blocks)
    judged = _by_ratio(question, found) if rare else _by_margin(question, plan, found, blocks=blocks)
    fault, wait = ("", "") if blocks and not rare else _refusal(plan, found, effect, len(values), rare=rare)
    if fault or wait:
        judged = replace(judged, advance=_still(judged.advance), rollback=_still(judged.rollback))
    return replace(
        judged,
        unit=unit,
        notes=_notes(plan, found),
        design_effect=effect,
        autocorrelation=autocorrelation(values),
        fault=fault,
        wait=wait,
    )


def _by_margin(question: Question, plan: Plan, found: Seen, *, blocks: bool) -> Finding:
    design = _design(question, plan, found.scale)
    worst, best = found.arms("worst"), found.arms("best")
    evidence = unpaired.block_evidence if blocks else unpaired.unit_evidence
    advance = evidence(worst, design, harm=False, counted=found.fresh)[found.fresh]
    rollback = evidence(best, design, harm=True)
    units = np.ones(len(found.rows)) if blocks else found.entities()
    shown = Shown.of(question.gate, *_estimate(found, design, blocks=blocks))
    return Finding(
        Trail(advance, np.cumsum(units[found.fresh])),
        Trail(rollback, np.cumsum(units)),
        shown.estimate,
        shown.lower,
        shown.upper,
        seen=seen(question.gate, shown, found.scale),
    )


def _by_ratio(question: Question, found: Seen) -> Finding:
    limit = question.gate.ratio or 0.0
    worst, best = (_events(found, reading) for reading in ("worst", "best"))
    units = found.entities()
    shown = found.among(_shown(found))
    high, _, upper = ratio.ratio_interval(_events(shown, "worst"), ALPHA)
    low, lower, _ = ratio.ratio_interval(_events(shown, "best"), ALPHA)
    estimate = None if high is None or low is None else sqrt(high * low)
    told = "is not known yet" if estimate is None else f"is {estimate:.2f} x the incumbent's"
    most = f"{upper:.2f}" if isfinite(upper) else "any"
    return Finding(
        Trail(ratio.advance_evidence(worst, limit, found.fresh)[found.fresh], np.cumsum(units[found.fresh])),
        Trail(ratio.rollback_evidence(best, limit), np.cumsum(units)),
        estimate,
        lower,
        upper if isfinite(upper) else None,
        seen=f"candidate's error rate {told} (95 % {lower:.2f}..{most}), at most {limit:g} x",
    )


def _design(question: Question, plan: Plan, scale: float) -> unpaired.Design:
    gate = question.gate
    if question.limit is None:
        raise EvidenceError(f"the gate needs a margin; {gate.metric.value} has none")
    low, high = _range(gate, plan, scale)
    return unpaired.Design(question.limit, gate.expect, gate.harm, gate.variance, low, high)


def _range(gate: Gate, plan: Plan, scale: float) -> tuple[float, float]:
    """Return the least and largest loss of an entity, weighed by the audit; larger is worse."""
    q = label_chance(plan)
    if gate.metric in MONEY and gate.payoff is None:
        _same(gate.cap, scale)
        return (-scale if gate.metric is Metric.VALUE else 0.0), scale
    if gate.payoff is not None:
        worth = list(gate.payoff.model_dump().values())
        low, high = -max(worth), -min(worth)
        # A request that was not drawn counts 0.
        return (low, high) if q == 1 else (min(low, 0.0) / q, max(high, 0.0) / q)
    named = gate.cap if is_capped(gate, plan) else loss_range(gate, plan)
    _same(None if named is None else named / q, scale)
    return 0.0, scale


def _same(named: float | None, scale: float) -> None:
    if named is not None and not isclose(named, scale):
        raise EvidenceError(f"arms were summed on a grid of {scale}; the plan's is {named}")


def _events(found: Seen, reading: str) -> ratio.Events:
    """Return entities and events; an entity's mean over its requests is a fraction of one."""
    arms = found.arms(reading)
    sums = [
        (side.units(), ordered_sum(side.counts * side.values) / found.scale)
        for side in (arms.candidate, arms.incumbent)
    ]
    return ratio.Events(*sums[0], *sums[1])


def _shown(found: Seen) -> unpaired.BoolArray:
    """Return which batches an estimate over entities is of: at the last share, on this step if it has any.

    Arms are never added up over a ramp: what changed in time would look like a difference of sides.
    """
    those = found.fresh if found.fresh.any() else np.ones_like(found.fresh)
    last = found.rows[int(np.flatnonzero(those)[-1])][0]
    same = [(row.entry, row.share_bp) == (last.entry, last.share_bp) for row, _ in found.rows]
    return np.logical_and(those, same)


def _estimate(found: Seen, design: unpaired.Design, *, blocks: bool) -> tuple[float | None, float, float]:
    """Return the difference with its limits: the mean of the blocks', or of the entities of one stay."""
    if blocks:
        readings = [unpaired.differences(found.arms(reading)) for reading in ("worst", "best")]
        worst, best = (values[np.isfinite(values)] for values in readings)
        limits = mean_interval(Batches.single(best), Batches.single(worst), design.spread)
        return (float(np.mean(worst) + np.mean(best)) / 2 if worst.size else None), *limits
    shown = found.among(_shown(found))
    whole, *rest = shown.sums
    for sums in rest:
        whole = joined(whole, sums)
    pooled = replace(shown, rows=((shown.rows[0][0], whole),), fresh=shown.fresh[:1])
    worst_arms, best_arms = pooled.arms("worst"), pooled.arms("best")
    upper = _most(worst_arms.candidate, design) + _most(
        _mirrored(worst_arms.incumbent), design, mirrored=True
    )
    lower = -_most(_mirrored(best_arms.candidate), design, mirrored=True) - _most(best_arms.incumbent, design)
    between = [float(unpaired.differences(arms)[0]) for arms in (worst_arms, best_arms)]
    return sum(between) / 2, max(lower, -design.spread), min(upper, design.spread)


def _most(side: Batches, design: unpaired.Design, *, mirrored: bool = False) -> float:
    """Return an upper limit of a side's mean; four of them make an interval of a difference."""
    return mean_limit(side, -design.low if mirrored else design.high, ALPHA / 4)


def _mirrored(side: Batches) -> Batches:
    return Batches(-side.values, side.counts)


def _refusal(plan: Plan, found: Seen, effect: float | None, groups: int, *, rare: bool) -> tuple[str, str]:
    """Return why entities are no units: for good, or not known yet; both empty where they are.

    Of rare events few make the design effect, so it must pass what noise explains (`headgate.stats.hours`).
    """
    if plan.unit.independent:
        return "", ""
    if effect is None:
        told = f"before {FEWEST_BLOCKS} days with entities on both sides show that they are independent"
        return "", "" if rare else f"entities are not judged {told}"
    most = LARGEST_DESIGN_EFFECT
    if rare:
        events = _events(found, "worst")
        few = max(min(float(np.sum(events.e1)), float(np.sum(events.e0))), 1.0)
        most = max(most, 1 + _SURENESS * sqrt(2 / (groups - 1) + 1 / few))
    if effect <= most:
        return "", ""
    remedy = "compare them by a margin" if rare else "give the plan a block, e.g. 1d"
    return (
        f"entities of a side and day share their shocks (design effect {effect:.1f}, at most {most:.1f} "
        f"where entities are counted); {remedy}"
    ), ""


def _still(trail: Trail) -> Trail:
    """Return a trail that bets nothing."""
    return replace(trail, log_e=np.zeros_like(trail.log_e))


def _notes(plan: Plan, found: Seen) -> tuple[str, ...]:
    notes = []
    arms = found.arms("worst")
    n1, n0 = (int(np.sum(side.counts)) for side in (arms.candidate, arms.incumbent))
    notes.append(f"{n1} entities met the candidate first, {n0} the incumbent")
    for field, words in (
        ("missing", "labels missing, taken at their worst"),
        ("excluded", "unlabelled requests excluded by the plan"),
        ("unanswered", "requests without a usable answer of their side left out"),
        ("capped", f"losses capped at {found.scale:.6g}"),
    ):
        count = sum(getattr(sums, field) for sums in found.sums)
        if count:
            notes.append(f"{count} {words}")
    if isinstance(plan.outcomes.missing, Audit):
        notes.append(f"labels of {100 * plan.outcomes.missing.audit:.3g} % of the requests audited")
    if found.exhausted:
        notes.append("every entity has been seen: waits for new ones")
    return tuple(notes)


def _nothing(gate: Gate) -> str:
    """Return what is not there yet."""
    if gate.metric in MONEY and gate.payoff is None:
        return (
            f"no entity of a live split with a number in {' or '.join(columns_of(gate))} of the exchanges yet"
        )
    return "no entity has met the live split yet"
