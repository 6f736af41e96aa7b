"""The rollout plan: what an ML engineer writes down before any traffic moves."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from headgate.errors import InputError
from headgate.plan.capacity import LoadTest
from headgate.plan.duties import Escalation, Notice, NoticeKind, Questionnaire, SignOff
from headgate.plan.gate import Applies, Gate, Metric, Payoff, Segments
from headgate.plan.parity import ParityCheck
from headgate.plan.part import Duration, Name, Part, Percent
from headgate.plan.renewal import DriftWatch, Retrain
from headgate.plan.reviewing import Review
from headgate.plan.sides import (
    Audit,
    Circuit,
    ColumnContract,
    ColumnKind,
    Exclude,
    InputContract,
    ModelRef,
    Outcomes,
    OutputContract,
    Owner,
    Prediction,
    Requests,
    Retry,
    Serving,
    Unit,
)

__all__ = [
    "ALL",
    "Applies",
    "ApprovalRule",
    "Audit",
    "Calendar",
    "Circuit",
    "ColumnContract",
    "ColumnKind",
    "Deadline",
    "DriftWatch",
    "ErrorBudget",
    "Escalation",
    "Exclude",
    "Gate",
    "InputContract",
    "LoadTest",
    "Metric",
    "ModelRef",
    "Notice",
    "NoticeKind",
    "Outcomes",
    "OutputContract",
    "Owner",
    "ParityCheck",
    "Payoff",
    "Plan",
    "PlaneRef",
    "Prediction",
    "Questionnaire",
    "Requests",
    "Retrain",
    "Retry",
    "Review",
    "Segments",
    "Serving",
    "SignOff",
    "Slice",
    "Step",
    "Unit",
    "is_capped",
]  # fmt: skip

#: The one slice of a plan that names none.
ALL = "all"


class ErrorBudget(Part):
    """Chances of a wrong decision over the whole rollout."""

    promote_bad: float = Field(default=0.05, gt=0, lt=0.5)
    roll_back_fine: float = Field(default=0.05, gt=0, lt=0.5)


class ApprovalRule(Part):
    """Who must say yes before a step is entered."""

    approvers: int = Field(default=1, ge=1, le=10)
    expires: Duration = timedelta(hours=72)


class Step(Part):
    """A rung of the ramp. ``approval`` is needed to enter it; ``dwell`` is the least time on it."""

    percent: Percent
    dwell: Duration = timedelta(0)
    approval: ApprovalRule | None = None

    @property
    def share_bp(self) -> int:
        """The share in basis points."""
        return round(self.percent * 100)


class Slice(Part):
    """A part of the requests with steps of its own. ``where``: see `headgate.plan.where`."""

    name: Name
    where: str = Field(min_length=1)
    steps: tuple[Step, ...] = Field(min_length=2)


class Deadline(Part):
    """How long a step and the whole rollout may take, and that silence never promotes."""

    step: Duration = timedelta(days=120)
    rollout: Duration = timedelta(days=240)
    then: Literal["expire"] = "expire"


class Calendar(Part):
    """When the share may rise. Rolling back is never bound by it."""

    timezone: str = "UTC"
    advance: str = "mon-sun 00:00-24:00"
    freeze: tuple[str, ...] = ()


class PlaneRef(Part):
    """Which traffic plane applies the share."""

    kind: Literal["envoy", "haproxy"] = "envoy"


#: The candidate may pass a cap ten times as often as the 0.1 % that the cap was chosen for.
_MOST_ABOVE_CAP = 0.01


def is_capped(gate: Gate, plan: Plan) -> bool:
    """Return whether a loss, cost or value has no largest value of its own and is therefore capped."""
    match gate.metric:
        case Metric.COST | Metric.LOSS:
            return True
        case Metric.VALUE:
            return gate.payoff is None
        case Metric.ABSOLUTE_ERROR | Metric.SQUARED_ERROR:
            return plan.prediction.kind == "number"
        case _:
            return False


def _capped_gate(gate: Gate, plan: Plan) -> tuple[Gate, ...]:
    if not is_capped(gate, plan):
        return ()
    shared = gate.model_dump(include={"role", "applies", "from_"})
    by_label = gate.metric not in (Metric.COST, Metric.VALUE)
    if gate.unpaired or (plan.outcomes.depends_on_decision and by_label):
        # Arms exist in a split alone: asked for elsewhere it would never be proved.
        shared["applies"] = Applies.SPLIT
    return (Gate(name=f"{gate.name}-capped", metric=Metric.CAPPED_RATE, ceiling=_MOST_ABOVE_CAP, **shared),)


#: Keys that came after plans were first frozen: see `Plan.canonical`.
_YOUNGER = frozenset({"drift", "retrain", "review", "load", "parity"})
#: The same of keys inside of a part that is older: by the part's name, left out at their default.
_YOUNGER_INSIDE: dict[str, dict[str, object]] = {
    "input": {"freshness": {}, "provenance": {}, "terminology": {}, "mask": []},
    "serving": dict.fromkeys(("confidence_below", "retry_budget", "rate_limit", "queue")),
}


class Plan(Part):
    """A rollout plan, schema version 1. Frozen when its rollout starts."""

    version: Literal[1]
    name: Name
    service: Name
    owner: Owner
    author: str = Field(min_length=3)
    incumbent: ModelRef
    candidate: ModelRef
    requests: Requests
    unit: Unit
    outcomes: Outcomes
    prediction: Prediction
    input: InputContract | None = None
    output: OutputContract = OutputContract()
    serving: Serving = Serving()
    errors: ErrorBudget = ErrorBudget()
    gates: tuple[Gate, ...] = Field(min_length=1)
    segments: Segments | None = None
    steps: tuple[Step, ...] = ()
    slices: tuple[Slice, ...] = ()
    watch: Duration = timedelta(0)
    on_fail: Literal["roll_back", "step_back", "freeze"] = "roll_back"
    deadline: Deadline = Deadline()
    calendar: Calendar = Calendar()
    plane: PlaneRef = PlaneRef()
    escalation: tuple[Escalation, ...] = ()
    notify: tuple[Notice, ...] = ()
    signoffs: tuple[SignOff, ...] = ()
    questionnaire: Questionnaire | None = None
    drift: DriftWatch | None = None
    retrain: Retrain | None = None
    load: LoadTest | None = None
    review: Review | None = None
    parity: ParityCheck | None = None

    @property
    def all_gates(self) -> tuple[Gate, ...]:
        """The gates of the plan, each capped one followed by the gate on how often its cap is passed."""
        return tuple(one for gate in self.gates for one in (gate, *_capped_gate(gate, self)))

    @property
    def slice_names(self) -> tuple[str, ...]:
        """Names of the slices; ``all`` where the plan has none."""
        return tuple(part.name for part in self.slices) or (ALL,)

    def of_slice(self, name: str) -> Plan:
        """Return the plan as one slice lives it: its steps, and its share of the error budget.

        K slices share both errors, so that the whole rollout keeps its promise: each is judged at
        alpha / K and beta / K.

        Raises
        ------
        InputError
            If the plan has no slice of that name.
        """
        if not self.slices and name == ALL:
            return self
        steps = {part.name: part.steps for part in self.slices}
        if name not in steps:
            raise InputError(f"asked the slice {name!r}; the plan has {', '.join(self.slice_names)}")
        errors = ErrorBudget(
            promote_bad=self.errors.promote_bad / len(steps),
            roll_back_fine=self.errors.roll_back_fine / len(steps),
        )
        return self.model_copy(update={"steps": steps[name], "slices": (), "errors": errors})

    @property
    def answers(self) -> tuple[float, float]:
        """The range an answer must be in; infinite where a number may be anything."""
        low, high = (0.0, 1.0) if self.prediction.kind != "number" else (-math.inf, math.inf)
        asked = self.output
        return low if asked.min is None else asked.min, high if asked.max is None else asked.max

    def canonical(self) -> dict[str, Any]:
        """Return the plan as plain JSON values, every default spelled out.

        Keys younger than plans that may still be running are left out where they say nothing: a plan
        that was frozen before them keeps its hash.
        """
        body = self.model_dump(mode="json", by_alias=True)
        for part, younger in _YOUNGER_INSIDE.items():
            for key in [key for key in younger if (body[part] or {}).get(key) == younger[key]]:
                body[part].pop(key, None)
        return {key: value for key, value in body.items() if value is not None or key not in _YOUNGER}

    @property
    def hash(self) -> str:
        """sha256 of the canonical JSON: what an approval and a ledger row are bound to."""
        body = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(body.encode()).hexdigest()
