"""Errors and coverage of the candidate in shadow, as counts per hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headgate.compare.stays import HOUR, column_micros, stay_indices
from headgate.evidence import Entry, EvidenceRow, RateSum, Source
from headgate.plan.model import Metric, Plan
from headgate.ports import Status

RATES = (Metric.ERROR_RATE, Metric.COVERAGE)


def shadow_rate_rows(
    plan: Plan, exchanges: pa.Table, entries: Sequence[Entry], part: str
) -> list[EvidenceRow]:
    """Return hourly counts of every rate gate, from exchanges made while the share was 0.

    At a share above 0 the plane's log says what callers really got; a batch call says nothing about
    that, so those exchanges are left out here.

    Parameters
    ----------
    exchanges
        Table of exchanges, any order.
    entries
        All stays so far, in order of time.
    part
        Which window these exchanges are; each window is counted once.

    Returns
    -------
    list of EvidenceRow
        ``error_rate``: n = requests the candidate was asked, x = error, timeout or invalid.
        ``coverage``: n = all requests, x = those without a usable answer, rejected ones included.
        An hour in which nothing was asked has no row.
    """
    gates = [gate for gate in plan.gates if gate.metric in RATES]
    if not gates or not exchanges.num_rows:
        return []
    at = column_micros(exchanges["at"])
    stays = stay_indices(entries, at)
    shadow = np.array([entry.share_bp == 0 for entry in entries])[stays]
    answered = _is(exchanges, Status.OK)
    asked = ~_is(exchanges, Status.REJECTED)
    counted = {Metric.ERROR_RATE: shadow & asked, Metric.COVERAGE: shadow}

    hours = at // (HOUR // timedelta(microseconds=1))
    cells, cell = np.unique(np.stack([hours, stays], axis=1), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    rows = []
    for gate in gates:
        among = counted[gate.metric]
        n = np.bincount(cell[among], minlength=len(cells))
        x = np.bincount(cell[among & ~answered], minlength=len(cells))
        for (hour, stay), total, events in zip(cells.tolist(), n.tolist(), x.tolist(), strict=True):
            if total:
                batch = pa.scalar(hour * 3600, pa.timestamp("s", tz="UTC")).as_py()
                entry = entries[stay]
                rows.append(
                    EvidenceRow(
                        gate.name, None, batch, entry.entry, 0, Source.SHADOW, part, RateSum(total, events)
                    )
                )
    return rows


def _is(exchanges: pa.Table, status: Status) -> np.ndarray:
    return np.asarray(pc.equal(exchanges["candidate_status"], status.value), dtype=bool)
