"""Latency from history: the sums the plane's log would have given for the same requests, all at once.

Exchanges that carry ``incumbent_latency_ms`` and ``candidate_latency_ms`` are read as if they had been
served: at share 0 the incumbent's time is the live request's and the candidate's that of its mirrored
copy; in a split each request has the time of the side it belongs to. `headgate.compare.traffic` counts
the same from real logs, line by line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.compare import latency
from headgate.compare.cells import Cells, Mask, cells_of
from headgate.compare.latency import Reference
from headgate.compare.stays import column_micros
from headgate.evidence import Entry, EvidenceRow, LatencyPairSum, LatencySplitSum, Source
from headgate.plan.model import Applies, Gate, Metric, Plan
from headgate.ports import Side, Status
from headgate.routing import FULL_BP

_UNANSWERED = pa.array([Status.ERROR.value, Status.TIMEOUT.value, Status.INVALID.value])


def latency_rows(
    plan: Plan,
    exchanges: pa.Table,
    entries: Sequence[Entry],
    part: str,
    reference: Reference,
    candidate_side: Mask | None = None,
) -> tuple[list[EvidenceRow], Reference]:
    """Return hourly sums of every latency gate, and the reference for the next window.

    Parameters
    ----------
    exchanges
        Table of n exchanges in the order they are to be read, like the lines of a log: the first ones
        freeze the reference and are not judged by it. An error, timeout or invalid answer counts as none.
    entries
        All stays so far, in order of time.
    part
        Which window these exchanges are.
    reference
        What the window before left; ``Reference()`` at the beginning.
    candidate_side
        Shape (n,): at a share above 0, which requests are the candidate's. None: not known, so nothing
        is counted there.

    Returns
    -------
    rows
        Pairs at share 0, both sides in a split; none where the latency columns are missing. A request
        of which no time is known is left out, unless the candidate did not answer it.
    reference
        With the taus that this window froze.
    """
    gates = [gate for gate in plan.gates if gate.metric is Metric.LATENCY]
    columns = {f"{side}_latency_ms" for side in Side}
    if not gates or not exchanges.num_rows or not columns <= set(exchanges.column_names):
        return [], reference
    requests = _Requests.of(exchanges, cells_of(entries, column_micros(exchanges["at"])), candidate_side)
    judged, after = _freeze(gates, requests, reference)
    rows = []
    for gate in gates:
        tau = after.taus.get(gate.name)
        if tau is None:
            continue
        seen = np.arange(len(requests.incumbent)) >= judged.get(gate.name, 0)
        if gate.applies is not Applies.SPLIT:
            rows += _pairs(gate, tau, requests, seen, part)
        if gate.applies is not Applies.SHADOW:
            rows += _arms(gate, tau, requests, seen, part)
    return sorted(rows, key=lambda row: (row.gate, row.batch, row.entry)), after


@dataclass(frozen=True, slots=True)
class _Requests:
    """n requests, all of shape (n,).

    Attributes
    ----------
    incumbent, candidate
        Latencies, ms; NaN where none is known.
    silent0, silent1
        The incumbent, the candidate did not answer.
    ours, theirs
        At a share above 0: the candidate's requests, the incumbent's.
    """

    cells: Cells
    incumbent: npt.NDArray[np.float64]
    candidate: npt.NDArray[np.float64]
    silent0: Mask
    silent1: Mask
    ours: Mask
    theirs: Mask

    @classmethod
    def of(cls, exchanges: pa.Table, cells: Cells, candidate_side: Mask | None) -> _Requests:
        live = cells.share_bp > 0
        known = np.zeros_like(live) if candidate_side is None else live
        side = np.zeros_like(live) if candidate_side is None else candidate_side
        return cls(
            cells,
            incumbent=_times(exchanges, Side.INCUMBENT),
            candidate=_times(exchanges, Side.CANDIDATE),
            silent0=_silent(exchanges, Side.INCUMBENT),
            silent1=_silent(exchanges, Side.CANDIDATE),
            ours=known & side,
            theirs=known & ~side,
        )

    @property
    def shadow(self) -> Mask:
        """Where the incumbent alone answered callers."""
        shadow: Mask = self.cells.share_bp == 0
        return shadow

    @property
    def timed(self) -> Mask:
        """Where the candidate's time is known, or that there was no answer to time."""
        timed: Mask = self.silent1 | ~np.isnan(self.candidate)
        return timed


def _times(exchanges: pa.Table, side: Side) -> npt.NDArray[np.float64]:
    """Return latencies, ms; what is no time at all is not known."""
    times = np.asarray(exchanges[f"{side}_latency_ms"].cast(pa.float64()), dtype=np.float64)
    return np.where(np.isfinite(times) & (times >= 0), times, np.nan)


def _silent(exchanges: pa.Table, side: Side) -> Mask:
    return np.asarray(pc.is_in(exchanges[f"{side}_status"], value_set=_UNANSWERED), dtype=np.bool_)


def _freeze(
    gates: Sequence[Gate], requests: _Requests, reference: Reference
) -> tuple[dict[str, int], Reference]:
    """Return per gate frozen here the first request it judges, and what `Gathering` would leave."""
    gathering = reference.gathering(gates)
    added = (requests.shadow | requests.theirs) & ~requests.silent0 & ~np.isnan(requests.incumbent)
    most = max((latency.needed(q) for q in gathering.wanted.values()), default=0)
    first = {}
    for place in np.flatnonzero(added)[:most].tolist():
        before = set(gathering.taus)
        gathering.add(float(requests.incumbent[place]))
        first.update(dict.fromkeys(gathering.taus.keys() - before, place + 1))
    return first, gathering.frozen()


def _pairs(gate: Gate, tau: float, requests: _Requests, seen: Mask, part: str) -> list[EvidenceRow]:
    pairs = requests.shadow & seen & requests.timed & ~np.isnan(requests.incumbent)
    above = requests.incumbent > tau
    adv, rb = _slower(gate, tau, requests)
    masks = (pairs, pairs & adv & ~above, pairs & above & ~adv, pairs & rb & ~above, pairs & above & ~rb)
    return [
        EvidenceRow(gate.name, None, hour, entry.entry, 0, Source.MIRROR, part, LatencyPairSum(*counts))
        for hour, entry, counts in requests.cells.count(*masks)
    ]


def _arms(gate: Gate, tau: float, requests: _Requests, seen: Mask, part: str) -> list[EvidenceRow]:
    split = seen & (requests.cells.share_bp < FULL_BP)
    ours = requests.ours & split & requests.timed
    theirs = requests.theirs & split & ~np.isnan(requests.incumbent)
    adv, rb = _slower(gate, tau, requests)
    masks = (ours, theirs, ours & adv, ours & rb, theirs & (requests.incumbent > tau))
    return [
        EvidenceRow(
            gate.name, None, hour, entry.entry, entry.share_bp, Source.PLANE, part, LatencySplitSum(*counts)
        )
        for hour, entry, counts in requests.cells.count(*masks)
    ]


def _slower(gate: Gate, tau: float, requests: _Requests) -> tuple[Mask, Mask]:
    """As `headgate.compare.latency.slower`, for all requests."""
    advance, harm = latency.limits(gate, tau)
    return requests.silent1 | (requests.candidate > advance), requests.candidate > harm
