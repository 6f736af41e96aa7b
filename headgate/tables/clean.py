"""Requests and outcomes as they came, made usable.

What cannot be used is left out and counted, row by row and under one reason each; what cannot be
understood at all (no such column, times without a zone) is an error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.plan.model import Plan
from headgate.tables.columns import instants, labels, names
from headgate.tables.schemas import REQUESTS, outcomes_schema

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A table that can be used, and how many rows met which fate.

    ``counts`` holds every reason, also at zero. All but ``unknown_entity`` are rows left out.
    """

    table: pa.Table
    counts: dict[str, int]


class _Fates:
    """Which rows are still in, and why the others are not; every row meets one fate."""

    def __init__(self, rows: int) -> None:
        self.kept: Mask = np.ones(rows, bool)
        self.counts: dict[str, int] = {}

    def leave_out(self, out: Mask, reason: str) -> None:
        self.counts[reason] = int((self.kept & out).sum())
        self.kept &= ~out


def clean_requests(table: pa.Table, plan: Plan) -> Cleaned:
    """Return the requests that can be scored, in order of time and id.

    The columns of `REQUESTS` come first, all others follow untouched; cleaning twice is cleaning
    once. Reasons: ``missing_id``; ``contradicting_id`` (rows that share an id and differ: none is
    kept, for none is known to be right); ``duplicate_id`` (an exact copy of another row, which is
    kept once); ``missing_at``; ``unknown_entity`` (kept, with the request id in place of the entity).

    Raises
    ------
    InputError
        If a column is missing or of no use: times without a zone, ids that are neither text nor
        whole numbers.
    """
    ids = names(table, plan.requests.id, "requests")
    at = instants(table, plan.requests.at, "requests")
    entity = names(table, plan.unit.entity, "requests")
    keys = _codes(ids)
    first = _first_rows(keys)
    fates = _Fates(len(keys))
    fates.leave_out(keys < 0, "missing_id")
    fates.leave_out(_differing(table, first), "contradicting_id")
    fates.leave_out(first != np.arange(len(keys)), "duplicate_id")
    fates.leave_out(_mask(pc.is_null(at)), "missing_at")
    unknown = int((_mask(pc.is_null(entity)) & fates.kept).sum())
    others = [column for column in table.column_names if column not in REQUESTS.names]
    arrays = [ids, pc.coalesce(entity, ids), at, *(table.column(column) for column in others)]
    cleaned = pa.table(arrays, names=[*REQUESTS.names, *others]).filter(pa.array(fates.kept))
    return Cleaned(_in_order(cleaned, "at", "request_id"), {**fates.counts, "unknown_entity": unknown})


def clean_outcomes(table: pa.Table, plan: Plan, requests: pa.Table | None = None) -> Cleaned:
    """Return the outcomes that can be used, one per request, in order of when they were known.

    The columns are those of `outcomes_schema`; cleaning twice is cleaning once. Reasons:
    ``missing_id``; ``missing_label``; ``not_binary`` (neither 0 nor 1) or, where the models answer
    numbers, ``not_finite``; ``outcome_before_request``; ``contradicting`` (a request with several labels:
    none is kept); ``missing_known_at``; ``duplicate`` (the same label again: the earliest is kept). An
    override that is neither 0 nor 1 is emptied, counted as ``override_not_binary``, and the row is kept.

    Parameters
    ----------
    requests
        With the columns ``request_id`` and ``at``, each request once: then outcomes known before their
        request was made are left out. None: that is not looked at.

    Raises
    ------
    InputError
        If a column is missing or of no use: times without a zone, labels that are no numbers.
    """
    ids = names(table, plan.requests.id, "outcomes")
    known_at = instants(table, plan.outcomes.known_at, "outcomes")
    number = plan.prediction.kind == "number"
    label = labels(table, plan.outcomes.label, "outcomes", number=number)
    keys, values = _codes(ids), np.asarray(label.to_numpy())
    fates = _Fates(len(keys))
    fates.leave_out(keys < 0, "missing_id")
    fates.leave_out(_mask(pc.is_null(label)), "missing_label")
    if number:
        fates.leave_out(~np.isfinite(values), "not_finite")
    else:
        fates.leave_out((values != 0) & (values != 1), "not_binary")
    if requests is not None:
        fates.leave_out(known_before_request(ids, known_at, requests), "outcome_before_request")
    values = np.where(fates.kept, values, 0)
    first = _first_rows(np.where(fates.kept, keys, -1))
    fates.leave_out(_of_whole_group(values != values[first], first), "contradicting")
    fates.leave_out(_mask(pc.is_null(known_at)), "missing_known_at")
    overridden, emptied = _overridden(table, plan, fates.kept)
    schema = outcomes_schema(plan)
    cleaned = pa.table([ids, pa.array(values), known_at, *overridden], names=schema.names)
    # Told twice at the same time, an override counts: no order of the rows may decide.
    cleaned = cleaned.filter(pa.array(fates.kept)).cast(schema)
    cleaned = cleaned.sort_by(
        [(name, "ascending") for name in (plan.outcomes.known_at, plan.requests.id)]
        + [(name, "descending") for name in schema.names[3:]]
    )
    first = _first_rows(_codes(cleaned.column(0)))
    earliest = first == np.arange(len(first))
    counts = {**fates.counts, "duplicate": int((~earliest).sum()), **emptied}
    return Cleaned(cleaned.filter(pa.array(earliest)), counts)


