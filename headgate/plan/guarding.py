"""What the guard does for callers: how sure an answer must be, who stands in, how often it may ask."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from headgate.plan.part import Duration, Part


class SafeDefault(Part):
    """The answer that does the least harm, given when nobody else answers."""

    safe_default: float


#: Who stands in, as written in a plan.
Fallback = Literal["incumbent", "review", "queue"] | SafeDefault


class Unsure(StrEnum):
    """What becomes of an answer that its model is not sure enough of."""

    REVIEW = "review"  # a person decides; the caller is told so
    INCUMBENT = "incumbent"  # the incumbent is asked instead
    SAFE_DEFAULT = "safe_default"
    FLAG = "flag"  # the caller gets it, marked, and a person looks at it


class ConfidenceFloor(Part):
    """Below which confidence an answer does not stand by itself."""

    value: float = Field(gt=0, lt=1)
    then: Unsure = Unsure.REVIEW


class RetryBudget(Part):
    """How much of the guard's asking may be asking again.

    Within any ten seconds, at most ``least`` repeats and besides ``share`` of the requests.
    """

    share: float = Field(default=0.1, ge=0, le=1)
    least: int = Field(default=10, ge=0)


class RateLimit(Part):
    """How many requests one guard lets in; more are told when to come back (429)."""

    requests: int = Field(ge=1)
    per: Duration = timedelta(seconds=1)
    burst: int | None = Field(default=None, ge=1)

    @property
    def most_at_once(self) -> int:
        """How many may come at one moment."""
        return self.burst or self.requests


class QueueRule(Part):
    """How many requests may wait to be answered later, and for how long an answer is of use."""

    most: int = Field(default=100_000, ge=1)
    keep: Duration = timedelta(days=7)
