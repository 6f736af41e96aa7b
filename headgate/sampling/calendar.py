"""When requests came, as people speak of it: the month, the weekday, the hour where the service lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from headgate.tables.columns import INSTANT

#: Derived columns, behind the time column's own name.
PARTS = ("month", "weekday", "hour")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER = timedelta(minutes=15)  # every zone's offset is a multiple of it
_MICRO = timedelta(microseconds=1)
_NULL = np.iinfo(np.int64).min


def parts_of(at: pa.Array, zone: ZoneInfo) -> dict[str, pa.Array]:
    """Return month, weekday and local hour of every time, as text; null where there is no time.

    Few quarters of an hour are distinct, so each is looked up once; no time zone database but Python's.

    Examples
    --------
    >>> at = pa.array([datetime(2013, 7, 1, 2, 30, tzinfo=UTC)], INSTANT)
    >>> {name: part.to_pylist() for name, part in parts_of(at, ZoneInfo("America/New_York")).items()}
    {'month': ['06 June'], 'weekday': ['7 Sunday'], 'hour': ['22 h']}
    """
    micros = np.asarray(at.cast(INSTANT, safe=False).cast(pa.int64()).fill_null(_NULL))
    quarters, where = np.unique(micros // (_QUARTER // _MICRO), return_inverse=True)
    local = [
        None if q == _NULL // (_QUARTER // _MICRO) else (_EPOCH + q * _QUARTER).astimezone(zone)
        for q in quarters.tolist()
    ]
    words = {"month": "%m %B", "weekday": "%u %A", "hour": "%H h"}
    indices = pa.array(where.astype(np.int64))
    return {
        part: pa.array([one and one.strftime(words[part]) for one in local], pa.string()).take(indices)
        for part in PARTS
    }
