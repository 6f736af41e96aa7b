"""Sends one message to one URL. Retries the network, never a refusal."""

from __future__ import annotations

from typing import Any

import httpx
import stamina

from headgate.alerts.masking import masked_route
from headgate.errors import NoticeRefused, NoticeUnavailable

#: Tries of one attempt: ten seconds in all, with growing pauses and jitter. The next one is minutes later.
TRIES = 4
_TIMEOUT = httpx.Timeout(10, connect=5)
#: Not yes, and worth asking again: the server is busy, or it counts.
_LATER = frozenset({408, 425, 429})


def post(url: str, body: dict[str, Any], client: httpx.Client | None = None) -> str:
    """Post a message as JSON; return what came back, in a few words.

    Redirects are not followed: where a message goes is for the plan to say.

    Raises
    ------
    NoticeRefused
        If the receiver answers and says no (4xx, or a redirect).
    NoticeUnavailable
        If it cannot be reached or is not well (5xx, 429) on every try.
    """
    if client is None:
        with httpx.Client(timeout=_TIMEOUT) as ours:
            return post(url, body, ours)
    for attempt in stamina.retry_context(
        on=NoticeUnavailable, attempts=TRIES, timeout=30, wait_initial=0.5, wait_max=8, wait_jitter=0.5
    ):
        with attempt:
            return _post(url, body, client)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _post(url: str, body: dict[str, Any], client: httpx.Client) -> str:
    route = masked_route(url)
    try:
        answer = client.post(url, json=body)
    except httpx.InvalidURL as err:
        raise NoticeRefused(f"{route}: asked to tell an alert; {err}; mend the route") from err
    except httpx.TransportError as err:
        raise NoticeUnavailable(
            f"{route}: asked to tell an alert; it cannot be reached ({type(err).__name__}); is it up?"
        ) from err
    if answer.is_success:
        return f"{answer.status_code} {answer.reason_phrase}".strip()
    said = f"{answer.status_code} {' '.join(answer.text.split())[:200]}".strip()
    if answer.is_server_error or answer.status_code in _LATER:
        raise NoticeUnavailable(f"{route}: asked to tell an alert; it answers {said}")
    raise NoticeRefused(f"{route}: asked to tell an alert; it refuses: {said}; mend the route")
