"""The rollout plan: what an ML engineer writes down before any traffic moves."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from headgate.plan.durations import as_duration, parse_duration
from headgate.verdicts import Role

Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(as_duration)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Percent = Annotated[float, Field(ge=0, le=100)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Owner(_Part):
    """Who answers for the model after launch."""

    name: str = Field(min_length=1)
    contact: str = Field(min_length=3)
    deputy: str | None = None


class ModelRef(_Part):
    """A served model, Open Inference Protocol v2 over HTTP."""

    kind: Literal["http"]
    url: str = Field(pattern=r"^https?://[^/\s]+$")
    model: str = Field(min_length=1)
    version: str = Field(min_length=1)


class Requests(_Part):
    """Where the request log is and what its columns are called."""

    path: str
    id: str = "request_id"
    at: str = "at"


class Unit(_Part):
    """Who is assigned, and what shares its shocks.

    ``block: none`` treats requests as independent; refused while the design effect says otherwise,
    unless ``independent`` is true.
    """

    entity: str
    block: Duration | Literal["none"] = timedelta(days=1)
    block_bound: float = Field(default=0.2, gt=0, le=2)
    independent: bool = False


class Exclude(_Part):
    """Unlabelled requests are left out, for this reason."""

    exclude: str = Field(min_length=10)


class Outcomes(_Part):
    """Where outcomes are, and how late they come."""

    path: str
    label: str
    known_at: str
    maturity: Duration
    missing: Literal["bound"] | Exclude = "bound"


class Prediction(_Part):
    """What the models answer."""

    kind: Literal["probability", "label"]
    threshold: float = Field(default=0.5, ge=0, le=1)


class ColumnKind(StrEnum):
    """Kinds of input columns."""

    INTEGER = "integer"
    NUMBER = "number"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"


class ColumnContract(_Part):
    """What one input column may hold."""

    type: ColumnKind
    min: float | None = None
    max: float | None = None
    values: tuple[str, ...] | None = None
    other: Literal["flag", "reject"] = "reject"
    missing: Literal["allow", "refuse"] = "refuse"


class InputContract(_Part):
    """What a request must look like to be scored; these columns are sent to the models."""

    columns: dict[str, ColumnContract] = Field(min_length=1)
    on_invalid: Literal["reject", "flag"] = "reject"


class OutputContract(_Part):
    """The range an answer must be in."""

    min: float = 0.0
    max: float = 1.0


class Retry(_Part):
    """How a failing call is repeated."""

    attempts: int = Field(default=3, ge=1, le=10)
    backoff: Literal["exponential"] = "exponential"
    base: Duration = timedelta(milliseconds=50)
    jitter: bool = True


class Circuit(_Part):
    """When a failing server is left alone for a while."""

    error_rate: float = Field(default=0.2, gt=0, le=1)
    window: Duration = timedelta(seconds=60)
    min_calls: int = Field(default=50, ge=1)
    half_open_after: Duration = timedelta(seconds=30)


class Serving(_Part):
    """How the models are called."""

    timeout: Duration = timedelta(milliseconds=300)
    retry: Retry = Retry()
    circuit: Circuit = Circuit()
    batch: int = Field(default=256, ge=1, le=10_000, description="Requests per shadow call.")
    concurrency: int = Field(default=4, ge=1, le=64, description="Shadow calls under way per side.")
    fallback: tuple[Literal["incumbent"], ...] = ("incumbent",)


class ErrorBudget(_Part):
    """Chances of a wrong decision over the whole rollout."""

    promote_bad: float = Field(default=0.05, gt=0, lt=0.5)
    roll_back_fine: float = Field(default=0.05, gt=0, lt=0.5)


class Metric(StrEnum):
    """What a gate can ask about."""

    BRIER = "brier"
    ZERO_ONE = "zero_one"
    ERROR_RATE = "error_rate"
    COVERAGE = "coverage"
    LATENCY = "latency"


class Applies(StrEnum):
    """On which steps a gate counts."""

    SHADOW = "shadow"  # step 0
    SPLIT = "split"  # 0 < share < 100 %
    ALL = "all"


class Gate(_Part):
    """One question asked of the evidence. Which keys a metric needs is checked by the lint.

    ``margin``: paired losses; the largest worsening tolerated, in the metric's unit.
    ``ceiling`` / ``floor``: rates. ``quantile``, ``ratio``: latency; ``tolerate`` is the ratio up to
    which a slower candidate counts as fine (1: any slowdown is harm).
    """

    name: Name
    metric: Metric
    role: Role = Role.GUARDRAIL
    margin: float | None = None
    expect: float = 0.0
    harm: float | None = None
    variance: float | None = Field(default=None, gt=0)
    ceiling: float | None = Field(default=None, gt=0, lt=1)
    floor: float | None = Field(default=None, gt=0, lt=1)
    quantile: float | None = Field(default=None, gt=0, lt=1)
    ratio: float | None = Field(default=None, gt=1)
    tolerate: float = Field(default=1.0, ge=1)
    min_samples: int = Field(default=1, ge=1)
    evidence: Literal["carry", "fresh"] | None = None
    applies: Applies | None = None
    from_: Percent = Field(default=0, alias="from")

    # Tests and tools may say from_; a plan file may not (load.py validates by alias alone).
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class Segments(_Part):
    """Parts of the requests that must each hold.

    ``gates`` maps a gate's name to the margin each segment above the floor must prove.
    """

    by: tuple[str, ...] = Field(min_length=1)
    floor: float = Field(default=0.02, gt=0, lt=1)
    gates: dict[str, float] = Field(min_length=1)


class ApprovalRule(_Part):
    """Who must say yes before a step is entered."""

    approvers: int = Field(default=1, ge=1, le=10)
    expires: Duration = timedelta(hours=72)


class Step(_Part):
    """A rung of the ramp. ``approval`` is needed to enter it; ``dwell`` is the least time on it."""

    percent: Percent
    dwell: Duration = timedelta(0)
    approval: ApprovalRule | None = None

    @property
    def share_bp(self) -> int:
        """The share in basis points."""
        return round(self.percent * 100)


class Deadline(_Part):
    """How long a step and the whole rollout may take, and that silence never promotes."""

    step: Duration = timedelta(days=120)
    rollout: Duration = timedelta(days=240)
    then: Literal["expire"] = "expire"


class Calendar(_Part):
    """When the share may rise. Rolling back is never bound by it."""

    timezone: str = "UTC"
    advance: str = "mon-sun 00:00-24:00"
    freeze: tuple[str, ...] = ()


class PlaneRef(_Part):
    """Which traffic plane applies the share."""

    kind: Literal["envoy"] = "envoy"


class Plan(_Part):
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
    steps: tuple[Step, ...] = Field(min_length=2)
    watch: Duration = timedelta(0)
    on_fail: Literal["roll_back", "step_back", "freeze"] = "roll_back"
    deadline: Deadline = Deadline()
    calendar: Calendar = Calendar()
    plane: PlaneRef = PlaneRef()

    def canonical(self) -> dict[str, Any]:
        """Return the plan as plain JSON values, every default spelled out."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def hash(self) -> str:
        """sha256 of the canonical JSON: what an approval and a ledger row are bound to."""
        body = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(body.encode()).hexdigest()
