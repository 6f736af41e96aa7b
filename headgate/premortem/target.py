"""What the faults aim at: the plan's first loss, its margin, a segment, and the moment it begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from headgate.backtest.history import History
from headgate.compare.losses import losses
from headgate.plan.applies import LOSSES
from headgate.plan.model import Gate, Metric, Plan
from headgate.verdicts import Role

#: Labels that the incumbent's own rate is measured on, where a margin is a ratio of it.
_ENOUGH = 20_000
#: The segment of a plan that names none: so many of its entities.
TENTH = 0.1


@dataclass(frozen=True, slots=True)
class Target:
    """What is made worse, by how much, where and from when on.

    Attributes
    ----------
    gate
        The loss that "worse" is measured by; None where the plan has no gate on labels or money.
    d
        The worsening just not tolerated, in the metric's unit; 0 without a gate.
    segment
        (column, value) of the segment that one fault is confined to; None: a tenth of the entities.
    segment_d
        The worsening just not tolerated in that segment.
    onset
        When every fault begins (aware UTC).
    seed
        Of all that is drawn.
    """

    plan: Plan
    gate: Gate | None
    d: float
    segment: tuple[str, str] | None
    segment_d: float
    onset: datetime
    seed: int = 0

    @property
    def segment_name(self) -> str:
        """How the segment is called."""
        return "=".join(self.segment) if self.segment else "a tenth of the entities"


def aim(plan: Plan, history: History, onset: datetime, seed: int = 0) -> Target:
    """Return what the faults aim at: the plan's first guardrail on a loss, else any loss or money gate.

    Parameters
    ----------
    plan
        The plan that is tried.
    history
        Says how large the segments are, and the incumbent's rate where a margin is a ratio of it.
    onset
        When faults begin.
    """
    gate = _worsened(plan)
    d = _tolerated(plan, gate, history) if gate else 0.0
    segment = _segment(plan, history)
    held = plan.segments.gates.get(gate.name) if plan.segments and gate and segment else None
    return Target(plan, gate, d, segment, held if held and held > 0 else d, onset, seed)


def _worsened(plan: Plan) -> Gate | None:
    def rank(gate: Gate) -> tuple[bool, bool]:
        return gate.metric not in LOSSES, gate.role is not Role.GUARDRAIL

    able = [g for g in plan.gates if g.metric in LOSSES or g.metric in (Metric.VALUE, Metric.COST)]
    return min(able, key=rank, default=None)


def _tolerated(plan: Plan, gate: Gate, history: History) -> float:
    if gate.margin is not None and gate.margin > 0:
        return gate.margin
    if gate.harm is not None:
        return gate.harm
    return ((gate.ratio or 2.0) - 1) * _incumbent_loss(plan, gate, history)


def _incumbent_loss(plan: Plan, gate: Gate, history: History) -> float:
    total, count = 0.0, 0
    for answers, label in _labelled(history):
        total += float(np.sum(losses(gate, plan, answers, label)))
        count += len(label)
        if count >= _ENOUGH:
            break
    return total / count if count and total > 0 else 0.01


def _labelled(history: History) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for table in history.blocks():
        answers, label = (floats(table, name) for name in ("incumbent_prediction", "label"))
        known = np.isfinite(answers) & np.isfinite(label)
        yield answers[known], label[known]


def _segment(plan: Plan, history: History) -> tuple[str, str] | None:
    """Return the largest segment that is not most of the traffic, else the smallest above the floor."""
    if plan.segments is None:
        return None
    column = plan.segments.by[0]
    least = plan.segments.floor * history.rows
    sizes = {name: n for name, n in history.segments.get(column, {}).items() if n >= least}
    if len(sizes) < 2:
        return None
    half = {name: n for name, n in sizes.items() if n <= history.rows / 2}
    value = max(half, key=lambda name: (half[name], name)) if half else min(sizes, key=lambda s: sizes[s])
    return column, value


def floats(table: pa.Table, column: str) -> np.ndarray:
    """Return a column as floats, NaN where there is nothing."""
    return np.asarray(table[column].cast(pa.float64()), dtype=np.float64)
