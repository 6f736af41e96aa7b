"""A window of requests, scored by both sides off the answer path, becomes exchanges.

Nothing here ever reaches a caller: shadow scoring sees requests after they were answered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.adapters.oip import Shared
from headgate.compare.stays import column_micros, stay_indices
from headgate.contract import check
from headgate.errors import InputError
from headgate.evidence import Entry
from headgate.plan.model import ColumnKind, Metric, Plan
from headgate.ports import Answers, Model, Side, Status
from headgate.tables import REQUESTS, SEGMENT, clean_requests, exchanges_schema
from headgate.tables.slices import SLICE, slice_of

ShareOf = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int32]]
"""Candidate's share (basis points) in force at each moment (microseconds since 1970), shape (n,)."""

Shares = ShareOf | Mapping[str, ShareOf]
"""The same; where the plan has slices, that of every slice that is still compared."""

Progress = Callable[[int, int], None]
"""Told after every batch: requests scored, requests to score."""

_SENT_AS = {ColumnKind.INTEGER: pa.int64(), ColumnKind.NUMBER: pa.float64()}


@dataclass(frozen=True, slots=True)
class Scored:
    """What came of one window.

    Attributes
    ----------
    table
        Exchanges in order of time and request id, with the columns of `headgate.tables.EXCHANGES`,
        ``seg_<column>``, and where the plan asks for them ``slice`` and both sides' ``cost``.
    counts
        ``read``, ``scored``, ``rejected``, ``flagged``; where the plan has slices ``outside_slices`` and
        ``slice.<name>``; what `clean_requests` left out, by reason;
        ``input.<column>.<fault>`` by the contract; ``<side>_<status>`` of the requests asked of it;
        ``<side>_unversioned`` where an answer did not say which version gave it;
        ``<side>_other_version`` where another one than was frozen answered.
    versions
        Per side how many good answers each version gave. More than one: it changed meanwhile.
    """

    table: pa.Table
    counts: dict[str, int]
    versions: Mapping[Side, Mapping[str, int]]


def joined(parts: Sequence[Scored]) -> Scored:
    """Return a window that was scored in parts, oldest first, as if it had been scored at once."""
    counts: Counter[str] = Counter()
    versions: dict[Side, Counter[str]] = {side: Counter() for side in Side}
    for part in parts:
        counts.update(part.counts)
        for side, found in part.versions.items():
            versions[side].update(found)
    return Scored(pa.concat_tables(part.table for part in parts), dict(counts), versions)


