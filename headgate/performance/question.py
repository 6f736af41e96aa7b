"""What performance means here: the loss that the plan's first guardrail on outcomes is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headgate.compare.losses import cap_of
from headgate.plan.applies import is_loss
from headgate.plan.model import Gate, Metric, Plan, is_capped
from headgate.verdicts import Role

#: Part of the loss' range that counts as a change where the plan names no margin above 0.
_DEFAULT = 0.02


@dataclass(frozen=True, slots=True)
class Question:
    """Which loss is watched, and what of it matters.

    Attributes
    ----------
    gate
        Whose loss it is.
    low, high
        Range of one request's loss, in the metric's own unit.
    tolerance
        A change of the mean loss up to this is none: the gate's margin where it has one above 0.
    cap
        Largest loss counted; None: the loss has a largest value of its own.
    """

    gate: Gate
    low: float
    high: float
    tolerance: float
    cap: float | None = None

    @property
    def metric(self) -> str:
        """Name of the loss; that of the function where it is one's own."""
        return self.gate.loss or self.gate.metric.value


def question_of(plan: Plan, caps: Mapping[str, float] | None = None) -> Question | None:
    """Return what is watched of a plan's serving model; None where no gate holds answers against outcomes.

    Parameters
    ----------
    caps
        By gate the caps that a rollout of the plan froze. A loss without a largest value and without a cap
        is not watched: one answer could be all of its mean.
    """
    asked = [gate for gate in plan.gates if is_loss(gate)]
    guardrails = [gate for gate in asked if gate.role is Role.GUARDRAIL]
    for gate in guardrails or asked:
        cap = cap_of(gate, (caps or {}).get(gate.name))
        if is_capped(gate, plan) and cap is None:
            continue
        low, high = _range(gate, cap)
        margin = next((one for one in (gate.margin, gate.harm) if one is not None and one > 0), None)
        return Question(gate, low, high, margin or _DEFAULT * (high - low), cap)
    return None


def _range(gate: Gate, cap: float | None) -> tuple[float, float]:
    if gate.metric is Metric.VALUE and gate.payoff is not None:
        worth = [float(one) for one in gate.payoff.model_dump().values()]
        return -max(worth), -min(worth)
    return 0.0, 1.0 if cap is None else cap
