"""Which stay on which step a moment belongs to, and which spans of time are closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headgate.errors import EvidenceError
from headgate.evidence import Entry
from headgate.plan.model import Plan

HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Return microseconds since 1970 (UTC), exactly."""
    return (at - EPOCH) // _MICROSECOND


def column_micros(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int64]:
    """Return a timestamp[us] column without nulls as microseconds since 1970, shape (n,)."""
    return np.asarray(column.cast(pa.int64()), dtype=np.int64)


def hour_of(at: datetime) -> datetime:
    """Return the start of the UTC hour that ``at`` is in."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def stay_indices(entries: Sequence[Entry], at: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return for each moment (microseconds since 1970, shape (n,)) the index of the stay in force.

    What came before the first stay belongs to the first: a rollout that opens at noon judges the
    whole block it opened in.

    Raises
    ------
    EvidenceError
        If there is no stay at all, or they are not in order of time.
    """
    if not entries:
        raise EvidenceError("no entry into any step: evidence of a rollout that never started")
    since = np.array([micros(entry.since) for entry in entries], dtype=np.int64)
    if np.any(np.diff(since) < 0):
        raise EvidenceError(f"stays are not in order of time: {[e.since.isoformat() for e in entries]}")
    return np.maximum(np.searchsorted(since, at, side="right") - 1, 0)


def stay_at(entries: Sequence[Entry], at: datetime) -> Entry:
    """Return the stay in force at ``at`` (see `stay_indices`)."""
    return entries[int(stay_indices(entries, np.array([micros(at)], dtype=np.int64))[0])]


def closed_batches(plan: Plan, since: datetime, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield (start, end) of every block, or hour under ``block: none``, that is closed by ``now``.

    Batches start at whole multiples of their length since 1970 UTC; the first is the one ``since``
    is in. A batch closes at its end plus the plan's maturity.

    Examples
    --------
    Unit tests show it with a plan; blocks of a day and a maturity of two days close on the third day.
    """
    length = HOUR if plan.unit.block == "none" else plan.unit.block
    start = since - (since - EPOCH) % length
    start = start.astimezone(UTC)
    while start + length + plan.outcomes.maturity <= now:
        yield start, start + length
        start += length
