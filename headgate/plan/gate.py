"""The questions a plan asks: metrics, gates, segments."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from headgate.plan.part import Name, Part, Percent
from headgate.verdicts import Role


class Metric(StrEnum):
    """What a gate can ask about."""

    # Losses: both sides' answers to a request, held against what happened.
    BRIER = "brier"
    ZERO_ONE = "zero_one"
    ACCURACY = "accuracy"  # 1 - zero_one; larger is better
    ABSOLUTE_ERROR = "absolute_error"
    SQUARED_ERROR = "squared_error"
    LOSS = "loss"  # a function of one's own, `module:function`
    CALIBRATION = "calibration"
    # What each request cost or was worth.
    COST = "cost"
    VALUE = "value"  # larger is better
    # Rates against a ceiling; no label is needed.
    DISAGREEMENT = "disagreement"
    ERROR_RATE = "error_rate"
    FALLBACK_RATE = "fallback_rate"
    REJECT_RATE = "reject_rate"
    OVERRIDE_RATE = "override_rate"
    COVERAGE = "coverage"  # 1 - its rate of misses, against a floor
    CAPPED_RATE = "capped_rate"  # share of losses above their cap; Headgate adds this gate itself
    LATENCY = "latency"


class Applies(StrEnum):
    """On which steps a gate counts."""

    SHADOW = "shadow"  # step 0
    SPLIT = "split"  # 0 < share < 100 %
    ALL = "all"


class Payoff(Part):
    """What a decision is worth when the truth is known, per request, in any one currency.

    A decision is positive where the label is 1, or the probability reaches the threshold.
    """

    true_positive: float = 0.0
    false_positive: float = 0.0
    false_negative: float = 0.0
    true_negative: float = 0.0


class Gate(Part):
    """One question asked of the evidence. Which keys a metric needs is checked by the lint.

    ``margin``: losses, cost and value; the largest worsening tolerated, in the metric's unit.
    ``ceiling`` / ``floor``: rates. ``quantile``, ``ratio``: latency; ``tolerate`` is the ratio up to
    which a slower candidate counts as fine (1: any slowdown is harm). ``ratio`` also stands in place of
    ``margin`` for an unpaired 0/1 loss: the candidate's rate over the incumbent's.
    ``unpaired``: compare the arms of the live split instead of both answers to each request.
    ``cap``: the largest loss, cost or value counted; None: the 99.9 % quantile, frozen.
    """

    name: Name
    metric: Metric
    loss: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    role: Role = Role.GUARDRAIL
    margin: float | None = None
    expect: float = 0.0
    harm: float | None = None
    variance: float | None = Field(default=None, gt=0)
    cap: float | None = Field(default=None, gt=0)
    payoff: Payoff | None = None
    ceiling: float | None = Field(default=None, gt=0, lt=1)
    floor: float | None = Field(default=None, gt=0, lt=1)
    quantile: float | None = Field(default=None, gt=0, lt=1)
    ratio: float | None = Field(default=None, gt=1)
    tolerate: float = Field(default=1.0, ge=1)
    min_samples: int = Field(default=1, ge=1)
    evidence: Literal["carry", "fresh"] | None = None
    applies: Applies | None = None
    from_: Percent = Field(default=0, alias="from")
    unpaired: bool = False

    # Tests and tools may say from_; a plan file may not (load.py validates by alias alone).
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _own_loss(cls, data: Any) -> Any:
        """Read ``metric: module:function`` as ``metric: loss`` with that function."""
        if isinstance(data, dict) and isinstance(data.get("metric"), str) and ":" in data["metric"]:
            return {**data, "metric": Metric.LOSS.value, "loss": data["metric"]}
        return data


class Segments(Part):
    """Parts of the requests that must each hold.

    ``gates`` maps a gate's name to the margin each segment above the floor must prove.
    """

    by: tuple[str, ...] = Field(min_length=1)
    floor: float = Field(default=0.02, gt=0, lt=1)
    gates: dict[str, float] = Field(min_length=1)
