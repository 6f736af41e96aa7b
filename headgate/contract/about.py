"""What is told about an input besides its values: from when its sources are, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headgate.contract.breach import Breach, Fault, Mask
from headgate.contract.values import as_mask
from headgate.errors import InputError
from headgate.plan.durations import as_duration

#: Clocks of two machines disagree by less than this: a source so much younger than the request is no error.
SKEW = timedelta(minutes=1)


def too_old(table: pa.Table, column: pa.ChunkedArray, name: str, age: timedelta) -> Iterator[Breach]:
    """Yield where a source is older than ``age`` when its request came (column ``at``), or is from later.

    A source whose time is missing, is no time, or has no zone is of unknown age: that is a fault as well.
    """
    asked = f"a timestamp with a time zone, at most {as_duration(age)} before the request"
    missing = as_mask(pc.is_null(column))
    if missing.any():
        yield Breach(name, Fault.MISSING, asked, missing, column)
    kind = column.type
    if pa.types.is_null(kind):
        return
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        fault = Fault.NAIVE_TIMESTAMP if pa.types.is_timestamp(kind) else Fault.WRONG_TYPE
        yield Breach(name, fault, asked, ~missing, column)
        return
    if "at" not in table.column_names:
        raise InputError(
            f"requests: asked the column `at` to tell how old {name!r} is; found {table.column_names}"
        )
    # Missing on either side: no number, and neither older nor younger than anything.
    old = (_micros(table["at"]) - _micros(column)) / np.timedelta64(1, "us")
    for fault, rows in (
        (Fault.STALE, old > age / timedelta(microseconds=1)),
        (Fault.FROM_LATER, old < -SKEW / timedelta(microseconds=1)),
    ):
        if rows.any():
            yield Breach(name, fault, asked, rows, column)


def of_unknown_origin(column: pa.ChunkedArray, name: str, allowed: tuple[str, ...]) -> Iterator[Breach]:
    """Yield where nobody says, or knows, where an input comes from; ``allowed`` empty: any text does."""
    asked = f"one of {', '.join(allowed)}" if allowed else "text that says where the input comes from"
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    missing = as_mask(pc.is_null(column))
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if is_text:
        text = column.cast(pa.large_string())
        missing |= as_mask(pc.fill_null(pc.equal(text, ""), fill_value=False))
    if missing.any():
        yield Breach(name, Fault.MISSING, asked, missing, column)
    if not is_text:
        if (~missing).any():
            yield Breach(name, Fault.WRONG_TYPE, asked, ~missing, column)
        return
    unknown: Mask = np.zeros(len(column), bool)
    if allowed:
        unknown = ~as_mask(pc.is_in(text, pa.array(allowed, pa.large_string()))) & ~missing
    if unknown.any():
        yield Breach(name, Fault.UNKNOWN_ORIGIN, asked, unknown, column)


def _micros(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.asarray(pc.cast(column, pa.timestamp("us", "UTC"), safe=False).to_numpy(), "datetime64[us]")
