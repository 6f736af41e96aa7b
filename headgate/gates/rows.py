"""Which rows count: unique, closed, in order of time, parts of an hour added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import TypeVar

from headgate.errors import EvidenceError
from headgate.evidence import SPLIT, TRAFFIC, BlockSum, EvidenceRow, Standing, Sums, UnitSum
from headgate.plan.model import Plan

HOUR = timedelta(hours=1)

S = TypeVar("S", bound=Sums)
Grouped = dict[tuple[str, str | None], tuple[EvidenceRow, ...]]


def gather(plan: Plan, rows: Sequence[EvidenceRow], now: datetime) -> Grouped:
    """Return the closed rows of every (gate, segment), in order of time.

    Parameters
    ----------
    plan
        Names the gates that may have rows.
    rows
        All evidence of a rollout, any order.
    now
        Hours that end later are not closed. Blocks are only ever written closed.

    Raises
    ------
    EvidenceError
        If a row is there twice, or belongs to a gate that the plan does not have.
    """
    names = {gate.name for gate in plan.gates} | {SPLIT, TRAFFIC}
    seen = set()
    grouped: dict[tuple[str, str | None], list[EvidenceRow]] = {}
    for row in rows:
        key = (row.gate, row.segment, row.batch, row.entry, row.share_bp, row.source, row.part)
        if key in seen:
            raise EvidenceError(
                f"evidence is there twice: {_where(row)}, part {row.part!r}; nothing was judged"
            )
        if row.gate not in names:
            raise EvidenceError(f"evidence for a gate the plan does not have: {_where(row)}; it has {names}")
        seen.add(key)
        if isinstance(row.sums, BlockSum) or row.batch + HOUR <= now:
            grouped.setdefault((row.gate, row.segment), []).append(row)
    return {key: tuple(sorted(found, key=_in_time)) for key, found in grouped.items()}


def merged(rows: Iterable[EvidenceRow], kind: type[S]) -> list[tuple[EvidenceRow, S]]:
    """Return one row per batch with the sums of its parts, which must be of one kind.

    Raises
    ------
    EvidenceError
        If a row holds other sums than its gate is judged by, or a block comes in parts.
    """
    found = []
    for _, group in groupby(rows, key=_batch):
        parts = list(group)
        for row in parts:
            if not isinstance(row.sums, kind):
                raise EvidenceError(
                    f"{_where(row)} holds {type(row.sums).__name__}, this gate is judged by {kind.__name__}"
                )
        total: S = parts[0].sums  # type: ignore[assignment]  # checked just above
        for row in parts[1:]:
            total = _added(total, row)
        found.append((parts[0], total))
    return found


def fresh(rows: Sequence[EvidenceRow], standing: Standing, *, carries: bool) -> tuple[EvidenceRow, ...]:
    """Return the rows that may advance this step.

    Carried evidence counts whenever it was seen. Other evidence counts from the plane's confirmation
    of this entry on; before that nothing does. Evidence from before ``fresh_since`` is about another
    incumbent.
    """
    since = standing.fresh_since
    kept = tuple(row for row in rows if since is None or row.batch >= since)
    if carries:
        return kept
    confirmed = standing.confirmed_at
    if confirmed is None:
        return ()
    return tuple(
        row
        for row in kept
        if (row.batch >= confirmed if isinstance(row.sums, BlockSum) else row.entry == standing.entry)
    )


def _added(total: S, row: EvidenceRow) -> S:
    match total, row.sums:
        case BlockSum(), _:
            raise EvidenceError(f"{_where(row)} comes in parts: a block's value cannot be added up")
        case UnitSum() as a, UnitSum() as b:
            added: Sums = replace(
                a,
                worst=counted((*a.worst, *b.worst)),
                best=counted((*a.best, *b.best)),
                missing=a.missing + b.missing,
                excluded=a.excluded + b.excluded,
                unpaired=a.unpaired + b.unpaired,
            )
        case a, b:
            added = type(a)(*(x + y for x, y in zip(astuple(a), astuple(b), strict=True)))
    return added  # type: ignore[return-value]  # both were of kind S


def counted(pairs: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return (grid index, count) pairs with equal indices added up, sorted by index."""
    counts: dict[int, int] = {}
    for index, count in pairs:
        counts[index] = counts.get(index, 0) + count
    return tuple(sorted(counts.items()))


def _batch(row: EvidenceRow) -> tuple[datetime, int, int, str]:
    # A block is one value, whatever stay it is booked under: two rows of it are an error, not two blocks.
    if isinstance(row.sums, BlockSum):
        return row.batch, 0, 0, ""
    return row.batch, row.entry, row.share_bp, row.source.value


def _in_time(row: EvidenceRow) -> tuple[datetime, int, int, str, str]:
    return row.batch, row.entry, row.share_bp, row.source.value, row.part


def _where(row: EvidenceRow) -> str:
    name = f"{row.gate}[{row.segment}]" if row.segment else row.gate
    return f"{name} at {row.batch.isoformat()}, entry {row.entry}"
