"""Which slice of the plan every request of a table belongs to."""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.errors import InputError
from headgate.plan.model import ALL, Plan
from headgate.plan.where import Where, read_where
from headgate.plan.where_terms import Comparison, check_kind
from headgate.tables.columns import only_column

Mask = npt.NDArray[np.bool_]

_SIGNS = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


#: Column of exchanges that says whose they are, where the plan has slices.
SLICE = "slice"


def of_slice(exchanges: pa.Table, name: str) -> pa.Table:
    """Return the exchanges of one slice; all of them for ``all``."""
    return exchanges if name == ALL else exchanges.filter(pc.equal(exchanges[SLICE], name))


def slice_columns(plan: Plan) -> tuple[str, ...]:
    """Return the columns of the request log that decide about slices, each once, in order."""
    wheres = (read_where(part.where) for part in plan.slices)
    return tuple(dict.fromkeys(column for where in wheres for column in where.columns))


def slice_of(plan: Plan, table: pa.Table) -> pa.DictionaryArray:
    """Return the slice of every row.

    Parameters
    ----------
    plan
        The whole plan, with its slices.
    table
        Requests or exchanges with the columns that the slices name, as the request log holds them.

    Returns
    -------
    pyarrow.DictionaryArray of string
        As long as the table; null where a request is in no slice and stays with the incumbent. ``all``
        everywhere when the plan has no slices.

    Raises
    ------
    InputError
        If a column is missing or holds another type than what it is held against, or if two slices
        claim one request.

    Examples
    --------
    >>> import pyarrow.compute as pc
    >>> mine = pc.equal(slice_of(plan, table), "jfk")  # doctest: +SKIP
    """
    names = plan.slice_names
    if names == (ALL,):
        codes = pa.array(np.zeros(table.num_rows, np.int8))
        return pa.DictionaryArray.from_arrays(codes, pa.array(names))
    masks = [mask_of(read_where(part.where), table) for part in plan.slices]
    for (first, here), (second, there) in combinations(zip(names, masks, strict=True), 2):
        if (both := here & there).any():
            raise InputError(_claimed_twice(table, int(both.argmax()), int(both.sum()), first, second))
    codes = np.full(table.num_rows, -1, np.int16)
    for i, mask in enumerate(masks):
        codes[mask] = i
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(names))


def mask_of(where: Where, table: pa.Table) -> Mask:
    """Return which rows of a table an expression holds for.

    Raises
    ------
    InputError
        If a column is missing or holds another type than what it is held against.
    """
    mask: Mask = where.fold(partial(_compare, table=table))
    return mask


def _compare(comparison: Comparison, table: pa.Table) -> Mask:
    values = only_column(table, comparison.column, "slices")
    if not pa.types.is_dictionary(values.type):
        return _held(comparison, values)
    # Every value is looked at once, however often it comes.
    coded = values.unify_dictionaries().combine_chunks()
    held = np.append(_held(comparison, coded.dictionary), [False])
    codes = pc.fill_null(coded.indices.cast(pa.int64()), len(held) - 1)
    mask: Mask = held[np.asarray(codes)]
    return mask


def _held(comparison: Comparison, values: pa.Array | pa.ChunkedArray) -> Mask:
    if pa.types.is_null(values.type):
        return np.zeros(len(values), bool)
    check_kind(comparison, _kind(values.type))
    kind = pa.float64() if _kind(values.type) == "a number" else values.type
    values, literals = values.cast(kind, safe=False), pa.array(comparison.literals, kind)
    if comparison.sign in _SIGNS:
        held = _SIGNS[comparison.sign](values, literals[0])
    else:
        held = pc.is_in(values, value_set=literals)
        held = held if comparison.sign == "in" else pc.invert(held)
    missing = pc.is_null(values, nan_is_null=True)
    return np.asarray(pc.and_not(pc.fill_null(held, fill_value=False), missing), bool)


def _kind(kind: pa.DataType) -> str:
    """Return what a column holds in the words of `headgate.plan.where_terms.kind_of`."""
    if pa.types.is_boolean(kind):
        return "true or false"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "a number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    return str(kind)


def _claimed_twice(table: pa.Table, row: int, rows: int, first: str, second: str) -> str:
    named = "request_id" in table.column_names
    which = f"request {table.column('request_id')[row].as_py()!r}" if named else f"row {row}"
    return (
        f"slices: asked every request in one slice at most; found {rows} in both {first!r} and {second!r}, "
        f"the first is {which}; narrow the `where` of one of them"
    )
