"""Exchanges of one closed batch of time with the labels known by its closing, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.compare.stays import column_micros, micros
from headgate.plan.model import Plan
from headgate.ports import Status
from headgate.tables import SEGMENT, clean_outcomes
from headgate.tables.columns import instants, names

OTHER = "other"
"""Segment of every value that is not in the list frozen at preflight."""

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Batch:
    """All n requests of a batch, sorted by (entity, request id).

    Attributes
    ----------
    entity
        Shape (n,): equal numbers, rising, for the requests of one entity.
    incumbent, candidate
        Shape (n,): predictions, NaN where there is none.
    label
        Shape (n,): 0, 1, or NaN where no usable label was known when the batch closed.
    paired
        Shape (n,): both sides answered.
    parts
        Per segment (``column=value``; None: all requests) which requests are in it, shape (n,).
    """

    entity: npt.NDArray[np.int64]
    incumbent: Floats
    candidate: Floats
    label: Floats
    paired: Mask
    parts: Mapping[str | None, Mask]


def batch_of(
    plan: Plan,
    exchanges: pa.Table,
    outcomes: pa.Table,
    span: tuple[datetime, datetime],
    segments: Mapping[str, tuple[str, ...]],
) -> Batch:
    """Return the requests of the span with the labels known by its end plus the plan's maturity.

    A request that was scored in two windows counts once, by the earlier exchange.

    Raises
    ------
    InputError
        If the outcome log is not as the plan says: see `headgate.tables.clean_outcomes`.
    """
    start, end = span
    at = column_micros(exchanges["at"])
    rows = exchanges.filter(pa.array((at >= micros(start)) & (at < micros(end))))
    rows = rows.sort_by([(key, "ascending") for key in ("entity", "request_id", "at", "window")])
    rows = rows.filter(pa.array(_first_of_each(rows)))
    paired = np.ones(rows.num_rows, dtype=np.bool_)
    for side in ("incumbent", "candidate"):
        paired &= np.asarray(pc.equal(rows[f"{side}_status"], Status.OK.value), dtype=np.bool_)
    return Batch(
        entity=np.cumsum(_changes(rows["entity"])),
        incumbent=_floats(rows["incumbent_prediction"]),
        candidate=_floats(rows["candidate_prediction"]),
        label=_labels(plan, rows["request_id"], outcomes, end),
        paired=paired,
        parts=_parts(plan, rows, segments),
    )


def _changes(sorted_column: pa.ChunkedArray) -> Mask:
    values = np.asarray(sorted_column, dtype=object)
    changed = np.ones(len(values), dtype=np.bool_)
    changed[1:] = values[1:] != values[:-1]
    return changed


def _first_of_each(rows: pa.Table) -> Mask:
    first: Mask = _changes(rows["entity"]) | _changes(rows["request_id"])
    return first


def _floats(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast(pa.float64()), dtype=np.float64)


def _labels(plan: Plan, ids: pa.ChunkedArray, outcomes: pa.Table, end: datetime) -> Floats:
    """Return the label per id. Only what was known when the batch closed is looked at, duplicates too."""
    closed = pa.scalar(end + plan.outcomes.maturity, pa.timestamp("us", tz="UTC"))
    in_time = pc.less_equal(instants(outcomes, plan.outcomes.known_at, "outcomes"), closed)
    ours = pc.is_in(names(outcomes, plan.requests.id, "outcomes"), value_set=ids.combine_chunks())
    known = clean_outcomes(outcomes.filter(pc.and_(in_time, ours)), plan).table
    where = pc.index_in(ids, value_set=known[plan.requests.id].combine_chunks())
    return _floats(known[plan.outcomes.label].take(where))


def _parts(plan: Plan, rows: pa.Table, segments: Mapping[str, tuple[str, ...]]) -> dict[str | None, Mask]:
    parts: dict[str | None, Mask] = {None: np.ones(rows.num_rows, dtype=np.bool_)}
    for column in plan.segments.by if plan.segments else ():
        values = np.asarray(rows[SEGMENT + column], dtype=object)
        rest = np.ones(rows.num_rows, dtype=np.bool_)
        for value in segments.get(column, ()):
            here = values == value
            rest &= ~here
            parts[f"{column}={value}"] = here
        other = f"{column}={OTHER}"
        parts[other] = parts.get(other, np.zeros_like(rest)) | rest
    return parts
