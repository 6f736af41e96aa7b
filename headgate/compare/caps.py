"""The largest loss, cost or value that a gate counts: a quantile, frozen once.

A loss without a largest value of its own is capped, by the plan or at the 99.9 % quantile over the first
closed batches. Batches that freeze a cap are not judged by that gate: they have been looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headgate.compare.latency import quantile_of
from headgate.compare.losses import losses
from headgate.compare.pairs import Batch, Floats
from headgate.plan.applies import LOSSES, is_paired_loss
from headgate.plan.model import Gate, Metric, Plan, is_capped

FEWEST = 1_000
"""Losses that freeze a cap."""
QUANTILE = 0.999


@dataclass(frozen=True, slots=True)
class Caps:
    """What is gathered and what is frozen, per gate whose plan names no cap.

    Attributes
    ----------
    frozen
        Per gate its cap, in the metric's own unit, > 0. Never changes once it is there.
    gathered
        Per gate the losses seen while it has none, rising; fewer than `FEWEST` but where all are 0.
    """

    frozen: Mapping[str, float] = field(default_factory=dict)
    gathered: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def after(self, plan: Plan, batch: Batch) -> Caps:
        """Return the caps after one more closed batch; judge the batch by the caps before it.

        Batches must come in order of time and each once: then replays freeze the same caps.
        """
        frozen, gathered = dict(self.frozen), dict(self.gathered)
        for gate in plan.gates:
            if gate.name in frozen or gate.cap is not None or not is_capped(gate, plan):
                continue
            seen = np.sort([*gathered.pop(gate.name, ()), *_values(plan, gate, batch).tolist()])
            cap = _quantile(seen)
            if cap is not None:
                frozen[gate.name] = cap
            elif len(seen):
                gathered[gate.name] = tuple(seen[-FEWEST:].tolist())
        return Caps(frozen, gathered)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; floats keep every bit."""
        return {
            "frozen": dict(sorted(self.frozen.items())),
            "gathered": {name: list(values) for name, values in sorted(self.gathered.items())},
        }

    @classmethod
    def from_json(cls, data: Any) -> Caps:
        """Return what `to_json` wrote.

        Examples
        --------
        >>> Caps.from_json(Caps({"minutes": 45.0}).to_json()).frozen
        {'minutes': 45.0}
        """
        return cls(dict(data["frozen"]), {name: tuple(values) for name, values in data["gathered"].items()})


def _quantile(values: Floats) -> float | None:
    """Return the cap; the largest loss where nearly all are 0, None where too few or all of them are."""
    if len(values) < FEWEST:
        return None
    found = float(quantile_of(values.tolist(), QUANTILE)) or float(values[-1])
    return found or None


def _values(plan: Plan, gate: Gate, batch: Batch) -> Floats:
    """Return what a gate's cap is a quantile of, from one batch.

    Paired losses: both sides', of labelled pairs. Unpaired ones: those of the side that answered. Costs
    and values: the size of the incumbent's, which is the one that is known to be in order.
    """
    if gate.metric not in LOSSES:
        amounts = batch.amounts.get("cost" if gate.metric is Metric.COST else "value")
        found: Floats = np.abs(amounts[0]) if amounts else np.zeros(0)
        return found[np.isfinite(found)]
    known = batch.drawn & np.isfinite(batch.label)
    if is_paired_loss(gate, plan):
        used = known & batch.paired
        sides = (batch.incumbent[used], batch.candidate[used])
        return np.concatenate([losses(gate, plan, side, batch.label[used]) for side in sides])
    answer = np.where(batch.candidate_side, batch.candidate, batch.incumbent)
    used = known & np.isfinite(answer)
    return losses(gate, plan, answer[used], batch.label[used])
