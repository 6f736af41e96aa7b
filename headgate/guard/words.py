"""What a request is called, what becomes of it at the guard, and what can go wrong behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from headgate.ports import Side


@dataclass(frozen=True, slots=True)
class Named:
    """What the headers say.

    Attributes
    ----------
    request_id
        The caller's, else the body's ``id``, else one that was made up: then the same request sent again
        is another one to us (``given`` is False).
    entity
        None: not said; the request id is assigned to a side instead, as at the plane.
    at
        The caller's ``x-request-at``, else the clock.
    """

    request_id: str
    given: bool
    entity: str | None
    at: datetime
    slice: str | None


class Decision(StrEnum):
    """What the caller got."""

    SERVED = "served"  # a model's answer
    SAFE_DEFAULT = "safe_default"  # the plan's own answer
    REVIEW = "review"  # a person will say (202)
    QUEUED = "queued"  # the models will say later (202)
    REFUSED = "refused"  # the request is not as agreed (4xx)
    LIMITED = "limited"  # too many requests (429)
    UNANSWERED = "unanswered"  # nobody could answer (503)


class Failure(StrEnum):
    """Why a model's answer does not stand."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    SERVER_ERROR = "server_error"
    LIMITED = "limited"  # it said when to come back, and that is too long to wait for
    REFUSED = "refused"  # 4xx: it will say so again
    INVALID = "invalid"  # it answered, and the answer is garbage, null or out of range
    CIRCUIT_OPEN = "circuit_open"  # not asked: too many failures lately
    UNSURE = "unsure"  # it answered below the confidence floor


#: Worth asking again: the next try may meet another server, or a better moment.
TRANSIENT = frozenset({Failure.UNREACHABLE, Failure.TIMEOUT, Failure.SERVER_ERROR, Failure.LIMITED})


class StandIn(StrEnum):
    """Who can stand in for an answer."""

    INCUMBENT = "incumbent"
    REVIEW = "review"
    QUEUE = "queue"
    SAFE_DEFAULT = "safe_default"


@dataclass(frozen=True, slots=True)
class Failed:
    """No usable answer.

    Attributes
    ----------
    side
        Whose failure it is; None where nobody said who was asked.
    status
        HTTP status, where there was an answer.
    retry_after
        Seconds until it wants to be asked again, where it said so.
    """

    failure: Failure
    detail: str
    side: Side | None = None
    status: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A usable answer of a model.

    Attributes
    ----------
    body
        The answer as it came, byte for byte.
    confidence
        How sure the model is, 0 to 1; None where nobody can tell.
    side
        Who answered, by the version in the answer; None where that is not one of the plan's.
    assigned
        The side the plane assigned the entity to; differs from ``side`` after a fallback at the plane.
    told
        The headers that go on to the caller, e.g. ``x-rollout``.
    """

    body: bytes
    value: float
    confidence: float | None
    version: str | None
    side: Side | None
    assigned: Side | None
    told: tuple[tuple[str, str], ...] = ()