async def score(
    requests: pa.Table,
    plan: Plan,
    incumbent: Model,
    candidate: Model,
    *,
    window: str,
    share_of: Shares,
    versions: Mapping[Side, str] | None = None,
    segment_columns: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Score one window of requests with both sides.

    Both sides get the same batches, ``plan.serving.concurrency`` of them under way per side; few are
    held in the models' form at a time, however long the window.

    Parameters
    ----------
    requests
        As the request log has them.
    window
        Name of the window; it stands in every exchange.
    share_of
        The share in force when each request came, e.g. `shares_of` the rollout's stays. Where the plan
        has slices, by slice: requests in none of these are not scored, they stay with the incumbent.
    versions
        Versions that were frozen; an answer of another one is invalid. None: those of the plan.
    segment_columns
        Columns of the log to keep as segments; None: those of the plan.

    Raises
    ------
    InputError
        If a column the plan names is missing or cannot be what it says.
    """
    cleaned = clean_requests(requests, plan)
    table = cleaned.table
    counts = Counter({"read": requests.num_rows, **cleaned.counts})
    if isinstance(share_of, Mapping):
        table = _in_slices(plan, table, tuple(share_of))
        counts["outside_slices"] = cleaned.table.num_rows - table.num_rows
        counts.update(f"slice.{name}" for name in table[SLICE].to_pylist())
    allowed, reasons = np.ones(table.num_rows, dtype=np.bool_), {}
    if plan.input is not None:
        checked = check(table, plan.input)
        allowed, reasons = checked.mask_ok, checked.row_reasons
        counts.update({f"input.{reason}": n for reason, n in checked.reasons.items()})
        counts["flagged"] = int(checked.flagged.sum())
    counts["scored"], counts["rejected"] = int(allowed.sum()), int((~allowed).sum())

    rows = np.flatnonzero(allowed)
    batches = Batches(sent(table.take(pa.array(rows)), plan), plan.serving.batch)
    answers = await ask(batches, {Side.INCUMBENT: incumbent, Side.CANDIDATE: candidate}, plan, progress)

    columns: dict[str, Any] = {name: table[name] for name in REQUESTS.names}
    columns["window"] = pa.repeat(window, table.num_rows)
    frozen = versions or {Side.INCUMBENT: plan.incumbent.version, Side.CANDIDATE: plan.candidate.version}
    found = {}
    for side in Side:
        known = [only_version(frozen[side], answer, side, counts) for answer in answers[side]]
        columns |= answer_columns(side, known, rows, table.num_rows)
        counted, found[side] = count_answers(side, known)
        counts.update(counted)
    rejected = {row: reasons.get(row) for row in np.flatnonzero(~allowed).tolist()}
    columns["reject_reason"] = pa.array([rejected.get(i) for i in range(table.num_rows)], pa.string())
    columns["share_bp"] = pa.array(_shares(table, share_of), pa.int32())
    segments = segment_columns if segment_columns is not None else plan.segments.by if plan.segments else ()
    columns |= {SEGMENT + column: segment_column(table, column) for column in segments}
    costs = any(gate.metric is Metric.COST for gate in plan.gates)
    schema = exchanges_schema(segments, sliced=bool(plan.slices), costs=costs)
    columns |= {SLICE: table[SLICE]} if plan.slices else {}
    exchanges = pa.table([columns[name] for name in schema.names], schema=schema)
    return Scored(exchanges, dict(counts), found)


def shares_of(entries: Sequence[Entry]) -> ShareOf:
    """Return the share in force at any moment, by the stays on steps so far."""
    shares = np.array([entry.share_bp for entry in entries], dtype=np.int32)
    return lambda at: shares[stay_indices(entries, at)]


def _in_slices(plan: Plan, table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the requests of these slices, each with its slice."""
    mine = slice_of(plan, table).cast(pa.string())
    return table.append_column(SLICE, mine).filter(pc.is_in(mine, value_set=pa.array(names, pa.string())))


def _shares(table: pa.Table, share_of: Shares) -> npt.NDArray[np.int32]:
    at = column_micros(table["at"])
    if not isinstance(share_of, Mapping):
        return share_of(at)
    shares = np.zeros(len(at), np.int32)
    for name, share in share_of.items():
        here = np.asarray(pc.equal(table[SLICE], name))
        shares[here] = share(at[here])
    return shares


def segment_column(table: pa.Table, column: str) -> pa.ChunkedArray:
    """Return a column as the texts that segments are told apart by.

    Raises
    ------
    InputError
        If it is not there.
    """
    if column not in table.column_names:
        raise InputError(
            f"requests: asked segment column {column!r}; found {', '.join(table.column_names)}; "
            "correct segments.by in the plan or the log"
        )
    return table[column].cast(pa.string())


Batch = tuple[int, Shared]


class Batches:
    """The requests to score, cut into batches and put into the models' form one at a time."""

    def __init__(self, table: pa.Table, size: int) -> None:
        self._columns = {name: table[name].combine_chunks() for name in table.column_names}
        self._size = size
        self.total = table.num_rows

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, self.total, self._size):
            parts = {name: column.slice(start, self._size) for name, column in self._columns.items()}
            yield start // self._size, Shared((name, _values(part)) for name, part in parts.items())


def _values(column: pa.Array) -> Sequence[Any]:
    """Return a column's values; those of a float column as an array, NaN where missing, ten times sooner."""
    if pa.types.is_float64(column.type):
        array: Sequence[Any] = column.to_numpy(zero_copy_only=False)
        return array
    values: Sequence[Any] = column.to_pylist()
    return values


