"""What the columns of the three tables of a rollout are called, and what they may hold."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from headgate.errors import InputError
from headgate.plan.model import Plan
from headgate.tables.columns import INSTANT, only_column

#: What `clean_requests` puts in front of the columns of the request log.
REQUESTS = pa.schema(
    [
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("entity", pa.string(), nullable=False),
        pa.field("at", INSTANT, nullable=False),
    ]
)

#: One request with both sides' answers; `exchanges_schema` adds the segment columns.
EXCHANGES = pa.schema(
    [
        *REQUESTS,
        pa.field("window", pa.string(), nullable=False),
        pa.field("incumbent_prediction", pa.float64()),
        pa.field("candidate_prediction", pa.float64()),
        pa.field("incumbent_status", pa.string(), nullable=False),
        pa.field("candidate_status", pa.string(), nullable=False),
        pa.field("incumbent_version", pa.string()),
        pa.field("candidate_version", pa.string()),
        pa.field("reject_reason", pa.string()),
        pa.field("share_bp", pa.int32(), nullable=False),
    ]
)

#: A segment column keeps its own name behind this.
SEGMENT = "seg_"


def exchanges_schema(
    segment_columns: Sequence[str], *, sliced: bool = False, costs: bool = False
) -> pa.Schema:
    """Return the schema of exchanges with a text column per segment column of the plan.

    Parameters
    ----------
    sliced
        The plan has slices: a column ``slice`` says whose each exchange is.
    costs
        The plan asks what an answer costs: a column per side says so, null where the server does not.

    Examples
    --------
    >>> exchanges_schema(["origin"]).names[-1]
    'seg_origin'
    >>> exchanges_schema([], sliced=True, costs=True).names[-3:]
    ['slice', 'incumbent_cost', 'candidate_cost']
    """
    more = [pa.field(SEGMENT + column, pa.string()) for column in segment_columns]
    more += [pa.field("slice", pa.string(), nullable=False)] if sliced else []
    more += [pa.field(f"{side}_cost", pa.float64()) for side in ("incumbent", "candidate") if costs]
    return pa.schema([*EXCHANGES, *more])


def outcomes_schema(plan: Plan) -> pa.Schema:
    """Return the schema of cleaned outcomes by the plan's names: id, label and time known.

    The label is 0 or 1, or any finite number where the models answer numbers. Where the plan names one,
    a last column says whether a person overruled the answer: 1, 0, or null where that is not known.
    """
    outcomes = plan.outcomes
    label = pa.float64() if plan.prediction.kind == "number" else pa.int8()
    overridden = [] if outcomes.overridden is None else [pa.field(outcomes.overridden, pa.int8())]
    return pa.schema(
        [
            pa.field(plan.requests.id, pa.string(), nullable=False),
            pa.field(outcomes.label, label, nullable=False),
            pa.field(outcomes.known_at, INSTANT, nullable=False),
            *overridden,
        ]
    )


def require(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    """Return the table with the columns of ``schema`` in its order.

    Raises
    ------
    InputError
        If a column is missing, has another type, or lacks a value that must be there.
    """
    for field in schema:
        column = only_column(table, field.name, name)
        if column.type != field.type:
            raise InputError(f"{name}: asked {field.name} as {field.type}; found {column.type}; write it so")
        if not field.nullable and column.null_count:
            raise InputError(f"{name}: asked {field.name} in every row; found {column.null_count} without")
    return table.select(schema.names).cast(schema)