def known_before_request(ids: pa.ChunkedArray, known_at: pa.ChunkedArray, requests: pa.Table) -> Mask:
    """Return which outcomes were known before their request was made: such an outcome is of another.

    ``requests`` has the columns ``request_id`` and ``at``. False where either time is not known.
    """
    where = pc.index_in(ids, value_set=requests["request_id"].combine_chunks().cast(pa.string()))
    return _mask(pc.fill_null(pc.less(known_at, requests["at"].take(where)), False))


def _overridden(table: pa.Table, plan: Plan, kept: Mask) -> tuple[list[pa.Array], dict[str, int]]:
    """Return the column of overrides, if the plan names one, and how many rows it had to be emptied in."""
    column = plan.outcomes.overridden
    if column is None:
        return [], {}
    told = np.asarray(labels(table, column, "outcomes").to_numpy())
    known = (told == 0) | (told == 1)
    emptied = int((kept & ~known & ~np.isnan(told)).sum())
    return [pa.array(np.where(known, told, 0), mask=~known)], {"override_not_binary": emptied}


def unknown_outcomes(outcomes: pa.Table, request_ids: pa.Array | pa.ChunkedArray) -> int:
    """Return how many outcomes belong to no request that is known.

    ``outcomes`` is what `clean_outcomes` returned (ids in its first column), ``request_ids`` text.
    """
    if isinstance(request_ids, pa.ChunkedArray):
        request_ids = request_ids.combine_chunks()
    known = pc.is_in(outcomes.column(0), value_set=request_ids.cast(pa.string()))
    return len(known) - int(_mask(known).sum())


def _codes(values: pa.ChunkedArray) -> Rows:
    """Return a number per row that is equal where the values are; -1 where they are missing."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    array = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    try:
        coded = array.dictionary_encode()
    except pa.ArrowNotImplementedError:  # lists and structs cannot be hashed
        texts = [None if value is None else repr(value) for value in array.to_pylist()]
        coded = pa.array(texts, pa.string()).dictionary_encode()
    return np.asarray(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False), np.int64)


def _first_rows(keys: Rows) -> Rows:
    """Return per row the first row with its key; a row with a key below zero stands for itself."""
    rows = np.arange(len(keys))
    named = keys >= 0
    if not named.any():
        return rows
    firsts = np.full(int(keys.max()) + 1, len(keys))
    np.minimum.at(firsts, keys[named], rows[named])
    first = rows.copy()
    first[named] = firsts[keys[named]]
    return first


def _differing(table: pa.Table, first: Rows) -> Mask:
    """Return the rows of groups (rows with the same ``first``) whose rows differ in any column."""
    differs = np.zeros(len(first), bool)
    repeated = np.flatnonzero(first != np.arange(len(first)))
    if not len(repeated):
        return differs
    pairs = table.take(pa.array(np.concatenate([repeated, first[repeated]])))
    for column in pairs.columns:
        here, there = np.split(_codes(column), 2)
        differs[repeated] |= here != there
    return _of_whole_group(differs, first)


def _of_whole_group(marked: Mask, first: Rows) -> Mask:
    """Return all rows of the groups in which any row is marked."""
    groups = np.zeros(len(first), bool)
    groups[first[marked]] = True
    return groups[first]


def _in_order(table: pa.Table, time: str, ids: str) -> pa.Table:
    return table.sort_by([(time, "ascending"), (ids, "ascending")])


def _mask(values: pa.ChunkedArray) -> Mask:
    return np.asarray(values.to_numpy(), bool)
