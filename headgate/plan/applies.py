"""On which shares a gate counts towards advancing (statistics.md, "Which gates apply where")."""

from __future__ import annotations

from headgate.plan.model import Applies, Gate, Metric
from headgate.routing import FULL_BP

#: Metrics judged on both sides' answers to the same request; their evidence carries over steps.
PAIRED = frozenset({Metric.BRIER, Metric.ZERO_ONE})


def gate_applies(gate: Gate, share_bp: int) -> bool:
    """Return whether a gate counts towards advancing at this share (basis points).

    Paired and rate gates count everywhere unless the plan says otherwise. A latency gate must say:
    the mirror's log exists in shadow alone and two arms exist in a split alone, so one that does not
    say counts nowhere (and the lint refuses it). ``from`` limits advancing only; rolling back is
    judged at every share.

    Examples
    --------
    >>> errors = Gate(name="errors", metric="error_rate", ceiling=0.01, from_=5)
    >>> gate_applies(errors, 100), gate_applies(errors, 500)
    (False, True)
    """
    if share_bp < round(gate.from_ * 100):
        return False
    match gate.applies:
        case None:
            return gate.metric is not Metric.LATENCY
        case Applies.ALL:
            return True
        case Applies.SHADOW:
            return share_bp == 0
        case Applies.SPLIT:
            return 0 < share_bp < FULL_BP
