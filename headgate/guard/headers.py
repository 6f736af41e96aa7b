"""The headers that say whose request it is, when it came and what it is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from headgate.guard.problems import Problem, Refused
from headgate.guard.words import Named

ENTITY, REQUEST_ID, AT, SLICE = b"x-entity-id", b"x-request-id", b"x-request-at", b"x-headgate-slice"
LONGEST_ENTITY = 256
ID = r"[!-.0-~]{1,128}"
"""An id is printable ASCII without blanks and slashes: it stands in logs, file names and addresses."""
_ID = re.compile(ID)

Headers = Iterable[tuple[bytes, bytes]]


def read_headers(headers: Headers, own_id: str | None, now: datetime, new_id: Callable[[], str]) -> Named:
    """Read them strictly: what is ambiguous is refused, never guessed at.

    Parameters
    ----------
    own_id
        The ``id`` in the body.

    Raises
    ------
    Refused
        400: one of them is there twice, is not what it should be, or two ids differ.
    """
    entity, ours, at, part = (_only(headers, name) for name in (ENTITY, REQUEST_ID, AT, SLICE))
    request_id = _id(ours, own_id)
    return Named(
        request_id=request_id or new_id(),
        given=request_id is not None,
        entity=_text(ENTITY, entity) if entity else None,
        at=_time(at) if at else now,
        slice=_text(SLICE, part) if part else None,
    )


def _only(headers: Headers, name: bytes) -> bytes | None:
    found = [value.strip() for key, value in headers if key == name]
    if len(found) > 1:
        raise _refused(name, "it once", f"it {len(found)} times")
    return found[0] if found else None


def _id(header: bytes | None, own: str | None) -> str | None:
    text = header.decode("latin-1") if header else None
    for found in (text, own):
        if found is not None and not _ID.fullmatch(found):
            raise _refused(
                REQUEST_ID, "1 to 128 printable ASCII characters, no blank and no slash", _shown(found)
            )
    if text is not None and own is not None and text != own:
        raise _refused(REQUEST_ID, f"the body's id ({own!r})", _shown(text))
    return text or own


def _text(name: bytes, value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused(name, "text in UTF-8", _shown(value.decode("latin-1"))) from None
    if len(value) > LONGEST_ENTITY or any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise _refused(name, f"at most {LONGEST_ENTITY} bytes and no control characters", _shown(text))
    return text


def _time(value: bytes) -> datetime:
    try:
        at = datetime.fromisoformat(value.decode("ascii"))
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _refused(
        AT, "an ISO 8601 time with a zone, e.g. 2026-03-01T09:00:00Z", _shown(value.decode("latin-1"))
    )


def _refused(name: bytes, asked: str, found: str) -> Refused:
    header = name.decode()
    detail = f"{header}: asked {asked}; found {found}; correct the header"
    return Refused(Problem(400, "header", detail, ({"header": header, "code": "header", "detail": detail},)))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
