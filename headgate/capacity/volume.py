"""How many requests there are: in all, and in the busiest hour."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Volume:
    """The pilot's volume.

    Attributes
    ----------
    per_day
        Requests a day, on average.
    peak
        Requests per second of the busiest hour, or as the plan says.
    source
        Where ``peak`` comes from, in words.
    """

    per_day: float
    peak: float
    source: str


def volume_of(at: pa.ChunkedArray, days: float, pilot: float | None = None) -> Volume | None:
    """Return the volume of requests at these times; None without any.

    Parameters
    ----------
    at
        Times with a zone, shape (n,); those that are null are not counted.
    days
        The time they are from: hours without requests count as well.
    pilot
        Requests per second to take for the busiest hour.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> at = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (1, 1, 1, 2)]
    >>> found = volume_of(pa.chunked_array([pa.array(at, pa.timestamp("us", "UTC"))]), days=2)
    >>> found.per_day, f"{found.peak:.5f}", found.source
    (2.0, '0.00083', 'the busiest hour, 3 requests')
    """
    dated = at.drop_null()
    if not len(dated):
        return None
    hours = pc.value_counts(pc.floor_temporal(dated, unit="hour"))
    busiest = max(count["counts"].as_py() for count in hours)
    per_day = len(dated) / days
    if pilot is not None:
        return Volume(per_day, pilot, "the plan's `load.pilot`")
    return Volume(per_day, busiest / _HOUR_S, f"the busiest hour, {busiest:,} requests")
