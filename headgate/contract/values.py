"""What one column of the contract asks for, and where its values are something else."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headgate.contract.breach import Fault, Mask
from headgate.plan.model import ColumnContract, ColumnKind


def column_faults(column: pa.ChunkedArray, rule: ColumnContract) -> Iterator[tuple[Fault, Mask]]:
    """Yield each fault and its rows; what is said about missing values does not count."""
    everywhere = np.ones(len(column), bool)
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    match rule.type:
        case ColumnKind.INTEGER | ColumnKind.NUMBER if _is_number(kind):
            yield from _number_faults(column.cast(kind), rule)
        case ColumnKind.CATEGORY if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            if rule.values is not None:
                known = pc.is_in(column.cast(pa.large_string()), pa.array(rule.values, pa.large_string()))
                yield Fault.UNKNOWN_CATEGORY, ~as_mask(known)
        case ColumnKind.BOOLEAN if pa.types.is_boolean(kind):
            pass
        case ColumnKind.TIMESTAMP if pa.types.is_timestamp(kind):
            if kind.tz is None:
                yield Fault.NAIVE_TIMESTAMP, everywhere
        case _:
            yield Fault.WRONG_TYPE, everywhere


def _number_faults(column: pa.ChunkedArray, rule: ColumnContract) -> Iterator[tuple[Fault, Mask]]:
    values = np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy())
    finite = np.isfinite(values)
    yield Fault.NOT_A_NUMBER, np.isnan(values)
    yield Fault.INFINITE, np.isinf(values)
    if rule.type is ColumnKind.INTEGER:
        yield Fault.WRONG_TYPE, finite & (np.floor(values) != values)
    if rule.min is not None:
        yield Fault.BELOW_MIN, finite & (values < rule.min)
    if rule.max is not None:
        yield Fault.ABOVE_MAX, finite & (values > rule.max)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def as_mask(values: pa.ChunkedArray) -> Mask:
    """Return Arrow's booleans, none of them missing, as numpy's."""
    return np.asarray(values.to_numpy(), bool)


def asked_of(rule: ColumnContract) -> str:
    """Return what a column asks for, in words."""
    match rule.type:
        case ColumnKind.CATEGORY if rule.values is not None:
            text = f"one of {', '.join(rule.values)}"
        case ColumnKind.CATEGORY:
            text = "text"
        case ColumnKind.BOOLEAN:
            text = "true or false"
        case ColumnKind.TIMESTAMP:
            text = "a timestamp with a time zone"
        case ColumnKind.INTEGER | ColumnKind.NUMBER:
            text = "a whole number" if rule.type is ColumnKind.INTEGER else "a number"
            text += f" of at least {rule.min:g}" if rule.min is not None else ""
            text += " and" if rule.min is not None and rule.max is not None else ""
            text += f" of at most {rule.max:g}" if rule.max is not None else ""
    return text if rule.missing == "refuse" else f"{text}, or nothing"
