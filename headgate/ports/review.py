"""The review queue: where a person is asked what the answer should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from headgate.ports.traffic import Side


class ReviewReason(StrEnum):
    """Why a person is asked."""

    FALLBACK = "fallback"  # nobody else could answer, and the plan's order says: a person
    LOW_CONFIDENCE = "low_confidence"  # a model answered, and is less sure than the plan asks
    FLAGGED = "flagged"  # answered, though the input contract found something odd
    HIGH_VALUE = "high_value"  # the plan's rule for cases that are worth a look
    SAMPLED = "sampled"  # drawn, by segment and disagreement


@dataclass(frozen=True, slots=True)
class ReviewCase:
    """One request that a person should look at.

    Attributes
    ----------
    service, request_id
        Together the case's identity: a case that is put twice is one case.
    entity
        Who it is about, as the plane assigns it.
    at
        When the request came; aware UTC.
    reason
        Why a person is asked.
    side
        Who answered; None: nobody did.
    answer
        What was answered, None where nothing was. Of a low-confidence case this is what the caller did
        *not* get as a decision.
    confidence
        The answering model's, 0 to 1; None where there is none.
    rollout
        The open rollout; None when there is none or the plane did not say.
    slice
        As `headgate.ports.Served.slice`.
    inputs
        The columns of the input contract, masked as the request log's are.
    """

    service: str
    request_id: str
    entity: str
    at: datetime
    reason: ReviewReason
    side: Side | None
    answer: float | None
    confidence: float | None
    rollout: str | None
    slice: str | None
    inputs: Mapping[str, Any]


class ReviewQueue(Protocol):
    """Takes cases for people to look at."""

    def put(self, case: ReviewCase) -> bool:
        """Keep a case; False if this request of the service is there already. Nothing is doubled.

        Raises
        ------
        StoreError
            If the case cannot be kept: the caller goes on to the plan's next fallback.
        """
        ...