def sent(table: pa.Table, plan: Plan) -> pa.Table:
    """Keep what the models are sent: the contract's columns, in its types; without one, all features."""
    if plan.input is None:
        own = {*REQUESTS.names, plan.requests.id, plan.requests.at, *([SLICE] if plan.slices else [])}
        return table.select([name for name in table.column_names if name not in own])
    kinds = {name: _SENT_AS.get(column.type) for name, column in plan.input.columns.items()}
    return pa.table({n: table[n] if kind is None else table[n].cast(kind) for n, kind in kinds.items()})


async def ask(
    batches: Batches, models: Mapping[Side, Model], plan: Plan, progress: Progress | None
) -> dict[Side, list[Answers]]:
    """Return each side's answers in the order of the batches, whatever the order of completion."""
    done: dict[Side, dict[int, Answers]] = {side: {} for side in models}
    scored = dict.fromkeys(models, 0)
    # A queue each, so that a fast side need not wait for every batch of the slow one; short, so that it
    # does not run away and leave the whole window in memory.
    todo: dict[Side, asyncio.Queue[Batch | None]] = {
        side: asyncio.Queue(plan.serving.concurrency) for side in models
    }

    async def feed() -> None:
        for item in chain(batches, [None] * plan.serving.concurrency):
            for queue in todo.values():
                await queue.put(item)

    async def work(side: Side) -> None:
        while (batch := await todo[side].get()) is not None:
            index, columns = batch
            answer = await models[side].infer(columns)
            done[side][index] = answer
            scored[side] += len(answer.statuses)
            if progress is not None:
                progress(min(scored.values()), batches.total)

    async with asyncio.TaskGroup() as group:
        group.create_task(feed())
        for side in models:
            for _ in range(plan.serving.concurrency):
                group.create_task(work(side))
    return {side: [answer for _, answer in sorted(done[side].items())] for side in models}


def only_version(version: str, answer: Answers, side: Side, counts: Counter[str]) -> Answers:
    """Return the answer as it is, or as invalid if another version than was frozen gave it."""
    if answer.version in (None, version):
        return answer
    good = [status is Status.OK for status in answer.statuses]
    counts[f"{side}_other_version"] += sum(good)
    return Answers(
        [None if ok else value for ok, value in zip(good, answer.predictions, strict=True)],
        [Status.INVALID if ok else status for ok, status in zip(good, answer.statuses, strict=True)],
        answer.version,
        answer.details,
        [None if ok else cost for ok, cost in zip(good, answer.costs, strict=True)] if answer.costs else (),
    )


def answer_columns(
    side: Side, answers: Sequence[Answers], rows: npt.NDArray[np.intp], total: int
) -> dict[str, pa.Array]:
    """Return one side's three columns; rows that were not asked are rejected."""
    where = np.full(total, -1)
    where[rows] = np.arange(len(rows))
    place = pa.array(where, mask=where < 0)
    predictions = pa.array([p for answer in answers for p in answer.predictions], pa.float64())
    statuses = pa.array([s for answer in answers for s in answer.statuses], pa.string())
    versions = pa.array(
        [v for answer in answers for v in [answer.version] * len(answer.statuses)], pa.string()
    )
    costs = [c for answer in answers for c in answer.costs or [None] * len(answer.statuses)]
    return {
        f"{side}_prediction": predictions.take(place),
        f"{side}_status": pc.fill_null(statuses.take(place), Status.REJECTED.value),
        f"{side}_version": versions.take(place),
        f"{side}_cost": pa.array(costs, pa.float64()).take(place),
    }


def count_answers(side: Side, answers: Sequence[Answers]) -> tuple[Counter[str], dict[str, int]]:
    """Return one side's requests by status, and its good answers by version."""
    counts: Counter[str] = Counter()
    versions: Counter[str] = Counter()
    for answer in answers:
        by_status = Counter(answer.statuses)
        counts.update({f"{side}_{status}": n for status, n in by_status.items()})
        good = by_status[Status.OK]
        if good and answer.version is None:
            counts[f"{side}_unversioned"] += good
        elif good:
            versions[str(answer.version)] += good
    return counts, dict(versions)
