"""Which family a gate's metric is of, and on which shares it counts (statistics.md)."""

from __future__ import annotations

import math

from headgate.plan.model import Applies, Audit, Gate, Metric, Plan, is_capped
from headgate.routing import FULL_BP

#: Losses: an answer held against what happened.
LOSSES = frozenset(
    {
        Metric.BRIER,
        Metric.ZERO_ONE,
        Metric.ACCURACY,
        Metric.ABSOLUTE_ERROR,
        Metric.SQUARED_ERROR,
        Metric.LOSS,
    }
)
#: What each request cost or was worth: heavy tails, capped.
MONEY = frozenset({Metric.COST, Metric.VALUE})
#: A rate against a ceiling (coverage: against a floor).
RATES = frozenset(
    {
        Metric.DISAGREEMENT,
        Metric.ERROR_RATE,
        Metric.FALLBACK_RATE,
        Metric.REJECT_RATE,
        Metric.OVERRIDE_RATE,
        Metric.COVERAGE,
        Metric.CAPPED_RATE,
    }
)
#: Larger is better: the estimate keeps its sign, the margin is the largest worsening tolerated.
LARGER_IS_BETTER = frozenset({Metric.ACCURACY, Metric.VALUE, Metric.COVERAGE})


def loss_range(gate: Gate, plan: Plan) -> float:
    """Return the largest loss (or worth) of one request, where the metric itself limits it.

    Infinite where only a cap does: see `headgate.plan.model.is_capped`.
    """
    if is_capped(gate, plan):
        return math.inf
    if gate.metric is Metric.VALUE and gate.payoff is not None:
        worth = gate.payoff.model_dump().values()
        return float(max(worth) - min(worth)) or 1.0
    return 1.0


def label_chance(plan: Plan) -> float:
    """Return the chance with which a request's label is sought; 1 without an audit."""
    return plan.outcomes.missing.audit if isinstance(plan.outcomes.missing, Audit) else 1.0


def is_loss(gate: Gate) -> bool:
    """Return whether answers are held against what happened: a loss, or the worth of a decision."""
    return gate.metric in LOSSES or (gate.metric is Metric.VALUE and gate.payoff is not None)


def needs_labels(gate: Gate) -> bool:
    """Return whether the gate waits for outcomes."""
    return is_loss(gate) or gate.metric in (Metric.CALIBRATION, Metric.OVERRIDE_RATE)


def is_unpaired(gate: Gate, plan: Plan) -> bool:
    """Return whether the gate compares the arms of the live split, each request by the side that answered.

    Where outcomes depend on the decision there are no paired labels, whatever the gate says.
    """
    comparable = gate.metric in LOSSES or gate.metric in MONEY
    return comparable and (gate.unpaired or (plan.outcomes.depends_on_decision and needs_labels(gate)))


def is_paired_loss(gate: Gate, plan: Plan) -> bool:
    """Return whether the gate is judged on both sides' answers to the same labelled request."""
    return is_loss(gate) and not is_unpaired(gate, plan)


def carries(gate: Gate, plan: Plan) -> bool:
    """Return whether what the gate proved at one share counts at the next.

    Both sides of a paired loss are scored off the answer path, so the share does not matter; everything
    else starts anew with every step.
    """
    return is_paired_loss(gate, plan) and gate.evidence != "fresh"


def gate_applies(gate: Gate, share_bp: int, plan: Plan) -> bool:
    """Return whether a gate counts towards advancing at this share (basis points).

    Paired and rate gates count everywhere unless the plan says otherwise, unpaired ones and overrides on
    a split alone. A latency gate must say: the mirror's log exists in shadow alone and two arms exist in
    a split alone, so one that does not say counts nowhere (and the lint refuses it). ``from`` limits
    advancing only; rolling back is judged at every share.
    """
    if share_bp < round(gate.from_ * 100):
        return False
    split = 0 < share_bp < FULL_BP
    if is_unpaired(gate, plan):
        return split
    match gate.applies:
        case None if gate.metric is Metric.OVERRIDE_RATE:
            return share_bp > 0
        case None:
            return gate.metric is not Metric.LATENCY
        case Applies.ALL:
            return True
        case Applies.SHADOW:
            return share_bp == 0
        case Applies.SPLIT:
            return split


def columns_of(gate: Gate) -> tuple[str, str]:
    """Return which columns of the exchanges a gate on an amount reads: the incumbent's, the candidate's.

    Examples
    --------
    >>> columns_of(Gate(name="spent", metric="cost", margin=0.1))
    ('incumbent_cost', 'candidate_cost')
    """
    return f"incumbent_{gate.metric.value}", f"candidate_{gate.metric.value}"
