"""History becomes evidence as the replayed clock passes over it, by the functions the live flows use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headgate.backtest.history import History
from headgate.compare.caps import Caps
from headgate.compare.cells import Mask
from headgate.compare.closing import closed_rows_of
from headgate.compare.latency import Reference
from headgate.compare.money import money_rows
from headgate.compare.pairs import batch_from
from headgate.compare.rates import decisions, window_rows
from headgate.compare.recorded import Seen, recorded_split_rows
from headgate.compare.sides import Shares, is_split, sides_of
from headgate.compare.stays import HOUR, column_micros, micros, stay_indices
from headgate.compare.timed import latency_rows
from headgate.evidence import Entry, EvidenceRow
from headgate.plan.applies import is_unpaired
from headgate.plan.model import Metric, Plan
from headgate.ports import Status
from headgate.routing import FULL_BP

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Piece:
    """Exchanges of one block that came between two ticks.

    Attributes
    ----------
    seen
        Those of the block that came since the tick before.
    block
        The whole block, once it is over; else None.
    span
        [start, end) of the block.
    """

    seen: pa.Table
    block: pa.Table | None
    span: tuple[datetime, datetime]


class Clock:
    """Reads a history up to one tick after the other."""

    def __init__(self, plan: Plan, history: History) -> None:
        self._length = HOUR if plan.unit.block == "none" else plan.unit.block
        self._blocks = history.blocks()
        self._block: pa.Table | None = next(self._blocks, None)
        self._from: int | None = None

    def stop(self) -> None:
        """Let go of the history; reading may end before it does."""
        close = getattr(self._blocks, "close", None)
        if close is not None:
            close()

    def until(self, now: datetime) -> Iterator[Piece]:
        """Yield what came before ``now`` and after the call before, in order of time."""
        while self._block is not None:
            block, at = self._block, column_micros(self._block["at"])
            first = int(at[0])
            start = _EPOCH + timedelta(
                microseconds=first - first % (self._length // timedelta(microseconds=1))
            )
            span = (start, start + self._length)
            if start >= now:
                return
            over = span[1] <= now
            if over and self._from is None:
                seen = block
            else:
                mask = (at < micros(now)) & (at >= (self._from or int(at.min())))
                seen = block.filter(pa.array(mask))
            yield Piece(seen, block if over else None, span)
            if not over:
                self._from = micros(now)
                return
            self._block, self._from = next(self._blocks, None), None


@dataclass(frozen=True, slots=True)
class Closing:
    """What a block says from ``closes`` on: its sums, its labels, and the caps frozen by then."""

    closes: datetime
    rows: list[EvidenceRow]
    labels: int
    caps: Caps


@dataclass(frozen=True, slots=True)
class Served:
    """Whom callers would have met on one stay: requests by side, and those the candidate let down."""

    candidate: int = 0
    incumbent: int = 0
    fallbacks: int = 0


class Intake:
    """The evidence of one slice: what it has seen of each block, and what the next one has to know.

    Parameters
    ----------
    plan
        The whole plan.
    slice
        Whose evidence it is; the exchanges it is given are that slice's alone.
    salt
        Of the rollout's buckets.
    segments
        As frozen: see `headgate.evidence.Standing`.
    """

    def __init__(self, plan: Plan, slice: str, salt: str, segments: Mapping[str, tuple[str, ...]]) -> None:  # noqa: A002 - a word of the domain
        self._plan, self._slice, self._salt, self._segments = plan, slice, salt, segments
        self._caps, self._reference = Caps(), Reference()
        self._known_caps = self._caps
        self._met: Seen = {}
        self._exposed: pa.Array = pa.array([], pa.string())
        self._arms = any(is_unpaired(gate, plan) for gate in plan.gates)
        self._latency = [gate for gate in plan.gates if gate.metric is Metric.LATENCY]
        self.exchanges = self.decided = self.changed = 0
        self.served: dict[int, Served] = {}

    def see(self, table: pa.Table, entries: Sequence[Entry], part: str) -> list[EvidenceRow]:
        """Return what new exchanges tell without a label."""
        if not table.num_rows:
            return []
        self.exchanges += table.num_rows
        both, differ = decisions(self._plan, table)
        self.decided += int(both.sum())
        self.changed += int((both & differ).sum())
        shares, sides = sides_of(table, entries, column_micros(table["at"]), self._salt)
        self._count(table, entries, sides)
        rows = money_rows(self._plan, table, entries, part, self._known_caps.frozen)
        for here, at_share, name in _by_record(table, entries, shares, part):
            mine = table if here is None else table.filter(pa.array(here))
            whose = sides if here is None else sides[here]
            rows += window_rows(self._plan, mine, at_share, name, whose)
            rows += self._latencies(mine, at_share, name, whose)
        split, self._met = recorded_split_rows(table, entries, part, self._met)
        return self._mine(rows + split)

    def close(self, table: pa.Table, span: tuple[datetime, datetime], entries: Sequence[Entry]) -> Closing:
        """Return what a block says that is over, to be known once it is mature."""
        closes = span[1] + self._plan.outcomes.maturity
        if not table.num_rows:
            return Closing(closes, [], 0, self._caps)
        batch = batch_from(
            self._plan,
            table,
            span,
            entries,
            self._segments,
            salt=self._salt,
            exposed_before=np.asarray(pc.is_in(table["entity"], value_set=self._exposed)),
        )
        rows = closed_rows_of(self._plan, batch, span, entries, self._caps.frozen)
        self._caps = self._caps.after(self._plan, batch)
        split = is_split(batch.share_bp)
        if self._arms and split.any():
            new = pc.unique(table["entity"].filter(pa.array(split & ~batch.exposed_before)))
            self._exposed = pa.concat_arrays([self._exposed, new])
        labels = int((np.isfinite(batch.label) & batch.drawn).sum())
        return Closing(closes, self._mine(rows), labels, self._caps)

    def mature(self, closing: Closing) -> None:
        """Take note that a block is closed: from now on its caps are known."""
        self._known_caps = closing.caps

    def _count(self, table: pa.Table, entries: Sequence[Entry], sides: Mask) -> None:
        stays = stay_indices(entries, column_micros(table["at"]))
        silent = np.asarray(pc.not_equal(table["candidate_status"], Status.OK.value))
        counts = (
            np.bincount(stays[mask], minlength=len(entries)) for mask in (sides, ~sides, sides & silent)
        )
        for entry, here in zip(entries, zip(*counts, strict=True), strict=True):
            if any(here):
                before = self.served.get(entry.entry, Served())
                sums = (int(a) + int(b) for a, b in zip(astuple(before), here, strict=True))
                self.served[entry.entry] = Served(*sums)

    def _latencies(
        self, table: pa.Table, entries: Sequence[Entry], part: str, sides: Mask
    ) -> list[EvidenceRow]:
        if not self._latency:
            return []
        if self._reference.gathering(self._latency).wanted:
            # The first requests freeze the reference: then, and only then, their order matters.
            order = pc.sort_indices(table, [("at", "ascending"), ("request_id", "ascending")])
            table, sides = table.take(order), sides[np.asarray(order)]
        rows, self._reference = latency_rows(self._plan, table, entries, part, self._reference, sides)
        return rows

    def _mine(self, rows: list[EvidenceRow]) -> list[EvidenceRow]:
        if self._slice == "all":
            return rows
        return [_of_slice(row, self._slice) for row in rows]


def _by_record(
    table: pa.Table, entries: Sequence[Entry], shares: Shares, part: str
) -> Iterator[tuple[Mask | None, Sequence[Entry], str]]:
    """Yield the requests of each split on record, with the stays as if they had its share, and the rest.

    Yields
    ------
    tuple
        Which requests (None: all of them), the stays, and the name of the part.
    """
    stays = stay_indices(entries, column_micros(table["at"]))
    other = shares != np.array([e.share_bp for e in entries], np.int32)[stays]
    if not other.any():
        yield None, entries, part
        return
    if not other.all():
        yield ~other, entries, part
    for share in np.unique(shares[other]).tolist():
        as_recorded = [replace(e, share_bp=share) if 0 < e.share_bp < FULL_BP else e for e in entries]
        yield other & (shares == share), as_recorded, f"{part}@{share}"


def _of_slice(row: EvidenceRow, name: str) -> EvidenceRow:
    return EvidenceRow(
        row.gate, row.segment, row.batch, row.entry, row.share_bp, row.source, row.part, row.sums, name
    )
