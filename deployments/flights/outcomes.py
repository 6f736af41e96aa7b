"""The outcome log: who arrived late, and from when on that is known.

Flights that were cancelled, or diverted and never reached their destination, get no row: 9,430 of
336,776. A row appears four hours after landing, which covers the taxi to the gate (never more than
3 h 55 min in 2013) and the reporting.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

LATE_MINUTES = 15
"""The airlines' own rule: late is a quarter of an hour or more after schedule, at the gate."""
REPORTING_LAG = pd.Timedelta(hours=4)
"""From landing until the arrival at the gate is in the log."""

OUTCOMES = pa.schema(
    [
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("late", pa.int8(), nullable=False),
        pa.field("known_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


def outcome_log(flights: pd.DataFrame) -> pd.DataFrame:
    """Return ``request_id``, ``late`` and ``known_at`` of every flight that arrived.

    Parameters
    ----------
    flights
        Rows of the flights table with ``request_id`` and ``scheduled`` (departure, UTC).

    Returns
    -------
    DataFrame
        Sorted by ``known_at`` and ``request_id``; ``late`` is 0 or 1.

    Notes
    -----
    The arrival is reckoned from the departure: scheduled departure (UTC) + departure delay + minutes
    in the air. Arrival clock times are HHMM in the destination's zone, which the data does not name, and
    give no date; minutes elapsed need neither, and flights past midnight are no special case.
    """
    arrived = flights[flights["arr_delay"].notna()]
    elapsed = arrived["dep_delay"] + arrived["air_time"]
    landed = arrived["scheduled"] + pd.to_timedelta(elapsed, unit="min")
    rows = pd.DataFrame(
        {
            "request_id": arrived["request_id"],
            "late": (arrived["arr_delay"] >= LATE_MINUTES).astype("int8"),
            "known_at": (landed + REPORTING_LAG).astype("datetime64[us, UTC]"),
        }
    )
    return rows.sort_values(["known_at", "request_id"], ignore_index=True)
