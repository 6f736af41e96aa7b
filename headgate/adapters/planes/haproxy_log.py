"""HAProxy's log: what the lines mean that `haproxy_config` has it write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from headgate.adapters.planes import log_files
from headgate.adapters.planes.log_files import NO_SLICE, event_time
from headgate.ports import PlaneLog, Served, Side

_ABSENT = "-"  # how HAProxy writes what is not there


def served(line: bytes) -> Served:
    """Return the live request of one line.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it is no line of ours, or of a request that no route took (malformed, body too large).

    Examples
    --------
    >>> served(
    ...     b'{"ts":1364810400.500,"at":"-","request_id":"=r1","entity":"=N1","status":200,"end":"----",'
    ...     b'"us":1250,"ms":1,"rollout":"gbm","generation":"3","slice":"all","assigned":"candidate",'
    ...     b'"served":"incumbent","answered":"yes","retries":"+1"}'
    ... ).served
    <Side.INCUMBENT: 'incumbent'>
    """
    said = orjson.loads(line)
    # An answer that its server cut off half way is none.
    answered = said["answered"] != _ABSENT and not said["end"].startswith("S")
    rollout, slice_ = said["rollout"], said["slice"]
    return Served(
        request_id=_text(said["request_id"]),
        entity=_text(said["entity"]),
        at=event_time(said["at"], datetime.fromtimestamp(said["ts"], UTC)),
        assigned=Side(said["assigned"]),
        served=Side(said["served"]) if answered else None,
        status=_status(said, answered=answered),
        # Micros are of a clock that can be set; the whole milliseconds are not.
        latency_ms=said["us"] / 1000 if said["us"] > 0 else float(said["ms"]),
        rollout="" if rollout == _ABSENT else rollout,
        generation=int(said["generation"]),
        slice=None if slice_ == NO_SLICE else slice_,
    )


def read(access: Path, position: Mapping[str, int]) -> PlaneLog:
    """Return what the log gained since ``position``; see `headgate.adapters.planes.log_files.read`."""
    return log_files.read(position, (access, served))


def _text(value: str) -> str:
    # A sign goes before every text: nothing would look like an absent one.
    if value[:1] != "=":
        raise ValueError(f"text expected, found {value!r}")
    return value[1:]


def _status(said: Mapping[str, Any], *, answered: bool) -> int:
    gone = str(said["end"]).startswith("C") and not answered
    return 0 if gone else max(int(said["status"]), 0)
