"""Batches from plain lists: say what matters, get the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headgate.compare.pairs import Batch
from tests.builders import plan

UNIT = {"entity": "tailnum", "block": "1d"}


def batch(
    incumbent: Sequence[float],
    candidate: Sequence[float],
    label: Sequence[float],
    entity: Sequence[int] | None = None,
    **more: Any,
) -> Batch:
    """Return requests of one entity each, all answered and drawn; NaN is a label that is missing."""
    n = len(label)
    arrays = {
        "entity": np.arange(n) if entity is None else np.asarray(entity),
        "incumbent": np.asarray(incumbent, dtype=np.float64),
        "candidate": np.asarray(candidate, dtype=np.float64),
        "label": np.asarray(label, dtype=np.float64),
        "paired": np.ones(n, dtype=np.bool_),
        "parts": {None: np.ones(n, dtype=np.bool_)},
        "at": np.zeros(n, dtype=np.int64),
        "drawn": np.ones(n, dtype=np.bool_),
        "candidate_side": np.zeros(n, dtype=np.bool_),
        "share_bp": np.zeros(n, dtype=np.int32),
        "exposed_before": np.zeros(n, dtype=np.bool_),
        "overridden": np.full(n, np.nan),
    }
    return Batch(**(arrays | {name: np.asarray(v) if name != "amounts" else v for name, v in more.items()}))


def plan_of(metric: str = "brier", kind: str = "probability", **more: Any) -> Any:
    """Return a plan of one gate ``q`` of that metric; keys of the gate, and ``missing``, may be given."""
    missing = more.pop("missing", "bound")
    unit = more.pop("unit", UNIT)
    outcomes = {"path": "o", "label": "late", "known_at": "known_at", "maturity": "2d", "missing": missing}
    gate = {"name": "q", "metric": metric, "margin": 0.01} | more
    prediction = {"kind": kind} | ({"threshold": 0.5} if kind == "probability" else {})
    return plan(gates=[gate], prediction=prediction, outcomes=outcomes, unit=unit)
