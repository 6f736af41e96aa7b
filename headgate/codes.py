"""Approval codes: proof that somebody who holds a secret gave this answer to this very request, just now.

A code is a TOTP (RFC 6238, SHA-256, 8 digits, steps of two minutes) under a key of its own for every
request and answer: HMAC-SHA256(secret, request and answer), as in the challenge-response mode that
RFC 6287 describes. A code for one request or answer says nothing about another.

It proves that the code was computed with the approver's secret, for exactly this request and answer,
within the last minutes. It does not prove who held the secret, and whoever can read the secrets in
the store and the key they are encrypted with can compute codes of anybody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pyotp

STEP_SECONDS = 120
DIGITS = 8
#: A code two steps old still counts, for four to six minutes in all: clocks differ, and reading takes time.
_NEIGHBOURS = 2


def new_secret() -> str:
    """Return a fresh secret of 160 random bits in base32, as authenticators write it."""
    return pyotp.random_base32(32)


def approval_request(
    rollout: str, slice_: str, *, step: int, attempt: int, plan_hash: str, digest: str
) -> str:
    """Return the name of one question: what an approval is bound to, in a line that people can copy.

    Examples
    --------
    >>> approval_request("flights-gbm-1", "all", step=1, attempt=2, plan_hash="a", digest="b")
    'flights-gbm-1/all/approve/1/2/7e18f737311b'
    """
    return f"{rollout}/{slice_}/approve/{step}/{attempt}/{_short(plan_hash, digest)}"


def break_glass_request(rollout: str, slice_: str, *, step: int, entry: int, plan_hash: str) -> str:
    """Return the name of a request to enter ``step`` without proof, in this stay (``entry``)."""
    return f"{rollout}/{slice_}/break-glass/{step}/{entry}/{_short(plan_hash)}"


def signoff_request(rollout: str, role: str, *, plan_hash: str) -> str:
    """Return the name of a signature under a rollout's plan in a role."""
    return f"{rollout}/signoff/{role}/{_short(plan_hash)}"


def answers_to(request: str) -> tuple[str, ...]:
    """Return what can be said to a request of this name; nothing, if it is no request's name.

    Examples
    --------
    >>> answers_to("flights-gbm-1/all/approve/1/2/7e18f737311b")
    ('approve', 'reject', 'hold')
    >>> answers_to("flights-gbm-1/signoff/security/7e18f737311b"), answers_to("flights-gbm-1")
    (('sign',), ())
    """
    match request.split("/"):
        case [_, _, "approve", _, _, _]:
            return ("approve", "reject", "hold")
        case [_, _, "break-glass", _, _, _]:
            return ("break_glass",)
        case [_, "signoff", _, _] | ["review", "sign-in", _]:
            return ("sign",)
        case _:
            return ()


def code_of(secret: str, request: str, answer: str, at: datetime) -> str:
    """Return the code for this answer to this request at this time.

    Parameters
    ----------
    secret
        As `new_secret` made it.
    answer
        What is said, e.g. ``approve``; for sign-offs ``sign``.
    """
    return _totp(secret, request, answer).at(at.astimezone(UTC))


def code_holds_until(at: datetime) -> datetime:
    """Return when a code computed at this time is last taken, by a clock that agrees with ours.

    Examples
    --------
    >>> code_holds_until(datetime(2026, 1, 5, 9, 1, tzinfo=UTC))
    datetime.datetime(2026, 1, 5, 9, 6, tzinfo=datetime.timezone.utc)
    """
    begun = int(at.timestamp()) // STEP_SECONDS * STEP_SECONDS
    return datetime.fromtimestamp(begun, UTC) + timedelta(seconds=STEP_SECONDS * (1 + _NEIGHBOURS))


def is_code(secret: str, request: str, answer: str, code: str, at: datetime) -> bool:
    """Return whether a code is that of this answer to this request, now or up to two steps away.

    Examples
    --------
    >>> at, secret = datetime(2026, 1, 5, 9, tzinfo=UTC), "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    >>> code = code_of(secret, "flights-gbm-1/all/approve/1/1/0a", "approve", at)
    >>> is_code(secret, "flights-gbm-1/all/approve/1/1/0a", "approve", code, at)
    True
    >>> is_code(secret, "flights-gbm-1/all/approve/1/1/0a", "reject", code, at)
    False
    """
    digits = "".join(code.split())
    totp = _totp(secret, request, answer)
    return totp.verify(digits, for_time=at.astimezone(UTC), valid_window=_NEIGHBOURS)


def _totp(secret: str, request: str, answer: str) -> pyotp.TOTP:
    raw = base64.b32decode(secret.strip().replace(" ", "").upper())
    key = hmac.digest(raw, f"headgate approval 1\n{request}\n{answer}".encode(), "sha256")
    return pyotp.TOTP(
        base64.b32encode(key).decode(), digits=DIGITS, digest=hashlib.sha256, interval=STEP_SECONDS
    )


def _short(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
