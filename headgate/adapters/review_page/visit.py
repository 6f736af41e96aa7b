"""One request to the page, read; and how it is answered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from headgate.adapters.review_page.desk import Desk
from headgate.adapters.review_page.sessions import Session, Sessions
from headgate.adapters.review_page.showing import render
from headgate.adapters.store import reviews
from headgate.errors import HeadgateError, IllegalTransition, InputError, StoreError
from headgate.report.formats import lasting, when
from headgate.review.case import Queued, cases_wait

_MOST_BODY = 64_000


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to the page, read."""

    desk: Desk
    sessions: Sessions
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    cookie: str | None
    session: Session | None
    secure: bool = False

    @property
    def reviewer(self) -> Session:
        """Who looks; only where somebody does."""
        assert self.session is not None  # noqa: S101 - `_served` sends everybody else to sign in
        return self.session


class Unknown(InputError):
    """There is no such queue or case."""


def page(visit: Visit, template: str, *, status: int = 200, **values: object) -> Response:
    """Return one of the page's templates, with what all of them show."""
    session = visit.session
    common = {
        "reviewer": session.reviewer if session else "",
        "token": session.token if session else "",
        "own": visit.desk.reviewer is not None,
        "cases_wait": cases_wait,
        "lasting": lasting,
        "when": when,
    }
    return HTMLResponse(render(template, common | values), status)


def to(where: str) -> RedirectResponse:
    """Send the browser on to another address."""
    return RedirectResponse(where, 303)


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form; what is none, or too long, is refused."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BODY:
            raise InputError(f"asked a form of at most {_MOST_BODY} bytes; found more")
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
    except (UnicodeDecodeError, ValueError) as err:
        raise InputError(f"asked the fields of a form; {err}") from err
    return {name: values[-1] for name, values in fields.items()}


def service_of(visit: Visit) -> str:
    """Return the service that is asked for, if it has a queue."""
    name, known = visit.path["service"], reviews.services(visit.desk.engine)
    if name not in known:
        raise Unknown(
            f"asked the queue of {name[:60]!r}; there are queues of: {', '.join(known) or 'nobody yet'}"
        )
    return name


def case_of(visit: Visit) -> Queued:
    """Return the case that is asked for, if it is of that service."""
    case = reviews.get(visit.desk.engine, int(visit.path["case"]))
    if case.case.service != visit.path["service"]:
        raise Unknown(f"asked case {case.id} of {visit.path['service'][:60]!r}; it is of {case.case.service}")
    return case


def status_of(err: HeadgateError) -> int:
    """Return the HTTP status of a refusal."""
    match err:
        case Unknown():
            return 404
        case IllegalTransition():
            return 409
        case InputError():
            return 400
        case StoreError():
            return 503
        case _:
            return 500


def page_in(visit: Visit) -> int:
    """Return which page of a list is asked for, from 1; the first where that is none."""
    text = visit.query.get("page", "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def number_in(text: str) -> float:
    """Return the number that was typed."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"asked an answer as a number; found {text[:40]!r}; write e.g. 1")
    return found
