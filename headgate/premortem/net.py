"""What a fault leaves of the candidate: better or worse than the incumbent, all in all."""

from __future__ import annotations

from math import fsum

import numpy as np

from headgate.backtest.history import History
from headgate.compare.losses import losses
from headgate.plan.applies import LOSSES
from headgate.premortem.faults import begun, in_segment
from headgate.premortem.target import Target, floats


def net_difference(history: History, target: Target, *, inside: bool) -> float | None:
    """Return the candidate's mean loss minus the incumbent's from the onset on, larger is worse.

    Over labelled requests that both sides answered; with ``inside`` those of the segment alone. None
    where there are none, or the target is no loss.
    """
    gate, plan = target.gate, target.plan
    if gate is None or (gate.metric not in LOSSES and gate.payoff is None):
        return None
    sums, count = [], 0
    for table in history.blocks():
        here = begun(table, target)
        if inside:
            here &= in_segment(table, target)
        sides = [floats(table, f"{side}_prediction") for side in ("candidate", "incumbent")]
        label = floats(table, "label")
        used = here & np.isfinite(label) & np.isfinite(sides[0]) & np.isfinite(sides[1])
        ours, theirs = (losses(gate, plan, side[used], label[used]) for side in sides)
        sums.append(float(np.sum(ours - theirs)))
        count += int(used.sum())
    return fsum(sums) / count if count else None
