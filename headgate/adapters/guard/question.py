"""A request as the models are asked, and what its caller gets."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from headgate.guard.headers import AT, ENTITY, REQUEST_ID, SLICE
from headgate.guard.problems import Problem
from headgate.guard.words import Decision, Failed, Failure, Said, StandIn

#: What a model says of a request that would be wrong again tomorrow; any other 4xx is our own fault.
CALLERS_FAULT = (400, 413, 415, 422)
#: Seconds; a server may ask for an endless rest.
_LONGEST_TOLD = 86_400.0


@dataclass(frozen=True, slots=True)
class Question:
    """A request as the models are asked."""

    request_id: str
    entity: str | None
    slice: str | None
    at: datetime
    body: bytes
    row: Mapping[str, Any]

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the plane needs to assign and log it."""
        told = [(b"content-type", b"application/json"), (REQUEST_ID, self.request_id.encode())]
        told += [(AT, self.at.astimezone(UTC).isoformat().replace("+00:00", "Z").encode())]
        told += [(ENTITY, self.entity.encode())] if self.entity is not None else []
        return told + ([(SLICE, self.slice.encode())] if self.slice not in (None, "all") else [])

    @property
    def digest(self) -> str:
        """What is asked, about whom: the same id must ask the same."""
        return hashlib.sha256(f"{self.entity}\0".encode() + self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the caller gets, and how it came about."""

    decision: Decision
    status: int
    body: bytes = b""
    problem: Problem | None = None
    said: Said | None = None
    why: str | None = None
    stood_in: StandIn | None = None
    flags: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def used_before(request_id: str) -> Resolved:
    """Return what is told to whoever uses an id for another request than before."""
    detail = f"x-request-id: asked the request that was queued as {request_id!r}; found another; use a new id"
    return Resolved(
        Decision.REFUSED, 409, problem=Problem(409, "id_used_before", detail), why="id_used_before"
    )


def nobody(failed: Failed, flags: tuple[str, ...]) -> Resolved:
    """Return what is told where nobody answers and nobody stands in."""
    if failed.failure is Failure.REFUSED and failed.status in CALLERS_FAULT:
        detail = f"the model refuses this request ({failed.detail}); it would refuse it again"
        return Resolved(
            Decision.REFUSED,
            422,
            problem=Problem(422, "model_refused", detail),
            why=failed.failure,
            flags=flags,
        )
    wait = {"retry-after": str(math.ceil(min(max(1.0, failed.retry_after or 1.0), _LONGEST_TOLD)))}
    if failed.failure is Failure.LIMITED:
        limited = Problem(429, "model_limited", "the models ask to be left alone; come back later", (), wait)
        return Resolved(Decision.LIMITED, 429, problem=limited, why=failed.failure, flags=flags)
    # Not the detail, which may quote what a model said.
    detail = f"nobody could answer ({failed.failure}) and nobody stands in; come back later"
    problem = Problem(503, "unanswered", detail, (), wait)
    return Resolved(Decision.UNANSWERED, 503, problem=problem, why=failed.failure, flags=flags)
