"""One column of a table, read as names, times or labels; what is of no use is an error."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from headgate.errors import InputError

INSTANT = pa.timestamp("us", "UTC")


def only_column(table: pa.Table, column: str, name: str) -> pa.ChunkedArray:
    """Return the column of that name; ``name`` is the table's, for errors.

    Raises
    ------
    InputError
        If it is missing or there twice.
    """
    indices = table.schema.get_all_field_indices(column)
    if len(indices) != 1:
        found = "it twice" if indices else f"{', '.join(table.column_names) or 'no columns'}"
        raise InputError(f"{name}: asked one column {column!r}; found {found}; correct the table or the plan")
    return table.column(indices[0])


def names(table: pa.Table, column: str, name: str) -> pa.ChunkedArray:
    """Return a column of names as text, null where it is missing or empty.

    Raises
    ------
    InputError
        If it is neither text nor whole numbers.
    """
    values = only_column(table, column, name)
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    usable = pa.types.is_integer(kind) or pa.types.is_null(kind)
    if not (usable or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(
            f"{name}: asked {column!r} as text or whole numbers; found {kind}; convert it where it is written"
        )
    text = values.cast(pa.string())
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def instants(table: pa.Table, column: str, name: str) -> pa.ChunkedArray:
    """Return a column of times in UTC, to the microsecond.

    Raises
    ------
    InputError
        If it holds no timestamps, or timestamps without a zone.
    """
    values = only_column(table, column, name)
    kind = values.type
    if pa.types.is_null(kind):
        return values.cast(INSTANT)
    if not pa.types.is_timestamp(kind):
        raise InputError(
            f"{name}: asked {column!r} as timestamps with a time zone; found {kind}; "
            "write real timestamps, for example timestamp[us, UTC]"
        )
    if kind.tz is None:
        raise InputError(
            f"{name}: asked {column!r} with a time zone; found naive timestamps ({kind}); "
            "say which zone they are in where they are written, for example with "
            "pandas: .dt.tz_localize('America/New_York')"
        )
    try:
        # Nanoseconds lose their last three digits; any other unit must fit as it is.
        return values.cast(INSTANT, safe=kind.unit != "ns")
    except pa.ArrowInvalid as err:
        raise InputError(f"{name}: asked {column!r} within the years 1 to 9999; found {err}") from err


def labels(table: pa.Table, column: str, name: str, *, number: bool = False) -> pa.ChunkedArray:
    """Return a column of labels as floats, whatever their values.

    ``number``: the labels are numbers of any size; else they are 0 and 1.

    Raises
    ------
    InputError
        If it holds no numbers; booleans are labels only where these are 0 and 1.
    """
    values = only_column(table, column, name)
    kind = values.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not (numeric or pa.types.is_null(kind) or (pa.types.is_boolean(kind) and not number)):
        asked = "numbers (integer or float)" if number else "0 and 1 (boolean, integer or float)"
        raise InputError(
            f"{name}: asked label {column!r} as {asked}; found {kind}; convert it where it is written"
        )
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    return values.cast(pa.float64(), safe=False)
