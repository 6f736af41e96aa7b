"""What the metrics are called on a page."""

from __future__ import annotations

from headgate.plan.applies import LARGER_IS_BETTER, RATES
from headgate.plan.model import Gate, Metric

#: What a loss, cost or worth is called.
_LOSSES = {
    Metric.BRIER: "Brier loss",
    Metric.ZERO_ONE: "share of wrong answers",
    Metric.ACCURACY: "accuracy",
    Metric.ABSOLUTE_ERROR: "absolute error",
    Metric.SQUARED_ERROR: "squared error",
    Metric.LOSS: "loss",
    Metric.COST: "cost per request",
    Metric.VALUE: "worth per request",
}
#: What a rate counts, per cent of requests.
_RATES = {
    Metric.DISAGREEMENT: "requests on which the sides disagree",
    Metric.ERROR_RATE: "the candidate's errors",
    Metric.FALLBACK_RATE: "requests the incumbent had to answer instead",
    Metric.REJECT_RATE: "requests refused as invalid",
    Metric.OVERRIDE_RATE: "answers overruled by people",
    Metric.COVERAGE: "answered by the candidate",
    Metric.CAPPED_RATE: "the candidate's values above their cap",
}


def noun(gate: Gate) -> str:
    """Return what a gate is about, in words."""
    if gate.metric is Metric.LOSS and gate.loss is not None:
        return gate.loss.partition(":")[2].replace("_", " ")
    names = {**_LOSSES, **_RATES, Metric.LATENCY: "latency", Metric.CALIBRATION: "calibration"}
    return names[gate.metric]


def title(gate: Gate) -> str:
    """Return the title of the panel that shows a gate's estimate."""
    if gate.metric in RATES:
        return f"{noun(gate)}, % of requests" if "requests" not in noun(gate) else f"{noun(gate)}, %"
    if gate.metric is Metric.LATENCY:
        return "answers too slow, candidate minus incumbent, % points"
    if gate.metric is Metric.CALIBRATION:
        return "how far what happens is from what the candidate says"
    side = "above" if gate.metric in LARGER_IS_BETTER else "below"
    return f"{noun(gate)}, candidate minus incumbent ({side} 0: better)"


def margin_shown(gate: Gate) -> float | None:
    """Return the margin on the axis of the estimate, whose sign is the metric's own."""
    if gate.margin is None or gate.metric not in LARGER_IS_BETTER:
        return gate.margin
    return -gate.margin
