"""What is written down of every request: the input for the shadow flow, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from headgate.alerts.masking import Mask
from headgate.plan.model import ColumnKind, Plan
from headgate.plan.where import read_where
from headgate.tables.columns import INSTANT

_TYPES = {
    ColumnKind.INTEGER: pa.float64(),  # so that what is no number can be told from what is missing
    ColumnKind.NUMBER: pa.float64(),
    ColumnKind.CATEGORY: pa.string(),
    ColumnKind.BOOLEAN: pa.bool_(),
    ColumnKind.TIMESTAMP: INSTANT,
}

#: What became of a request, one row each.
ANSWERS = pa.schema(
    [
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("at", INSTANT, nullable=False),
        pa.field("answered_at", INSTANT, nullable=False),
        pa.field("decision", pa.string(), nullable=False),
        pa.field("stood_in", pa.string()),  # who stood in, where anybody did
        pa.field("why", pa.string()),  # the failure, or the reasons of a refusal
        pa.field("flags", pa.string()),
        pa.field("side", pa.string()),
        pa.field("assigned", pa.string()),
        pa.field("answer", pa.float64()),
        pa.field("confidence", pa.float64()),
        pa.field("version", pa.string()),
        pa.field("rollout", pa.string()),
        pa.field("slice", pa.string()),
        pa.field("latency_ms", pa.float64()),
    ]
)


def request_schema(plan: Plan, columns: tuple[str, ...]) -> pa.Schema:
    """Return the columns of the request log: by the plan's names id, time and entity; then ``columns``."""
    rules = plan.input.columns if plan.input else {}
    freshness = plan.input.freshness if plan.input else {}
    kinds = dict.fromkeys(freshness, INSTANT) | {name: _TYPES[rule.type] for name, rule in rules.items()}
    numbers = {
        one.column for part in plan.slices for one in read_where(part.where).comparisons
        if isinstance(one.literals[0], float | int) and not isinstance(one.literals[0], bool)
    }  # fmt: skip
    kinds |= {name: pa.float64() for name in numbers if name not in kinds}
    own = {plan.requests.id: pa.string(), plan.requests.at: INSTANT, plan.unit.entity: pa.string()}
    fields = [pa.field(name, kind) for name, kind in own.items()]
    return pa.schema([*fields, *(pa.field(n, kinds.get(n, pa.string())) for n in columns if n not in own)])


def masked_row(plan: Plan, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request without the secrets in its free texts: of words from a list nothing can be secret."""
    rules = plan.input.columns if plan.input else {}
    return {
        name: _FREE_TEXT(value) if isinstance(value, str) and not _listed(rules.get(name)) else value
        for name, value in row.items()
    }


def shown_row(plan: Plan, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request as a person may see it: besides, what the plan masks is not there."""
    hidden = plan.input.mask if plan.input else ()
    return {name: value for name, value in masked_row(plan, row).items() if name not in hidden}


def _listed(rule: Any) -> bool:
    return rule is not None and (rule.values is not None or rule.type is ColumnKind.TIMESTAMP)


_FREE_TEXT = Mask()
