"""Says in one line what went wrong between us and Prefect's API."""

from __future__ import annotations

import sys

_STANDS = "what was recorded before stands, and `headgate status` and `headgate kill` need no Prefect server"
#: How Prefect says that its server is not there, and that one of its own making did not start.
_SIGNS = ("Failed to reach API", "ephemeral Prefect API")
_AUTH = "set PREFECT_API_AUTH_STRING to the PREFECT_SERVER_API_AUTH_STRING of the server"


def said_of(err: BaseException) -> str | None:
    """Return what a failure of Prefect's API means and what to do; None where it is none.

    Nothing is imported for it: where neither Prefect nor its HTTP client is in use, neither has failed.
    """
    if type(err) is RuntimeError and any(sign in str(err) for sign in _SIGNS):
        return _unreachable(" ".join(str(err).split()))
    httpx = sys.modules.get("httpx")
    if httpx is None:
        return None
    if isinstance(err, httpx.HTTPStatusError):
        status, url = err.response.status_code, _without_user(err.request.url)
        if status in (401, 403):
            return f"asked Prefect's API at {url}; it refuses our auth string ({status}); {_AUTH}; {_STANDS}"
        reason = " ".join(str(err).split())
        return f"asked Prefect's API at {url}; it answered {status}: {reason}; see its log; {_STANDS}"
    if isinstance(err, httpx.TransportError):
        return _unreachable(f"{type(err).__name__}: {err}")
    return None


def _unreachable(found: str) -> str:
    return (
        f"asked Prefect's API; {found}; start its server (`headgate up`, or `prefect server start`) or set "
        f"PREFECT_API_URL to where it runs; {_STANDS}"
    )


def _without_user(url: object) -> str:
    text = str(url)
    scheme, _, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
