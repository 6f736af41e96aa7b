"""The plane's logs: the lines Envoy is told to write, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from headgate.adapters.planes import log_files
from headgate.adapters.planes.log_files import NO_SLICE, aware, event_time
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
    seen, claimed = aware(said["ts"]), said["at"]
    return seen if claimed is None else event_time(claimed, seen)


def _latency_ms(said: Mapping[str, Any]) -> float:
    # No last byte was sent to a caller that went away; then only whole milliseconds are known.
    micros = said["us"]
    return float(said["ms"]) if micros is None else micros / 1000


def read(access: Path, shadow: Path, position: Mapping[str, int]) -> PlaneLog:
    """Return what both logs gained since ``position``; see `headgate.adapters.planes.log_files.read`."""
    return log_files.read(position, (access, served), (shadow, mirrored))
