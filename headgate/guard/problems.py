"""What callers are told when there is no answer: problem details (RFC 9457), always, and never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from headgate.errors import InputError
from headgate.guard.words import Named

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem, as it is told.

    Attributes
    ----------
    status
        HTTP status.
    code
        A word for programs, which never changes.
    detail
        What was asked, what was found, what to do.
    errors
        One entry per thing that is wrong: ``pointer`` into the body, ``code``, ``detail``.
    headers
        E.g. ``retry-after``.
    """

    status: int
    code: str
    detail: str
    errors: Sequence[Mapping[str, Any]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the JSON body."""
        found: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            found["errors"] = list(self.errors)
        if request_id is not None:
            found["request_id"] = request_id
        return found


class Refused(InputError):
    """The request is not as agreed; nobody was asked."""

    def __init__(self, problem: Problem, *, reasons: Sequence[str] = ()) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.reasons = tuple(reasons) or (problem.code,)
        #: What was asked, where that much could be read: it is logged, to be counted as rejected.
        self.about: tuple[Named, Mapping[str, Any]] | None = None
