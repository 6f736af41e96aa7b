"""What an Arrow array holds, read from its buffers.

Arrow's own way to numpy imports pandas, which takes longer than to profile a small window.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from headgate.profile.columns import Kind


def kind_of(type_: pa.DataType) -> Kind:
    """Return what kind of values an Arrow type holds."""
    if types.is_dictionary(type_):
        return kind_of(type_.value_type)
    if types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_):
        return Kind.NUMBER
    if types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_):
        return Kind.CATEGORY
    if types.is_boolean(type_):
        return Kind.BOOLEAN
    if types.is_timestamp(type_) or types.is_date(type_):
        return Kind.TIMESTAMP
    return Kind.OPAQUE


def plain(array: pa.Array) -> pa.Array:
    """Return an array whose type says what its values are; dictionaries stay only around texts."""
    if isinstance(array, pa.ExtensionArray):
        return plain(array.storage)
    if not types.is_dictionary(array.type):
        return array
    value = array.type.value_type
    if types.is_string(value) or types.is_large_string(value):
        return array
    return array.dictionary_decode()


def values_in(array: pa.Array) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """Return all n values, whatever stands where one is null, and which are there (None: all of them)."""
    if types.is_decimal(array.type):
        array = array.cast(pa.float64())
    # Buffers are read here: Arrow's own way to numpy imports pandas, which takes longer than a small window.
    _, data = array.buffers()
    end = array.offset + len(array)
    dtype = np.dtype(array.type.to_pandas_dtype())
    values = np.frombuffer(data, dtype, end)[array.offset :] if len(array) else np.zeros(0, dtype)
    return values, (valid_in(array) if array.null_count else None)


def numbers_in(array: pa.Array) -> npt.NDArray[Any]:
    """Return the values that are there."""
    values, there = values_in(array)
    return values if there is None else values[there]


def floats_in(array: pa.Array) -> npt.NDArray[np.float64]:
    """Return all n values of numbers or booleans as floats, NaN where none is.

    Examples
    --------
    >>> floats_in(pa.array([1, None, 3])).tolist()
    [1.0, nan, 3.0]
    """
    whole = pc.fill_null(pc.cast(plain(array), pa.float64(), safe=False), np.nan)
    return np.asarray(numbers_in(whole), np.float64)


def microseconds_in(array: pa.Array) -> npt.NDArray[np.int64]:
    """Return the times that are there, as microseconds since 1970 in UTC."""
    if types.is_date(array.type):
        array = array.cast(pa.timestamp("ms"))
    zone = array.type.tz
    micro = pc.cast(array, pa.timestamp("us", zone), safe=False).view(pa.int64())
    return np.asarray(numbers_in(micro), np.int64)


def valid_in(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Return which values are there, of an array with nulls; shape (n,)."""
    end = array.offset + len(array)
    packed = np.frombuffer(array.buffers()[0], np.uint8, (end + 7) // 8)
    return np.unpackbits(packed, count=end, bitorder="little")[array.offset :].view(np.bool_)


def as_text(array: pa.Array) -> pa.Array:
    """Return texts as the plain type."""
    return array.cast(pa.string()) if types.is_string_view(array.type) else array
