"""Exchanges of one closed batch of time with the labels known by its closing, as plain arrays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate import routing
from headgate.compare.reviewed import Reviews, overruled, with_reviews
from headgate.compare.sides import sides_of
from headgate.compare.stays import column_micros, micros
from headgate.evidence import Entry
from headgate.plan.model import Audit, Plan
from headgate.ports import Side, Status
from headgate.tables import SEGMENT, clean_outcomes
from headgate.tables.columns import instants, names

OTHER = "other"
"""Segment of every value that is not in the list frozen at preflight."""

LABEL, KNOWN_AT, OVERRIDDEN = "label", "known_at", "overridden"
"""What an exchange joined with its outcome is called by: see `batch_from`."""

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Parts = Mapping[str | None, Mask]


@dataclass(frozen=True, slots=True)
class Batch:
    """All n requests of a batch, sorted by (entity, request id). All arrays are of shape (n,).

    Attributes
    ----------
    entity
        Equal numbers, rising, for the requests of one entity.
    incumbent, candidate
        Predictions, NaN where that side did not answer (its status is not ``ok``).
    label
        NaN where no usable label was known when the batch closed.
    paired
        Both sides answered.
    parts
        Per segment (``column=value``; None: all requests) which requests are in it.
    at
        Microseconds since 1970 (UTC).
    drawn
        A label was to be sought: all of them, unless the plan audits.
    candidate_side
        The candidate's request, and ``share_bp``, its share of live traffic then (basis points): see
        `headgate.compare.sides.sides_of`.
    exposed_before
        The request's entity was in a split (0 < share < 100 %) before this batch began.
    overridden
        1 where a person overruled the answer, 0 where not, NaN where that is not known.
    amounts
        ``cost`` and ``value`` where those columns are there: (incumbent's, candidate's), NaN unknown.
    """

    entity: npt.NDArray[np.int64]
    incumbent: Floats
    candidate: Floats
    label: Floats
    paired: Mask
    parts: Parts
    at: npt.NDArray[np.int64]
    drawn: Mask
    candidate_side: Mask
    share_bp: npt.NDArray[np.int32]
    exposed_before: Mask
    overridden: Floats
    amounts: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)


def batch_of(
    plan: Plan,
    exchanges: pa.Table,
    outcomes: pa.Table,
    span: tuple[datetime, datetime],
    entries: Sequence[Entry],
    segments: Mapping[str, tuple[str, ...]],
    *,
    salt: str = "",
    exposed: Collection[str] = frozenset(),
    reviews: Reviews | None = None,
) -> Batch:
    """Return the requests of the span with the labels known by its end plus the plan's maturity.

    A request that was scored in two windows counts once, by the earlier exchange.

    Parameters
    ----------
    exchanges, outcomes
        As the lake has them; the outcomes with the plan's column names and not cleaned yet.
    salt
        Of the rollout's buckets.
    exposed
        Entities that were in a split before the span began.
    reviews
        What reviewers said of requests; what came after the batch closed is left out.

    Raises
    ------
    InputError
        If the outcome log is not as the plan says: see `headgate.tables.clean_outcomes`.
    """
    start, end = span
    at = column_micros(exchanges["at"])
    rows = exchanges.filter(pa.array((at >= micros(start)) & (at < micros(end))))
    keys = [key for key in ("entity", "request_id", "at", "window") if key in rows.column_names]
    rows = rows.sort_by([(key, "ascending") for key in keys])
    rows = rows.filter(pa.array(_changes(rows["entity"]) | _changes(rows["request_id"])))
    joined = with_outcomes(plan, rows, outcomes, end)
    joined = with_reviews(joined, reviews or {}, end + plan.outcomes.maturity)
    before = np.asarray(pc.is_in(rows["entity"], value_set=pa.array(sorted(exposed), pa.string())))
    return batch_from(plan, joined, span, entries, segments, salt=salt, exposed_before=before)


def batch_from(
    plan: Plan,
    rows: pa.Table,
    span: tuple[datetime, datetime],
    entries: Sequence[Entry],
    segments: Mapping[str, tuple[str, ...]],
    *,
    salt: str,
    exposed_before: Mask,
) -> Batch:
    """Return the same of exchanges that are joined already.

    Parameters
    ----------
    rows
        One row per request of the span, sorted by (entity, request id): exchanges with the columns
        ``label`` (float64), ``known_at`` and, where the plan asks for it, ``overridden``, all null where
        there is no outcome.
    exposed_before
        Shape (n,): see `Batch`.
    """
    at = column_micros(rows["at"])
    share_bp, candidate_side = sides_of(rows, entries, at, salt)
    answered = [_equals(rows[f"{side}_status"], Status.OK.value) for side in (Side.INCUMBENT, Side.CANDIDATE)]
    known = column_micros(pc.fill_null(rows[KNOWN_AT], _NEVER)) <= micros(span[1] + plan.outcomes.maturity)
    told = np.full(len(at), np.nan)
    if OVERRIDDEN in rows.column_names:
        told = np.where(known, _floats(rows[OVERRIDDEN]), np.nan)
    return Batch(
        entity=np.cumsum(_changes(rows["entity"])),
        incumbent=np.where(answered[0], _floats(rows["incumbent_prediction"]), np.nan),
        candidate=np.where(answered[1], _floats(rows["candidate_prediction"]), np.nan),
        label=np.where(known, _floats(rows[LABEL]), np.nan),
        paired=answered[0] & answered[1],
        parts=parts_of(plan, rows, segments),
        at=at,
        drawn=_drawn(plan, rows),
        candidate_side=candidate_side,
        share_bp=share_bp,
        exposed_before=exposed_before,
        overridden=overruled(rows, told),
        amounts={
            name: (_floats(rows[f"incumbent_{name}"]), _floats(rows[f"candidate_{name}"]))
            for name in ("cost", "value")
            if f"candidate_{name}" in rows.column_names
        },
    )


_NEVER = pa.scalar(np.iinfo(np.int64).max, pa.timestamp("us", "UTC"))


def _drawn(plan: Plan, rows: pa.Table) -> Mask:
    rule = plan.outcomes.missing
    if not isinstance(rule, Audit):
        return np.ones(rows.num_rows, dtype=np.bool_)
    return routing.all_drawn(plan.service, rows["request_id"].to_pylist(), rule.audit)


def _changes(sorted_column: pa.ChunkedArray) -> Mask:
    """Return where a value differs from the one before it; the first one does."""
    values = sorted_column.combine_chunks()
    changed = np.ones(len(values), dtype=np.bool_)
    if len(values) > 1:
        changed[1:] = np.asarray(pc.not_equal(values[1:], values[:-1]))
    return changed


def _equals(column: pa.ChunkedArray, value: str) -> Mask:
    return np.asarray(pc.fill_null(pc.equal(column, value), False), dtype=np.bool_)


def _floats(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast(pa.float64()), dtype=np.float64)


def with_outcomes(plan: Plan, rows: pa.Table, outcomes: pa.Table, end: datetime) -> pa.Table:
    """Return the rows with their outcomes. Only what was known at closing is looked at, duplicates too."""
    ids, asked = rows["request_id"], plan.outcomes
    closed = pa.scalar(end + asked.maturity, pa.timestamp("us", tz="UTC"))
    in_time = pc.less_equal(instants(outcomes, asked.known_at, "outcomes"), closed)
    ours = pc.is_in(names(outcomes, plan.requests.id, "outcomes"), value_set=ids.combine_chunks())
    known = clean_outcomes(outcomes.filter(pc.and_(in_time, ours)), plan, rows).table
    where = pc.index_in(ids, value_set=known[plan.requests.id].combine_chunks())
    for name, column in ((LABEL, asked.label), (KNOWN_AT, asked.known_at), (OVERRIDDEN, asked.overridden)):
        if column is not None:
            rows = rows.append_column(name, known[column].take(where))
    return rows


def parts_of(plan: Plan, rows: pa.Table, segments: Mapping[str, tuple[str, ...]]) -> dict[str | None, Mask]:
    """Return which rows are in which segment; values that are not listed are ``other``."""
    parts: dict[str | None, Mask] = {None: np.ones(rows.num_rows, dtype=np.bool_)}
    for column in plan.segments.by if plan.segments else ():
        values = rows[SEGMENT + column]
        rest = np.ones(rows.num_rows, dtype=np.bool_)
        for value in segments.get(column, ()):
            here = _equals(values, value)
            rest &= ~here
            parts[f"{column}={value}"] = here
        other = f"{column}={OTHER}"
        parts[other] = parts.get(other, np.zeros_like(rest)) | rest
    return parts
