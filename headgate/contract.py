"""The input contract: which requests may be scored, and what is wrong with the others.

Values are taken as they are: text that looks like a number is text, NaN is not a missing value, and
nothing is filled in. A column that has the wrong type as a whole refuses all its rows, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.errors import InputError
from headgate.plan.model import ColumnContract, ColumnKind, InputContract

Mask = npt.NDArray[np.bool_]


class Fault(StrEnum):
    """What can be wrong with one value."""

    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    NOT_A_NUMBER = "not_a_number"
    INFINITE = "infinite"
    BELOW_MIN = "below_min"
    ABOVE_MAX = "above_max"
    UNKNOWN_CATEGORY = "unknown_category"
    NAIVE_TIMESTAMP = "naive_timestamp"


#: No request can carry these to a model, so they are refused even where ``on_invalid`` is flag.
_UNSENDABLE = frozenset({Fault.WRONG_TYPE, Fault.NOT_A_NUMBER, Fault.INFINITE, Fault.NAIVE_TIMESTAMP})


@dataclass(frozen=True, slots=True)
class _Breach:
    """The rows of one column with one fault."""

    column: str
    fault: Fault
    asked: str
    rows: Mask
    values: pa.ChunkedArray

    @property
    def reason(self) -> str:
        return f"{self.column}.{self.fault}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What the contract says about n requests, in their order.

    Attributes
    ----------
    mask_ok
        n booleans: the request may be scored. Flagged requests may.
    flagged
        n booleans: scored, though something is odd about it.
    reasons
        ``column.fault`` and in how many requests it was found, rejected and flagged together.
    row_reasons
        Per odd row (position from 0) its reasons, separated by ``; ``.
    """

    mask_ok: Mask
    flagged: Mask
    reasons: dict[str, int]
    row_reasons: dict[int, str]
    _breaches: tuple[_Breach, ...]

    def problem(self, row: int) -> dict[str, Any] | None:
        """Return what is wrong with one request as problem details (RFC 9457), None when nothing is."""
        if row not in self.row_reasons:
            return None
        errors = [
            {
                "pointer": f"#/{breach.column}",
                "code": breach.fault.value,
                "detail": f"asked {breach.asked}; found {_shown(breach.values[row])}",
            }
            for breach in self._breaches
            if breach.rows[row]
        ]
        title = "The request is odd but was scored" if self.mask_ok[row] else "The request cannot be scored"
        return {"type": "about:blank", "title": title, "status": 422, "errors": errors}


def check(table: pa.Table, contract: InputContract) -> Checked:
    """Hold every request against the contract.

    Parameters
    ----------
    table
        n requests, with at least the contract's columns.
    contract
        The plan's ``input``.

    Raises
    ------
    InputError
        If a column of the contract is missing altogether or is there twice.
    """
    breaches = [breach for name, rule in contract.columns.items() for breach in _breaches(table, name, rule)]
    rejected, odd = np.zeros(table.num_rows, bool), np.zeros(table.num_rows, bool)
    row_reasons: dict[int, str] = {}
    for breach in breaches:
        odd |= breach.rows
        if _rejects(breach, contract):
            rejected |= breach.rows
        reason = breach.reason
        for row in np.flatnonzero(breach.rows).tolist():
            seen = row_reasons.get(row)
            row_reasons[row] = reason if seen is None else f"{seen}; {reason}"
    reasons = {breach.reason: int(breach.rows.sum()) for breach in breaches}
    return Checked(~rejected, odd & ~rejected, reasons, row_reasons, tuple(breaches))


def _rejects(breach: _Breach, contract: InputContract) -> bool:
    if breach.fault in _UNSENDABLE:
        return True
    if breach.fault is Fault.UNKNOWN_CATEGORY and contract.columns[breach.column].other == "flag":
        return False
    return contract.on_invalid == "reject"


def _breaches(table: pa.Table, name: str, rule: ColumnContract) -> Iterator[_Breach]:
    indices = table.schema.get_all_field_indices(name)
    if len(indices) != 1:
        found = "it is not there" if not indices else f"it is there {len(indices)} times"
        raise InputError(
            f"requests: asked one column {name!r} (input.columns of the plan); found {found}; "
            f"the table has {', '.join(table.column_names) or 'no columns'}"
        )
    column = table.column(indices[0])
    asked = _asked(rule)
    missing = _mask(pc.is_null(column))
    if rule.missing == "refuse" and missing.any():
        yield _Breach(name, Fault.MISSING, asked, missing, column)
    for fault, rows in _faults(column, rule):
        present = rows & ~missing
        if present.any():
            yield _Breach(name, fault, asked, present, column)


def _faults(column: pa.ChunkedArray, rule: ColumnContract) -> Iterator[tuple[Fault, Mask]]:
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
                yield Fault.UNKNOWN_CATEGORY, ~_mask(known)
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


def _mask(values: pa.ChunkedArray) -> Mask:
    return np.asarray(values.to_numpy(), bool)


def _asked(rule: ColumnContract) -> str:
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


def _shown(value: pa.Scalar) -> str:
    return f"{value.as_py()!r} ({value.type})" if value.is_valid else "nothing"
