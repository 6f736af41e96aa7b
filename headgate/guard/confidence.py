"""How sure an answer is, and whether that is enough."""

from __future__ import annotations

from headgate.plan.guarding import ConfidenceFloor
from headgate.plan.model import Prediction


def confidence_of(prediction: Prediction, value: float, told: float | None) -> float | None:
    """Return how sure an answer is, 0 to 1.

    What the model tells of itself (``told``) counts; else a probability tells: its distance from a half.
    None: a label or a number says nothing of how sure it is. That is unknown, never sure.

    Examples
    --------
    >>> confidence_of(Prediction(kind="probability"), 0.25, None)
    0.75
    >>> confidence_of(Prediction(kind="number"), 17.0, None) is None
    True
    """
    if told is not None:
        return told if 0 <= told <= 1 else None
    return max(value, 1 - value) if prediction.kind == "probability" else None


def is_sure(floor: ConfidenceFloor | None, confidence: float | None) -> bool:
    """Return whether an answer stands by itself. Without a floor any does; unknown is below every floor."""
    return floor is None or (confidence is not None and confidence >= floor.value)
