"""Cost and value by column: both sides' amounts for the same request, capped, counted by the hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from headgate.errors import EvidenceError
from headgate.evidence import EvidenceRow, UnitSum
from headgate.gates.finding import Finding
from headgate.gates.operation import Evidence, by_unit
from headgate.gates.paired_words import Shown, seen
from headgate.gates.questions import Question
from headgate.gates.rows import counted, merged
from headgate.plan.applies import columns_of
from headgate.plan.model import Metric, Plan
from headgate.stats import amounts
from headgate.stats.betting import Batches
from headgate.stats.display import mean_interval
from headgate.stats.grid import on_grid
from headgate.stats.paired import Design, advance_evidence, rollback_evidence


def judge_money(
    question: Question, plan: Plan, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]
) -> Finding:
    """Return the finding of a cost or value: requests are units, unless those of an hour cost alike.

    Raises
    ------
    EvidenceError
        If hours stand on different grids, or the gate's design makes no bet.
    """
    gate = question.gate
    hours, now = ([sums for _, sums in merged(some, UnitSum) if sums.worst] for some in (rows, fresh))
    if not hours:
        set_by = "" if gate.cap is not None else " after those that set its cap"
        return Finding(seen=f"no exchange has both {' and '.join(columns_of(gate))}{set_by} yet")
    scale = _scale(gate.cap, hours)
    # A cost lies in [0, cap]; a value in [-cap, cap], so two of them are up to 2 caps apart.
    limit = 2 * scale if gate.metric is Metric.VALUE else scale
    if question.limit is None:
        raise EvidenceError(f"the gate needs a margin; {gate.metric.value} has none")
    design = Design(question.limit, limit, gate.expect, gate.harm, gate.variance)
    if gate.variance is not None:
        # The plan's variance counts for two requests on which the sides differ entirely.
        design = replace(design, trust=2 * limit * limit / gate.variance)
    finding = by_unit(
        question,
        _evidence(on_grid([s.worst for s in now], scale), design, harm=False),
        _evidence(on_grid([s.best for s in hours], scale), design, harm=True),
        alike="are worth alike" if gate.metric is Metric.VALUE else "cost alike",
    )
    shown = Shown.of(gate, *_estimate(now or hours, scale, limit, hourly=finding.unit == "hours"))
    return replace(
        finding,
        estimate=shown.estimate,
        lower=shown.lower,
        upper=shown.upper,
        seen=seen(gate, shown, scale),
        notes=(*finding.notes, *_notes(plan, hours, scale)),
    )


def _evidence(differences: Batches, design: Design, *, harm: bool) -> Evidence:
    found = amounts.hours(differences)
    by_request = (rollback_evidence if harm else advance_evidence)(differences, design)
    by_hour = amounts.hourly(found, design.margin, design.limit, harm=harm)
    return Evidence(by_request, by_hour, differences.units(), found)


def _estimate(
    hours: Sequence[UnitSum], scale: float, limit: float, *, hourly: bool
) -> tuple[float, float, float]:
    """Return the mean difference with its limits, over requests or over hours."""
    if hourly:
        worst, best = (on_grid([getattr(s, side) for s in hours], scale) for side in ("worst", "best"))
        high, low = amounts.hours(worst).value, amounts.hours(best).value
        limits = mean_interval(Batches.single(low), Batches.single(high), limit)
        return float(np.mean(high) + np.mean(low)) / 2, *limits
    whole = [
        on_grid([counted(pair for s in hours for pair in getattr(s, side))], scale)
        for side in ("best", "worst")
    ]
    means = [float(np.sum(one.counts * one.values) / np.sum(one.counts)) for one in whole]
    return sum(means) / 2, *mean_interval(whole[0], whole[1], limit)


def _scale(cap: float | None, hours: Sequence[UnitSum]) -> float:
    scales = {sums.scale for sums in hours} | ({cap} if cap is not None else set())
    if len(scales) > 1:
        raise EvidenceError(f"hours were summed with different caps: {sorted(scales)}")
    return scales.pop()


def _notes(plan: Plan, hours: Sequence[UnitSum], cap: float) -> tuple[str, ...]:
    requests = sum(count for sums in hours for _, count in sums.worst)
    notes = [f"{requests} requests of {plan.service} with both amounts"]
    capped, unpaired = (sum(getattr(sums, name) for sums in hours) for name in ("capped", "unpaired"))
    if capped:
        notes.append(f"{capped} of them ({capped / requests:.2%}) capped at {cap:.6g}")
    if unpaired:
        notes.append(f"{unpaired} requests without both amounts left out")
    return tuple(notes)
