"""The candidates a forecast is made for: as good, better, and as bad as the plan tolerates."""

from __future__ import annotations

import math
from enum import StrEnum

from headgate.plan.applies import LOSSES, MONEY
from headgate.plan.model import Gate, Metric
from headgate.power.assumptions import Assumptions
from headgate.power.derived import ceiling_of, event_rate


class World(StrEnum):
    """What the candidate is like."""

    EQUAL = "equal"  # as good as the incumbent
    BETTER = "better"  # as good as `expect` says, else better by half the margin
    AT_MARGIN = "at_margin"  # just bad: worse by the margin, at the ceiling, slower by the ratio


def true_difference(gate: Gate, margin: float, world: World) -> float:
    """Return the mean of D, candidate minus incumbent, larger is worse.

    Examples
    --------
    >>> gate = Gate(name="quality", metric="brier", margin=0.01)
    >>> [true_difference(gate, 0.01, world) for world in World]
    [0.0, -0.005, 0.01]
    """
    match world:
        case World.EQUAL:
            return 0.0
        case World.AT_MARGIN:
            return margin
        case World.BETTER:
            return gate.expect or -abs(margin) / 2


def true_rate(gate: Gate, world: World, known: Assumptions) -> float:
    """Return the candidate's rate of events, in [0, 1]."""
    alike = event_rate(gate, known)
    match world:
        case World.EQUAL:
            return alike
        case World.AT_MARGIN:
            return ceiling_of(gate)
        case World.BETTER:
            return min(gate.expect or alike, alike)


def slow_shares(gate: Gate, world: World, known: Assumptions) -> tuple[float, float]:
    """Return the candidate's shares above ``ratio * tau`` and above ``tolerate * tau``.

    A candidate that is no faster is no fault, so ``equal`` and ``better`` are the same here.

    Examples
    --------
    >>> gate = Gate(name="latency", metric="latency", quantile=0.95, ratio=1.25)
    >>> slow_shares(gate, World.EQUAL, Assumptions(rate=1))
    (0.0236, 0.05)
    """
    above = 1 - (gate.quantile or 0.5)
    shape = known.latency_shape or 1.0
    ratio = gate.ratio or 1.0
    seen = known.gates.get(gate.name)
    if world is World.AT_MARGIN:
        return above, above ** math.pow(gate.tolerate / ratio, shape)
    if seen is not None and seen.slow is not None:
        return seen.slow
    return above ** math.pow(ratio, shape), above ** math.pow(gate.tolerate, shape)


def in_words(gate: Gate, margin: float | None, world: World, known: Assumptions) -> str:
    """Return what the candidate is like for one gate, as a person reads it.

    Examples
    --------
    >>> in_words(Gate(name="e", metric="error_rate", ceiling=0.01), 0.01, World.AT_MARGIN, Assumptions(1))
    'error_rate 1 %'
    """
    if gate.metric in LOSSES or gate.metric in MONEY:
        mean = true_difference(gate, margin or 0.0, world)
        return (
            f"{gate.metric.value} {'worse' if mean > 0 else 'better'} by {abs(mean):g}" if mean else "equal"
        )
    if gate.metric is Metric.LATENCY:
        return f"{gate.ratio:g} x slower" if world is World.AT_MARGIN else "as fast"
    rate = true_rate(gate, world, known)
    return f"{gate.metric.value} {100 * (1 - rate if gate.metric is Metric.COVERAGE else rate):.3g} %"
