"""Other people's terms become those of the contract, by the plan's table and never by guessing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from headgate.plan.model import Plan

Terms = Mapping[str, Mapping[str, str]]


def terms_of(plan: Plan) -> Terms:
    """Return the plan's tables of terms by column; {} where it has none."""
    return plan.input.terminology if plan.input else {}


def in_our_terms(table: pa.Table, terms: Terms) -> tuple[pa.Table, dict[str, int]]:
    """Return the table with every term of these columns replaced, and how many were, by column.

    To the letter: what is not in the table of terms stays as it is. Columns that are missing or hold no
    text are left to the contract.

    Examples
    --------
    >>> told, counts = in_our_terms(pa.table({"x": ["American", "AA"]}), {"x": {"American": "AA"}})
    >>> told["x"].to_pylist(), counts
    (['AA', 'AA'], {'x': 1})
    """
    counts = {}
    for name, words in terms.items():
        where = table.schema.get_all_field_indices(name)
        if len(where) != 1 or not words or not _is_text(table.column(where[0]).type):
            continue
        column = table.column(where[0]).cast(pa.string())
        found = pc.index_in(column, value_set=pa.array(list(words), pa.string()))
        ours = pa.chunked_array([pa.array(list(words.values()), pa.string())]).take(found)
        counts[name] = len(found) - found.null_count
        if counts[name]:
            table = table.set_column(where[0], name, pc.coalesce(ours, column))
    return table, counts


def row_in_our_terms(row: dict[str, Any], terms: Terms) -> dict[str, str]:
    """Replace the terms of one request in place; return which columns changed, and what stood there.

    Examples
    --------
    >>> row = {"x": "American", "y": 1}
    >>> row_in_our_terms(row, {"x": {"American": "AA"}}), row
    ({'x': 'American'}, {'x': 'AA', 'y': 1})
    """
    changed = {}
    for name, words in terms.items():
        value = row.get(name)
        if isinstance(value, str) and value in words:
            changed[name] = value
            row[name] = words[value]
    return changed


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
