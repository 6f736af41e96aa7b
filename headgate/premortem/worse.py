"""Answers that are worse by a chosen amount, whatever the metric.

A graded loss: each answer is moved away from what happened until its own loss has risen by the same
amount, where that is possible; the amount is chosen so that the mean over the requests rises by d
exactly. A right-or-wrong loss: right answers are turned wrong with the chance that makes it d.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from headgate.compare.losses import losses
from headgate.plan.model import Gate, Metric, Plan

Floats = npt.NDArray[np.float64]
_HALVINGS = 60
#: Answers may move this many times the largest size seen before a loss that never rises is given up.
_FARTHEST = 1e6


@dataclass(frozen=True, slots=True)
class Worsened:
    """Answers made worse, and by how much their mean loss rose or is expected to: short of d at a limit."""

    answers: Floats
    risen: float


def worsen(
    gate: Gate, plan: Plan, answers: Floats, label: Floats, d: float, rng: np.random.Generator
) -> Worsened:
    """Return answers whose expected loss by the gate's metric is larger by d.

    Parameters
    ----------
    gate, plan
        Whose loss it is, and the range that answers must stay in.
    answers, label
        Shape (n,), finite: what the candidate answered and what happened.
    d
        How much worse, in the metric's unit, > 0.
    rng
        Decides which answers are turned, where answers are right or wrong.

    Examples
    --------
    >>> from tests.builders import plan
    >>> p, y = np.array([0.2, 0.9, 0.6]), np.array([0.0, 1.0, 1.0])
    >>> worse = worsen(plan().gates[0], plan(), p, y, 0.03, np.random.default_rng(1)).answers
    >>> float(np.mean((worse - y) ** 2) - np.mean((p - y) ** 2))
    0.03
    """
    if not len(answers):
        return Worsened(answers, 0.0)
    if gate.metric in (Metric.ZERO_ONE, Metric.ACCURACY, Metric.VALUE):
        return _turned(gate, plan, answers, label, d, rng)
    if plan.prediction.kind == "label":
        return _turned(gate, plan, answers, label, d, rng)
    return _moved(gate, plan, answers, label, d)


def _turned(
    gate: Gate, plan: Plan, answers: Floats, label: Floats, d: float, rng: np.random.Generator
) -> Worsened:
    """Turn decisions that would lose more the other way, each with the same chance."""
    turned = _other_side(plan, answers, label)
    gain = losses(gate, plan, turned, label) - losses(gate, plan, answers, label)
    lost = np.where(gain > 0, gain, 0.0)
    most = float(lost.mean())
    chance = min(d / most, 1.0) if most > 0 else 0.0
    chosen = (rng.random(len(answers)) < chance) & (gain > 0)
    return Worsened(np.where(chosen, turned, answers), chance * most)


def _other_side(plan: Plan, answers: Floats, label: Floats) -> Floats:
    """Return the opposite decision, as far beyond the threshold as it was before it."""
    match plan.prediction.kind:
        case "label":
            return 1 - answers
        case "number":
            return np.where(answers == label, label + 1, answers)
        case _:
            at = plan.prediction.threshold
            above = answers >= at
            down = at - (answers - at) * at / max(1 - at, 1e-12)
            up = at + (at - answers) * (1 - at) / max(at, 1e-12)
            # An answer just at the threshold counts as above it: below it is the next number down.
            down = np.minimum(down, np.nextafter(at, -1.0))
            return np.clip(np.where(above, down, up), 0.0, 1.0)


def _moved(gate: Gate, plan: Plan, answers: Floats, label: Floats, d: float) -> Worsened:
    """Raise every answer's loss by the same amount, up to what its range allows."""
    low, high = plan.answers
    if not np.isfinite([low, high]).all():
        far = _FARTHEST * max(1.0, float(np.abs(answers).max()), float(np.abs(label).max()))
        low, high = max(low, -far), min(high, far)
    before = losses(gate, plan, answers, label)
    # Away from what happened, to the end of the range that is farther on the answer's own side of it.
    ends = np.where(answers > label, high, np.where(answers < label, low, _farther(label, low, high)))
    room = np.maximum(losses(gate, plan, ends, label) - before, 0.0)
    wanted = np.minimum(_level(room, d), room)
    inner, outer = answers.copy(), ends.copy()
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2
        short = losses(gate, plan, middle, label) - before < wanted
        inner, outer = np.where(short, middle, inner), np.where(short, outer, middle)
    moved = np.where(wanted > 0, outer, answers)
    return Worsened(moved, float(np.mean(losses(gate, plan, moved, label) - before)))


def _farther(label: Floats, low: float, high: float) -> Floats:
    return np.where(high - label >= label - low, high, low)


def _level(room: Floats, d: float) -> float:
    """Return the rise per answer at which the mean of min(rise, room) is d, or the most there is.

    Examples
    --------
    >>> _level(np.array([0.1, 1.0, 1.0]), 0.5)  # one answer can give .1 only, the others .7 each
    0.7
    """
    rising = np.sort(room)
    full = np.concatenate([[0.0], np.cumsum(rising)[:-1]])
    level = (len(room) * d - full) / np.arange(len(room), 0, -1)
    enough = level <= rising
    return float(level[enough.argmax()]) if enough.any() else float(rising[-1])
