"""What one side's answers lost, per metric, and what they could have lost where no label is known.

Larger is worse for every metric in here: accuracy is counted as 0/1 loss, the value of a decision as
its negative worth.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from headgate.compare.pairs import Floats
from headgate.errors import InputError
from headgate.plan.model import Gate, Metric, Payoff, Plan

Loss = Callable[[Floats, Floats], Floats]


def cap_of(gate: Gate, frozen: float | None) -> float | None:
    """Return the largest loss that is counted: the plan's, else the frozen one; None: there is none.

    What a decision is worth lies between the numbers of its payoff and needs no cap.
    """
    if gate.payoff is not None:
        return None
    return frozen if gate.cap is None else gate.cap


def losses(gate: Gate, plan: Plan, prediction: Floats, label: Floats) -> Floats:
    """Return the loss of each answer, not capped.

    Parameters
    ----------
    prediction, label
        Shape (n,), all finite.

    Returns
    -------
    numpy.ndarray
        Shape (n,), in the metric's own unit.

    Raises
    ------
    InputError
        If a loss function of one's own cannot be imported, or returns what is no loss.
    """
    match gate.metric:
        case Metric.BRIER | Metric.SQUARED_ERROR:
            away = prediction - label
            return away * away
        case Metric.ZERO_ONE | Metric.ACCURACY:
            wrong: Floats = (_decisions(plan, prediction) != label).astype(np.float64)
            return wrong
        case Metric.ABSOLUTE_ERROR:
            return np.abs(prediction - label)
        case Metric.LOSS if gate.loss is not None:
            return _own(gate.loss, prediction, label)
        case Metric.VALUE if gate.payoff is not None:
            return -_worth(gate.payoff, _decisions(plan, prediction) == 1, label == 1)
    raise InputError(f"{gate.name}: asked what an answer lost; found {gate.metric}, which does not say it")


def capped(values: Floats, cap: float | None) -> Floats:
    """Return the losses that are counted."""
    return values if cap is None else np.minimum(values, cap)


def difference_bounds(
    gate: Gate, plan: Plan, incumbent: Floats, candidate: Floats, cap: float | None
) -> tuple[Floats, Floats]:
    r"""Return the least and largest candidate - incumbent loss over every label there could be.

    Parameters
    ----------
    incumbent, candidate
        Answers to requests without a label, shape (n,).
    cap
        Largest loss counted.

    Returns
    -------
    tuple of numpy.ndarray
        (least, largest), each of shape (n,) and 0 where both sides answered the same, whatever the label.

    Notes
    -----
    Of a label that is 0 or 1 both are tried. A number may be anything, so losses l, capped at C, differ
    by C at most; for two metrics by less, with :math:`\delta` the difference of the answers. Absolute
    error: :math:`\min(\delta, C)` by the triangle inequality, reached where one side is right. Squared
    error: :math:`(\delta + s)^2 - s^2` grows with the distance s of the nearer answer until the farther
    one is capped at :math:`s = \sqrt C - \delta`, so :math:`\delta (2 \sqrt C - \delta)`, and C from
    :math:`\delta \ge \sqrt C` on.
    """
    if plan.prediction.kind != "number":
        zero, one = (
            capped(losses(gate, plan, candidate, label), cap)
            - capped(losses(gate, plan, incumbent, label), cap)
            for label in (np.zeros_like(candidate), np.ones_like(candidate))
        )
        return np.minimum(zero, one), np.maximum(zero, one)
    if cap is None:
        raise InputError(f"{gate.name}: a loss of numbers without a cap has no bound; give the gate a cap")
    apart = np.abs(candidate - incumbent)
    if gate.metric is Metric.ABSOLUTE_ERROR:
        most = np.minimum(apart, cap)
    elif gate.metric is Metric.SQUARED_ERROR:
        near = np.minimum(apart, np.sqrt(cap))
        most = np.minimum(near * (2 * np.sqrt(cap) - near), cap)
    else:
        most = np.where(apart > 0, cap, 0.0)
    return -most, most


def _decisions(plan: Plan, prediction: Floats) -> Floats:
    """Return what was decided: a probability becomes 0 or 1 at the plan's threshold."""
    if plan.prediction.kind != "probability":
        return prediction
    return (prediction >= plan.prediction.threshold).astype(np.float64)


def _worth(payoff: Payoff, decided: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> Floats:
    positive = np.where(decided, payoff.true_positive, payoff.false_negative)
    negative = np.where(decided, payoff.false_positive, payoff.true_negative)
    worth: Floats = np.where(true, positive, negative)
    return worth


def _own(path: str, prediction: Floats, label: Floats) -> Floats:
    """Return what the function says of copies: what it does to its arguments stays its own affair."""
    function = imported(path)
    try:
        found = np.asarray(function(prediction.copy(), label.copy()), dtype=np.float64)
    except Exception as err:  # its author's code: whatever went wrong, say where
        raise InputError(
            f"asked the loss function {path} for {len(label)} losses; it raised {type(err).__name__}: {err}; "
            "mend the function"
        ) from err
    if found.shape != prediction.shape:
        raise InputError(
            f"asked the loss function {path} for one loss per request, shape {prediction.shape}; "
            f"found shape {found.shape}; it must work on whole arrays"
        )
    wrong = ~(np.isfinite(found) & (found >= 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(
            f"asked the loss function {path} for finite losses of at least 0; found {found[at]} for "
            f"prediction {prediction[at]:g} and label {label[at]:g} ({int(wrong.sum())} such); "
            "mend the function"
        )
    return found


@cache
def imported(path: str) -> Loss:
    """Return the function of ``module:function``, imported once.

    Raises
    ------
    InputError
        If there is no such module or function.
    """
    module, _, name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as err:
        raise InputError(
            f"asked the loss function {path}; found {err}; install its module where Headgate runs, or put "
            "its folder on PYTHONPATH"
        ) from err
    if not callable(function):
        found = type(function).__name__
        raise InputError(f"asked the loss function {path}; found a value of type {found}; name a function")
    return function  # type: ignore[no-any-return]  # what it returns is checked on every call
