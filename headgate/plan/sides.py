"""The models and their data: who answers, what a request looks like, what happened, how calls are made."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from headgate.plan.guarding import ConfidenceFloor, Fallback, QueueRule, RateLimit, RetryBudget
from headgate.plan.part import Duration, Part


class Owner(Part):
    """Who answers for the model after launch."""

    name: str = Field(min_length=1)
    contact: str = Field(min_length=3)
    deputy: str | None = None


class ModelRef(Part):
    """A served model, Open Inference Protocol v2 over HTTP."""

    kind: Literal["http"]
    url: str = Field(pattern=r"^https?://[^/\s]+$")
    model: str = Field(min_length=1)
    version: str = Field(min_length=1)


class Requests(Part):
    """Where the request log is and what its columns are called."""

    path: str
    id: str = "request_id"
    at: str = "at"


class Unit(Part):
    """Who is assigned, and what shares its shocks.

    ``block: none`` treats requests as independent; refused while the design effect says otherwise,
    unless ``independent`` is true. ``block_bound`` is in the metric's own unit; None: 0.2 x the range of
    the loss, or x its cap.
    """

    entity: str
    block: Duration | Literal["none"] = timedelta(days=1)
    block_bound: float | None = Field(default=None, gt=0)
    independent: bool = False


class Exclude(Part):
    """Unlabelled requests are left out, for this reason."""

    exclude: str = Field(min_length=10)


class Audit(Part):
    """Labels are sought only for requests drawn with this chance, before anybody knows the answer."""

    audit: float = Field(gt=0, lt=1)


class Outcomes(Part):
    """Where outcomes are, and how late they come.

    ``depends_on_decision``: what happens depends on which side answered (a refused loan never defaults),
    so there are no paired labels: labelled gates compare the two arms of the live split, and some traffic
    stays on the incumbent for ever. ``overridden``: column that is 1 where a person overruled the answer.
    """

    path: str
    label: str
    known_at: str
    maturity: Duration
    missing: Literal["bound"] | Exclude | Audit = "bound"
    depends_on_decision: bool = False
    overridden: str | None = None


class Prediction(Part):
    """What the models answer."""

    kind: Literal["probability", "label", "number"]
    threshold: float = Field(default=0.5, ge=0, le=1)


class ColumnKind(StrEnum):
    """Kinds of input columns."""

    INTEGER = "integer"
    NUMBER = "number"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"


class ColumnContract(Part):
    """What one input column may hold."""

    type: ColumnKind
    min: float | None = None
    max: float | None = None
    values: tuple[str, ...] | None = None
    other: Literal["flag", "reject"] = "reject"
    missing: Literal["allow", "refuse"] = "refuse"


class InputContract(Part):
    """What a request must look like to be scored; ``columns`` are sent to the models.

    ``freshness``: columns that say from when a source is, and how old it may be. ``provenance``: columns
    that say where the input comes from, and the values allowed (none named: any text, but not nothing).
    ``terminology``: per column of type category other people's terms and ours. ``mask``: columns whose
    values are shown to nobody; they stay in the request log, which the models are scored from.
    """

    columns: dict[str, ColumnContract] = Field(min_length=1)
    on_invalid: Literal["reject", "flag"] = "reject"
    freshness: dict[str, Duration] = Field(default={})
    provenance: dict[str, tuple[str, ...]] = Field(default={})
    terminology: dict[str, dict[str, str]] = Field(default={})
    mask: tuple[str, ...] = ()

    @property
    def about(self) -> tuple[str, ...]:
        """The columns that are told about an input and not sent to the models."""
        told = (*self.freshness, *self.provenance)
        return tuple(name for name in dict.fromkeys(told) if name not in self.columns)


class OutputContract(Part):
    """The range an answer must be in; None: as wide as the kind of prediction is."""

    min: float | None = None
    max: float | None = None


class Retry(Part):
    """How a failing call is repeated."""

    attempts: int = Field(default=3, ge=1, le=10)
    backoff: Literal["exponential"] = "exponential"
    base: Duration = timedelta(milliseconds=50)
    jitter: bool = True


class Circuit(Part):
    """When a failing server is left alone for a while."""

    error_rate: float = Field(default=0.2, gt=0, le=1)
    window: Duration = timedelta(seconds=60)
    min_calls: int = Field(default=50, ge=1)
    half_open_after: Duration = timedelta(seconds=30)


class Serving(Part):
    """How the models are called."""

    timeout: Duration = timedelta(milliseconds=300)
    retry: Retry = Retry()
    circuit: Circuit = Circuit()
    batch: int = Field(default=256, ge=1, le=10_000, description="Requests per shadow call.")
    concurrency: int = Field(default=4, ge=1, le=64, description="Shadow calls under way per side.")
    fallback: tuple[Fallback, ...] = ("incumbent",)
    confidence_below: ConfidenceFloor | None = None
    retry_budget: RetryBudget | None = None
    rate_limit: RateLimit | None = None
    queue: QueueRule | None = None
