"""Logs that others write, read with care: columns that are there, times with a zone, rows in one order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from headgate.adapters.places import Place
from headgate.errors import InputError, LakeError
from headgate.tables import INSTANT

_BATCH_ROWS = 65_536


def open_log(where: Place, key: str, columns: Iterable[str], times: Iterable[str]) -> ds.Dataset:
    """Return a log that has these columns, ``times`` among them as times with a zone.

    Parameters
    ----------
    key
        The plan's key or the option that names the place, for errors.

    Raises
    ------
    InputError
        If the place or a column is not there, or times have no zone.
    LakeError
        If it cannot be read.
    """
    try:
        if not where.exists():
            raise InputError(
                f"{key}: asked Parquet at {where}; found nothing there; correct the path in the plan"
            )
        source = where.dataset()
    except (OSError, pa.ArrowException) as err:
        raise LakeError(f"{where}: not readable as Parquet: {err}; restore or remove the file") from err
    names = source.schema.names
    if not names:
        raise InputError(f"{key}: asked Parquet at {where}; found no file in that folder")
    missing = [column for column in dict.fromkeys(columns) if column not in names]
    if missing:
        raise InputError(
            f"{key}: asked columns {missing} in {where}; found {names}; correct the plan or the log"
        )
    for column in times:
        _check_zone(source.schema.field(column), f"{key}: {where}")
    return source


def between(source: ds.Dataset, when: str, start: datetime, end: datetime) -> pc.Expression:
    """Return which rows have ``start <= when < end``.

    Raises
    ------
    InputError
        If start or end has no zone.
    """
    at = instant(source, when)
    return (at >= moment(start, "start")) & (at < moment(end, "end"))


def instant(source: ds.Dataset, column: str) -> pc.Expression:
    """Return the column in UTC microseconds. As it is where it can be, so that files can be skipped."""
    field = ds.field(column)
    return field if source.schema.field(column).type == INSTANT else field.cast(INSTANT, safe=False)


def moment(at: datetime, name: str) -> pa.Scalar:
    """Return an aware time as Arrow compares it; ``name`` is for errors.

    Raises
    ------
    InputError
        If it has no zone.
    """
    if at.tzinfo is None:
        raise InputError(f"{name}: asked an aware time; found {at.isoformat()} without a zone; pass UTC")
    return pa.scalar(at, INSTANT)


def read(source: ds.Dataset, rows: pc.Expression, columns: list[str] | None) -> pa.Table:
    """Return these rows and columns at once.

    Raises
    ------
    LakeError
        If a file cannot be read.
    """
    try:
        return source.to_table(columns=columns, filter=rows)
    except (OSError, pa.ArrowException) as err:
        raise _unreadable(source, err) from err


def stream(
    source: ds.Dataset, rows: pc.Expression, columns: Sequence[str] | None
) -> Iterator[pa.RecordBatch]:
    """Yield these rows and columns batch by batch, in the order of the files; raises as `read` does."""
    try:
        yield from source.to_batches(
            columns=None if columns is None else list(columns),
            filter=rows,
            batch_size=_BATCH_ROWS,
            batch_readahead=2,
            fragment_readahead=1,
        )
    except (OSError, pa.ArrowException) as err:
        raise _unreadable(source, err) from err


def in_order(table: pa.Table, when: str, request_id: str) -> pa.Table:
    """Put times in UTC and rows in an order that does not depend on how files are cut."""
    if table.schema.field(when).type != INSTANT:
        # Nanoseconds lose their last three digits.
        in_utc = table[when].cast(INSTANT, safe=False)
        table = table.set_column(table.schema.get_field_index(when), when, in_utc)
    return table.sort_by([(when, "ascending"), (request_id, "ascending")])


def _unreadable(source: ds.Dataset, err: Exception) -> LakeError:
    return LakeError(f"{source.files[:1]} and others: cannot be read: {err}")


def _check_zone(field: pa.Field, where: str) -> None:
    if not pa.types.is_timestamp(field.type) or field.type.tz is None:
        raise InputError(
            f"{where}: asked column {field.name!r} as timestamps with a time zone; found {field.type}; "
            "write them in UTC, a time without a zone is a guess"
        )
