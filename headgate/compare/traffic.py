"""What callers really got, read off the plane's log: rates, latency and the split, per hour.

The log is read in chunks as it grows. Chunks may be cut anywhere: with the same ``not_before`` the
sums of all chunks add up to the sums of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from headgate.compare.answered import EVENTS, SERVER_ERROR, unanswered
from headgate.compare.copies import Waiting
from headgate.compare.latency import slower
from headgate.compare.stays import hour_of
from headgate.compare.traffic_state import TrafficState
from headgate.evidence import (
    SPLIT,
    TRAFFIC,
    Entry,
    EvidenceRow,
    LatencyPairSum,
    LatencySplitSum,
    RateSum,
    Source,
    SplitSum,
    TrafficSum,
)
from headgate.plan.model import Applies, Metric, Plan
from headgate.ports import Mirrored, Served, Side
from headgate.routing import FULL_BP


def traffic_rows(
    plan: Plan,
    served: Iterable[Served],
    mirrored: Iterable[Mirrored],
    entries_by_generation: Mapping[int, Entry],
    state: TrafficState,
    not_before: datetime,
    part: str,
    *,
    rollout: str | None = None,
) -> tuple[list[EvidenceRow], TrafficState, Mapping[int, Mapping[str, Side]]]:
    """Turn new lines of the plane's log into hourly sums.

    Parameters
    ----------
    served, mirrored
        New lines, in the order of the log.
    entries_by_generation
        The stay each generation of the route put in force.
    state
        What the chunk before left; ``TrafficState()`` at the beginning.
    not_before
        When the tick before was: hours closed by then are never rewritten, lines that belong there
        count in the first open hour.
    part
        Which chunk this is, e.g. the log's offset.
    rollout
        Lines of any other rollout are not ours: generations begin anew with each. None: all are.

    Returns
    -------
    rows
        At a share above 0 the rates of candidate-assigned requests (errors, fallbacks, rejects,
        coverage); below 100 % also latency sums of both sides and the ``split``; at share 0 latency
        pairs.
    state
        For the next chunk.
    newly_seen
        Per entry the entities counted in the split for the first time, for the store.
    """
    fold = _Fold(plan, state, hour_of(not_before))
    for line in served:
        entry = entries_by_generation.get(line.generation)
        if rollout is not None and line.rollout != rollout:
            fold.unused["other_rollout"] += 1
        elif entry is None:
            fold.unused["unknown_generation"] += 1
        else:
            fold.live(line, entry)
    if fold.pair_gates:
        for copy in mirrored:
            fold.copy(copy)
    return fold.rows(part), fold.state(), fold.new


_Counted = RateSum | LatencySplitSum | LatencyPairSum | SplitSum | TrafficSum
_Key = tuple[str, datetime, tuple[int, int], type[_Counted]]


class _Fold:
    """Counters of one chunk, by gate, hour, (entry, share) and kind. Lives only inside `traffic_rows`."""

    def __init__(self, plan: Plan, state: TrafficState, first_hour: datetime) -> None:
        latency = [gate for gate in plan.gates if gate.metric is Metric.LATENCY]
        self._rates = [(gate.name, EVENTS[gate.metric]) for gate in plan.gates if gate.metric in EVENTS]
        self.pair_gates = {g.name: g for g in latency if g.applies is not Applies.SPLIT}
        self._split_gates = [g for g in latency if g.applies is not Applies.SHADOW]
        self._first_hour = first_hour
        self._reference = state.reference.gathering(latency)
        self._copies = state.copies.matching()
        self._seen = state.seen
        self.unused: Counter[str] = Counter(state.counts)
        self.new: dict[int, dict[str, Side]] = {}
        self._cells: dict[_Key, Counter[str]] = {}

    def _cell(self, gate: str, at: datetime, stay: tuple[int, int], kind: type[_Counted]) -> Counter[str]:
        return self._cells.setdefault((gate, max(hour_of(at), self._first_hour), stay, kind), Counter())

    def live(self, line: Served, entry: Entry) -> None:
        """Count one request as a caller saw it."""
        self._told(line, entry)
        if entry.share_bp == 0:
            if self.pair_gates:
                judged = tuple(name for name in self.pair_gates if name in self._reference.taus)
                waiting = Waiting(line.at, line.latency_ms, entry.entry, judged)
                copy = self._copies.live(line.request_id, waiting)
                if copy is not None:
                    self._pair(waiting, copy)
        else:
            self._rate(line, entry)
            if entry.share_bp < FULL_BP:
                self._latency(line, entry)
                self._split(line, entry)
        # Last, so that the request that freezes a tau is not judged by it.
        if line.assigned is line.served is Side.INCUMBENT and 0 < line.status < SERVER_ERROR:
            self._reference.add(line.latency_ms)

    def _told(self, line: Served, entry: Entry) -> None:
        candidate = line.assigned is Side.CANDIDATE
        self._cell(TRAFFIC, line.at, (entry.entry, entry.share_bp), TrafficSum).update(
            n1=int(candidate),
            n0=int(not candidate),
            fallbacks=int(candidate and line.served is Side.INCUMBENT),
            failed=int(unanswered(line)),
        )

    def copy(self, copy: Mirrored) -> None:
        """Count one mirrored copy, once its live request is known."""
        live = self._copies.copy(copy)
        if live is not None:
            self._pair(live, copy)

    def _rate(self, line: Served, entry: Entry) -> None:
        if line.assigned is not Side.CANDIDATE:
            return
        for name, happened in self._rates:
            cell = self._cell(name, line.at, (entry.entry, entry.share_bp), RateSum)
            cell.update(n=1, x=int(happened(line)))

    def _latency(self, line: Served, entry: Entry) -> None:
        for gate in self._split_gates:
            tau = self._reference.taus.get(gate.name)
            if tau is None:
                continue
            cell = self._cell(gate.name, line.at, (entry.entry, entry.share_bp), LatencySplitSum)
            if line.assigned is Side.CANDIDATE:
                adv, rb = slower(gate, tau, line.latency_ms, no_answer=unanswered(line))
                cell.update(n1=1, c_adv=int(adv), c_rb=int(rb))
            else:
                cell.update(n0=1, i_tau=int(line.latency_ms > tau))

    def _split(self, line: Served, entry: Entry) -> None:
        new = self.new.get(entry.entry, {})
        if line.entity in new or line.entity in self._seen.get(entry.entry, ()):
            return
        self.new[entry.entry] = new
        new[line.entity] = line.assigned
        side = "n1" if line.assigned is Side.CANDIDATE else "n0"
        self._cell(SPLIT, line.at, (entry.entry, entry.share_bp), SplitSum).update({side: 1})

    def _pair(self, live: Waiting, copy: Mirrored) -> None:
        no_answer = copy.status == 0 or copy.status >= SERVER_ERROR
        for name in live.judged:
            gate = self.pair_gates.get(name)
            if gate is None:
                continue
            tau = self._reference.taus[name]
            adv, rb = slower(gate, tau, copy.latency_ms, no_answer=no_answer)
            above = live.latency_ms > tau
            self._cell(name, live.at, (live.entry, 0), LatencyPairSum).update(
                n=1,
                adv_c=int(adv and not above),
                adv_i=int(above and not adv),
                rb_c=int(rb and not above),
                rb_i=int(above and not rb),
            )

    def rows(self, part: str) -> list[EvidenceRow]:
        """Return what was counted, in order of gate, hour and entry."""
        rows = []
        for (gate, hour, (entry, share_bp), kind), cell in self._cells.items():
            sums = kind(**{name: cell[name] for name in kind.__dataclass_fields__})
            source = Source.MIRROR if kind is LatencyPairSum else Source.PLANE
            rows.append(EvidenceRow(gate, None, hour, entry, share_bp, source, part, sums))
        return sorted(rows, key=lambda row: (row.gate, row.batch, row.entry))

    def state(self) -> TrafficState:
        """Return what the next chunk needs to know."""
        copies, dropped = self._copies.bounded()
        self.unused.update(dropped)
        seen = {**self._seen}
        for entry, new in self.new.items():
            seen[entry] = seen.get(entry, frozenset()) | new.keys()
        counts = {reason: count for reason, count in self.unused.items() if count}
        return TrafficState(self._reference.frozen(), copies, seen, counts)
