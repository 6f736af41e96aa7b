"""Rates that need no label, as counts per hour: errors, fallbacks, rejects, coverage, disagreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headgate.compare.cells import Mask, cells_of
from headgate.compare.stays import column_micros
from headgate.evidence import Entry, EvidenceRow, RateSum, Source
from headgate.plan.model import Metric, Plan
from headgate.ports import Side, Status

COUNTED = frozenset(
    {Metric.ERROR_RATE, Metric.FALLBACK_RATE, Metric.REJECT_RATE, Metric.COVERAGE, Metric.DISAGREEMENT}
)
"""Rates that exchanges tell by themselves."""


def window_rows(
    plan: Plan,
    exchanges: pa.Table,
    entries: Sequence[Entry],
    part: str,
    candidate_side: Mask | None = None,
) -> list[EvidenceRow]:
    """Return hourly counts of every rate gate that exchanges tell without a label.

    Parameters
    ----------
    exchanges
        Table of n exchanges, any order, each request once.
    entries
        All stays so far, in order of time.
    part
        Which window these exchanges are; each window is counted once.
    candidate_side
        Shape (n,): at a share above 0, which requests are the candidate's. None: the plane's log says
        what callers really got and is counted elsewhere (`headgate.compare.traffic`), so above share 0
        only disagreement is counted here.

    Returns
    -------
    list of EvidenceRow
        ``error_rate``, ``fallback_rate``: n = requests the candidate was asked, x = error, timeout or
        invalid, so that the incumbent stands in. Above share 0 a rejected request is among the n, as in
        the plane's log. ``reject_rate``: n = all requests, x = refused by the input contract.
        ``coverage``: n = all requests, x = those without a usable answer, rejected ones included.
        ``disagreement``: n = requests that both sides answered, x = those on which their decisions
        differ, at every share: both sides are scored off the answer path.
        An hour in which nothing was asked has no row.
    """
    gates = [gate for gate in plan.gates if gate.metric in COUNTED]
    if not gates or not exchanges.num_rows:
        return []
    cells = cells_of(entries, column_micros(exchanges["at"]))
    counts = _counts(plan, exchanges, cells.share_bp == 0, candidate_side, {gate.metric for gate in gates})
    rows = []
    for gate in gates:
        among, events = counts[gate.metric]
        for hour, entry, (n, x) in cells.count(among, among & events):
            seen_by_plane = entry.share_bp > 0 and gate.metric is not Metric.DISAGREEMENT
            source = Source.PLANE if seen_by_plane else Source.SHADOW
            rows.append(
                EvidenceRow(gate.name, None, hour, entry.entry, entry.share_bp, source, part, RateSum(n, x))
            )
    return rows


@dataclass(frozen=True, slots=True)
class _Answers:
    """How the candidate fared with n requests, each of shape (n,); one of the three is true for each."""

    ok: Mask
    rejected: Mask
    failed: Mask


def _counts(
    plan: Plan, exchanges: pa.Table, shadow: Mask, candidate_side: Mask | None, asked: set[Metric]
) -> dict[Metric, tuple[Mask, Mask]]:
    """Return per metric which requests are counted and which of them are events, of shape (n,) each."""
    counts = {}
    if asked - {Metric.DISAGREEMENT}:
        found = _answers(exchanges)
        live = np.zeros_like(shadow) if candidate_side is None else candidate_side & ~shadow
        all_of_them, tried = shadow | live, (shadow & ~found.rejected) | live
        counts = {
            Metric.ERROR_RATE: (tried, found.failed),
            Metric.FALLBACK_RATE: (tried, found.failed),
            Metric.REJECT_RATE: (all_of_them, found.rejected),
            Metric.COVERAGE: (all_of_them, ~found.ok),
        }
    if Metric.DISAGREEMENT in asked:
        counts[Metric.DISAGREEMENT] = decisions(plan, exchanges)
    return counts


def _answers(exchanges: pa.Table) -> _Answers:
    ok, rejected = (_is(exchanges, Side.CANDIDATE, status) for status in (Status.OK, Status.REJECTED))
    return _Answers(ok, rejected, ~(ok | rejected))


def decisions(plan: Plan, exchanges: pa.Table) -> tuple[Mask, Mask]:
    """Return where both sides answered, and where what follows from their answers differs."""
    answers = [
        np.asarray(exchanges[f"{side}_prediction"].cast(pa.float64()), dtype=np.float64) for side in Side
    ]
    both = ~np.isnan(answers[0]) & ~np.isnan(answers[1])
    for side in Side:
        both &= _is(exchanges, side, Status.OK)
    if plan.prediction.kind != "probability":
        return both, answers[0] != answers[1]
    threshold = plan.prediction.threshold
    return both, (answers[0] >= threshold) != (answers[1] >= threshold)


def _is(exchanges: pa.Table, side: Side, status: Status) -> Mask:
    return np.asarray(pc.equal(exchanges[f"{side}_status"], status.value), dtype=np.bool_)
