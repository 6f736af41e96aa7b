"""The input contract: which requests may be scored, and what is wrong with the others.

Values are taken as they are: text that looks like a number is text, NaN is not a missing value, and
nothing is filled in. A column that has the wrong type as a whole refuses all its rows, and says so.

The guard holds single requests against it before anybody is asked, the shadow flow holds windows of them:
it is the same code.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headgate.contract.about import of_unknown_origin, too_old
from headgate.contract.breach import Breach, Checked, Fault, Mask
from headgate.contract.values import as_mask, asked_of, column_faults
from headgate.errors import InputError
from headgate.plan.model import ColumnContract, InputContract

__all__ = ["Checked", "Fault", "Mask", "check"]

#: No request can carry these to a model, so they are refused even where ``on_invalid`` is flag.
_UNSENDABLE = frozenset({Fault.WRONG_TYPE, Fault.NOT_A_NUMBER, Fault.INFINITE, Fault.NAIVE_TIMESTAMP})


def check(table: pa.Table, contract: InputContract) -> Checked:
    """Hold every request against the contract.

    Parameters
    ----------
    table
        n requests, with at least the contract's columns; with ``at``, when they came, where it asks for
        freshness.
    contract
        The plan's ``input``.

    Raises
    ------
    InputError
        If a column of the contract is missing altogether or is there twice.
    """
    breaches = list(_all_breaches(table, contract))
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


def _rejects(breach: Breach, contract: InputContract) -> bool:
    rule = contract.columns.get(breach.column)
    # What is only told about an input is not sent: with `flag` it may be anything.
    if rule is not None and breach.fault in _UNSENDABLE:
        return True
    if rule is not None and breach.fault is Fault.UNKNOWN_CATEGORY and rule.other == "flag":
        return False
    return contract.on_invalid == "reject"


def _all_breaches(table: pa.Table, contract: InputContract) -> Iterator[Breach]:
    for name, rule in contract.columns.items():
        yield from _breaches(_column(table, name, "input.columns"), name, rule)
    for name, age in contract.freshness.items():
        yield from too_old(table, _column(table, name, "input.freshness"), name, age)
    for name, allowed in contract.provenance.items():
        yield from of_unknown_origin(_column(table, name, "input.provenance"), name, allowed)


def _column(table: pa.Table, name: str, key: str) -> pa.ChunkedArray:
    indices = table.schema.get_all_field_indices(name)
    if len(indices) != 1:
        found = "it is not there" if not indices else f"it is there {len(indices)} times"
        raise InputError(
            f"requests: asked one column {name!r} ({key} of the plan); found {found}; "
            f"the table has {', '.join(table.column_names) or 'no columns'}"
        )
    return table.column(indices[0])


def _breaches(column: pa.ChunkedArray, name: str, rule: ColumnContract) -> Iterator[Breach]:
    asked = asked_of(rule)
    missing = as_mask(pc.is_null(column))
    if rule.missing == "refuse" and missing.any():
        yield Breach(name, Fault.MISSING, asked, missing, column)
    for fault, rows in column_faults(column, rule):
        present = rows & ~missing
        if present.any():
            yield Breach(name, fault, asked, present, column)
