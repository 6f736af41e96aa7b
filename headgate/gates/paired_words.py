"""What a paired gate says to an operator: the difference in the metric's own sign, and what to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, fsum, log10

from headgate.evidence import BlockSum, UnitSum
from headgate.plan.applies import LARGER_IS_BETTER
from headgate.plan.model import Audit, Gate, Metric, Plan

_METRICS = {
    Metric.BRIER: "Brier score",
    Metric.ZERO_ONE: "error rate (0/1 loss)",
    Metric.ACCURACY: "accuracy",
    Metric.ABSOLUTE_ERROR: "absolute error",
    Metric.SQUARED_ERROR: "squared error",
    Metric.COST: "cost per request",
    Metric.VALUE: "value per request",
}
#: An entity with more of a block's requests than this is told: what happens to it moves much.
_MUCH = 0.2


@dataclass(frozen=True, slots=True)
class Shown:
    """A difference as people read it: accuracy and value up when the candidate is better.

    Inside, larger is worse for every metric; None without data.
    """

    estimate: float | None
    lower: float
    upper: float

    @classmethod
    def of(cls, gate: Gate, estimate: float | None, lower: float, upper: float) -> Shown:
        """Return the difference candidate - incumbent of the metric itself."""
        if gate.metric not in LARGER_IS_BETTER:
            return cls(estimate, lower, upper)
        return cls(None if estimate is None else -estimate, -upper, -lower)


def seen(gate: Gate, shown: Shown, largest: float) -> str:
    """Return the difference as a sentence; ``largest`` (the range of a loss) says how many digits."""
    metric = f"loss {gate.loss}" if gate.metric is Metric.LOSS else _METRICS[gate.metric]
    estimate, lower, upper = shown.estimate, shown.lower, shown.upper
    digits = _digits(largest)
    if estimate is None:
        return f"candidate's {metric} is not known yet (no label)"
    if estimate < 0:
        lower, upper = -upper, -lower
    span = f"95 % {lower:.{digits}f}..{upper:.{digits}f}"
    if estimate == 0:
        return f"candidate's {metric} equals the incumbent's on average ({span})"
    than = "lower" if estimate < 0 else "higher"
    return f"candidate's {metric} is {abs(estimate):.{digits}f} {than} ({span})"


def notes(
    gate: Gate, plan: Plan, sums: Sequence[BlockSum] | Sequence[UnitSum], largest: float, limit: float
) -> tuple[str, ...]:
    """Return what else an operator should know of the blocks, or hours, that were judged.

    Parameters
    ----------
    largest
        Range of one request's loss, or its cap.
    limit
        What a block's value is clipped to; infinite where it is not.
    """
    blocks = [one for one in sums if isinstance(one, BlockSum)]
    found = [
        _clipped(blocks, limit),
        _agreement(blocks),
        _capped(sums, largest),
        _missing(gate, blocks, sums, limit),
        _excluded(gate, blocks, sums, limit),
        _concentrated(blocks),
    ]
    unpaired = sum(one.unpaired for one in sums)
    if unpaired:
        found.append(f"{unpaired} requests without both answers left out")
    if isinstance(plan.outcomes.missing, Audit):
        found.append(f"labels of {100 * plan.outcomes.missing.audit:.3g} % of the requests audited")
    return tuple(note for note in found if note)


def _digits(largest: float) -> int:
    """Return decimals that show a ten-thousandth of the range: 4 for a loss in [0, 1]."""
    return min(max(4 - ceil(log10(largest)), 0), 12)


def _clipped(blocks: Sequence[BlockSum], limit: float) -> str:
    clipped = sum(1 for b in blocks if max(abs(b.worst), abs(b.best)) > limit)
    return f"{clipped} of {len(blocks)} blocks clipped at {limit:g}" if clipped else ""


def _agreement(blocks: Sequence[BlockSum]) -> str:
    if not blocks or any((b.worst, b.best) != (blocks[0].worst, blocks[0].best) for b in blocks):
        return ""
    if blocks[0].worst == blocks[0].best == 0 and not any(b.spread for b in blocks):
        return "nothing tells the sides apart: no answer lost more than the other's"
    return "every block shows the very same difference" if len(blocks) > 1 else ""


def _capped(sums: Sequence[BlockSum] | Sequence[UnitSum], largest: float) -> str:
    capped = sum(one.capped for one in sums)
    if not capped:
        return ""
    pairs = sum(one.pairs for one in sums if isinstance(one, BlockSum))
    share = f" ({100 * capped / (2 * pairs):.2g} % of both sides')" if pairs else ""
    return f"{capped} losses{share} capped at {largest:.6g}"


def _missing(
    gate: Gate, blocks: Sequence[BlockSum], sums: Sequence[BlockSum] | Sequence[UnitSum], limit: float
) -> str:
    missing = sum(one.missing for one in sums)
    if not missing:
        return ""
    between = _between(gate, [(b.best, b.worst) for b in blocks], limit)
    return f"{missing} labels missing, taken at their worst{between}"


def _excluded(
    gate: Gate, blocks: Sequence[BlockSum], sums: Sequence[BlockSum] | Sequence[UnitSum], limit: float
) -> str:
    excluded = sum(one.excluded for one in sums)
    if not excluded:
        return ""
    counted = [
        (
            b.best if b.best_with_excluded is None else b.best_with_excluded,
            b.worst if b.worst_with_excluded is None else b.worst_with_excluded,
        )
        for b in blocks
    ]
    return f"{excluded} unlabelled requests excluded by the plan{_between(gate, counted, limit)}"


def _between(gate: Gate, bounds: Sequence[tuple[float, float]], limit: float) -> str:
    """Say between what the mean difference lies, whatever the labels are that nobody knows."""
    if not bounds:
        return ""
    low, high = (
        fsum(min(max(pair[side], -limit), limit) for pair in bounds) / len(bounds) for side in (0, 1)
    )
    shown = Shown.of(gate, None, low, high)
    return f" (whatever they are, the mean difference lies in {shown.lower:+.4g}..{shown.upper:+.4g})"


def _concentrated(blocks: Sequence[BlockSum]) -> str:
    requests = sum(b.pairs + b.missing for b in blocks)
    largest = sum(b.largest for b in blocks)
    if largest <= _MUCH * requests:
        return ""
    share = 100 * largest / requests
    return f"one entity has {share:.0f} % of a block's requests; it counts once like any other"
