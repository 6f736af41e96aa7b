"""Which rows count: unique, closed, in order of time, parts of an hour added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from datetime import datetime, timedelta
from typing import TypeVar

from headgate.errors import EvidenceError
from headgate.evidence import SPLIT, TRAFFIC, BlockSum, EvidenceRow, Standing, Sums, UnitSum, UnpairedSum
from headgate.plan.model import Plan

HOUR = timedelta(hours=1)

S = TypeVar("S", bound=Sums)
Grouped = dict[tuple[str, str | None], tuple[EvidenceRow, ...]]


class Kept:
    """All evidence of a rollout as it comes in, grouped and in order, so that no tick sorts it anew.

    Parameters
    ----------
    plan
        Names the gates that may have rows.
    """

    def __init__(self, plan: Plan) -> None:
        self._names = {gate.name for gate in plan.all_gates} | {SPLIT, TRAFFIC}
        self._seen: set[tuple[object, ...]] = set()
        self._groups: dict[tuple[str, str | None], list[EvidenceRow]] = {}

    def add(self, rows: Iterable[EvidenceRow]) -> None:
        """Keep more rows, in any order.

        Raises
        ------
        EvidenceError
            If a row is there twice, or belongs to a gate that the plan does not have.
        """
        unsorted = set()
        for row in rows:
            key = (row.gate, row.segment, row.batch, row.entry, row.share_bp, row.source, row.part)
            if key in self._seen:
                raise EvidenceError(
                    f"evidence is there twice: {_where(row)}, part {row.part!r}; nothing was judged"
                )
            if row.gate not in self._names:
                raise EvidenceError(
                    f"evidence for a gate the plan does not have: {_where(row)}; it has {self._names}"
                )
            self._seen.add(key)
            group = self._groups.setdefault(key[:2], [])
            # Mostly rows come in order of time, and nothing has to be sorted.
            if group and _in_time(row) < _in_time(group[-1]):
                unsorted.add(key[:2])
            group.append(row)
        for name in unsorted:
            self._groups[name].sort(key=_in_time)

    def closed(self, now: datetime) -> Grouped:
        """Return the closed rows of every (gate, segment), in order of time.

        Hours that end after ``now`` are not closed. Blocks are only ever written closed.
        """
        found = {}
        for key, rows in self._groups.items():
            kept = rows if _closed(rows[-1], now) else [row for row in rows if _closed(row, now)]
            if kept:
                found[key] = tuple(kept)
        return found


def gather(plan: Plan, rows: Sequence[EvidenceRow] | Kept, now: datetime) -> Grouped:
    """Return the closed rows of every (gate, segment), in order of time: see `Kept`."""
    if isinstance(rows, Kept):
        return rows.closed(now)
    kept = Kept(plan)
    kept.add(rows)
    return kept.closed(now)


def merged(rows: Iterable[EvidenceRow], kind: type[S]) -> list[tuple[EvidenceRow, S]]:
    """Return one row per batch with the sums of its parts, which must be of one kind.

    Raises
    ------
    EvidenceError
        If a row holds other sums than its gate is judged by, or a block comes in parts.
    """
    found: list[tuple[EvidenceRow, S]] = []
    first: EvidenceRow | None = None
    for row in rows:
        if not isinstance(row.sums, kind):
            raise EvidenceError(
                f"{_where(row)} holds {type(row.sums).__name__}, this gate is judged by {kind.__name__}"
            )
        if first is not None and row.batch == first.batch and _batch(row) == _batch(first):
            found[-1] = first, _added(found[-1][1], row)
        else:
            first = row
            found.append((row, row.sums))
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
            if a.scale != b.scale:
                raise EvidenceError(f"{_where(row)} comes in parts on different grids: {a.scale}, {b.scale}")
            added: Sums = replace(
                a,
                worst=counted((*a.worst, *b.worst)),
                best=counted((*a.best, *b.best)),
                missing=a.missing + b.missing,
                excluded=a.excluded + b.excluded,
                unpaired=a.unpaired + b.unpaired,
                capped=a.capped + b.capped,
            )
        case UnpairedSum() as a, UnpairedSum() as b:
            if a.scale != b.scale:
                raise EvidenceError(f"{_where(row)} comes in parts on different grids: {a.scale}, {b.scale}")
            added = joined(a, b)
        case a, b:
            added = type(a)(*(x + y for x, y in zip(astuple(a), astuple(b), strict=True)))
    return added  # type: ignore[return-value]  # both were of kind S


def joined(one: UnpairedSum, other: UnpairedSum) -> UnpairedSum:
    """Return the entities of two hours together; both stand on the grid of the first."""
    return UnpairedSum(
        candidate_worst=counted((*one.candidate_worst, *other.candidate_worst)),
        candidate_best=counted((*one.candidate_best, *other.candidate_best)),
        incumbent_worst=counted((*one.incumbent_worst, *other.incumbent_worst)),
        incumbent_best=counted((*one.incumbent_best, *other.incumbent_best)),
        missing=one.missing + other.missing,
        excluded=one.excluded + other.excluded,
        scale=one.scale,
        capped=one.capped + other.capped,
        unanswered=one.unanswered + other.unanswered,
    )


def counted(pairs: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return (grid index, count) pairs with equal indices added up, sorted by index."""
    counts: dict[int, int] = {}
    for index, count in pairs:
        counts[index] = counts.get(index, 0) + count
    return tuple(sorted(counts.items()))


def _closed(row: EvidenceRow, now: datetime) -> bool:
    return isinstance(row.sums, BlockSum) or row.batch + HOUR <= now


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
