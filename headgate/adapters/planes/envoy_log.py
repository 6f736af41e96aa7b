"""The plane's logs: the lines Envoy is told to write, and what they mean."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import orjson

from headgate.plan.model import ALL
from headgate.ports import Mirrored, PlaneLog, Served, Side

_COPY = {
    "ts": "%START_TIME%",
    "at": "%REQ(X-REQUEST-AT)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "host": "%UPSTREAM_HOST%",
    "us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
    "ms": "%DURATION%",
}
#: One line of a mirrored copy. Only a request that a slice's rule took is copied for it, so the header tells.
SHADOW_FORMAT: Mapping[str, str] = {**_COPY, "slice": "%REQ(X-HEADGATE-SLICE)%"}
#: One line of a live request.
ACCESS_FORMAT: Mapping[str, str] = {
    **_COPY,
    "entity": "%REQ(X-ENTITY-ID)%",
    "rollout": "%METADATA(ROUTE:headgate:rollout)%",
    "generation": "%METADATA(ROUTE:headgate:generation)%",
    "slice": "%METADATA(ROUTE:headgate:slice)%",
    "assigned": "%REQ(X-ROLLOUT-SIDE)%",
    "served": "%METADATA(UPSTREAM_HOST:headgate:side)%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
}

#: What the route of requests in no slice is called; no slice can be.
NO_SLICE = "-"

_Line = TypeVar("_Line")


def served(line: bytes) -> Served:
    """Return the live request of one line.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it is no line of ours, or of a request that no route took (malformed, body too large).

    Examples
    --------
    >>> served(
    ...     b'{"ts":"2013-04-01T10:00:00.5Z","at":null,"request_id":"r1","entity":"N1","status":200,'
    ...     b'"details":"via_upstream","us":1250,"ms":1,"rollout":"gbm","generation":"3",'
    ...     b'"assigned":"candidate","served":"incumbent"}'
    ... ).served
    <Side.INCUMBENT: 'incumbent'>
    """
    said = orjson.loads(line)
    request_id = _text(said["request_id"])
    entity = said["entity"]
    answered = said["details"] == "via_upstream"
    return Served(
        request_id=request_id,
        entity=request_id if entity is None else _text(entity),
        at=_event_time(said),
        assigned=Side(said["assigned"]),
        served=Side(said["served"]) if answered else None,
        status=int(said["status"]),
        latency_ms=_latency_ms(said),
        rollout=_text(said["rollout"]),
        generation=int(said["generation"]),
        slice=_slice(said.get("slice")),
    )


def mirrored(line: bytes) -> Mirrored:
    """Return the mirrored copy of one line; raises as `served` does."""
    said = orjson.loads(line)
    return Mirrored(
        request_id=_text(said["request_id"]),
        at=_event_time(said),
        status=int(said["status"]),
        latency_ms=_latency_ms(said),
        slice=said.get("slice"),
    )


def _slice(said: str | None) -> str | None:
    # Routes written before there were slices say nothing about them.
    return ALL if said is None else None if said == NO_SLICE else _text(said)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, found {value!r}")
    return value


def _event_time(said: Mapping[str, Any]) -> datetime:
    """Return the caller's time where it is one, else the plane's (aware UTC)."""
    claimed = said["at"]
    if claimed is not None:
        try:
            return _aware(claimed)
        except (ValueError, OverflowError):
            pass  # anybody can send anything: such a request happened when the plane saw it
    return _aware(said["ts"])


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return at.astimezone(UTC)


def _latency_ms(said: Mapping[str, Any]) -> float:
    # No last byte was sent to a caller that went away; then only whole milliseconds are known.
    micros = said["us"]
    return float(said["ms"]) if micros is None else micros / 1000


@dataclass(frozen=True, slots=True)
class _Read:
    lines: list[bytes]
    position: dict[str, int]
    restarted: bool


def read(access: Path, shadow: Path, position: Mapping[str, int]) -> PlaneLog:
    """Return what both logs gained since ``position`` ({} from the beginning).

    A line without its end is left for the next read. A log that was truncated or replaced is read
    from its beginning; that counts as one garbled line, because lines may have been lost with it.
    """
    live, copies = _new_lines(access, position), _new_lines(shadow, position)
    requests, bad_requests = _parsed(live.lines, served)
    mirrors, bad_mirrors = _parsed(copies.lines, mirrored)
    return PlaneLog(
        served=requests,
        mirrored=mirrors,
        position={**position, **live.position, **copies.position},
        garbled=bad_requests + bad_mirrors + live.restarted + copies.restarted,
    )


def _new_lines(path: Path, position: Mapping[str, int]) -> _Read:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return _Read([], {}, restarted=False)
    with file:
        found = os.fstat(file.fileno())
        start = position.get(path.name, 0)
        replaced = found.st_ino != position.get(f"{path.name}#inode", found.st_ino)
        restarted = replaced or found.st_size < start
        begin = 0 if restarted else start
        file.seek(begin)
        body = file.read()
    # Only a newline ends a line: header values may hold any other separator Unicode knows.
    whole = body.rfind(b"\n") + 1
    lines = body[:whole].split(b"\n")[:-1]
    return _Read(lines, {path.name: begin + whole, f"{path.name}#inode": found.st_ino}, restarted)


def _parsed(lines: list[bytes], parse: Callable[[bytes], _Line]) -> tuple[list[_Line], int]:
    good: list[_Line] = []
    bad = 0
    for line in lines:
        try:
            good.append(parse(line))
        except (ValueError, LookupError, TypeError, OverflowError, AttributeError):
            bad += 1
    return good, bad
