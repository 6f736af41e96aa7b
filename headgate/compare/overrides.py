"""How often a person overruled the candidate's answer, per closed block (or hour)."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from headgate.compare.pairs import Batch
from headgate.evidence import Entry, EvidenceRow, RateSum, Source
from headgate.plan.model import Metric, Plan


def override_rows(
    plan: Plan, batch: Batch, span: tuple[datetime, datetime], stay: Entry
) -> list[EvidenceRow]:
    """Return the counts of every override gate over one closed span.

    Only answers that somebody got can be overruled: the candidate's own requests of a live split. What
    is not known when the span closes is left out; silence is not approval.

    Parameters
    ----------
    batch
        The requests of the span with what was known by its end plus the plan's maturity.
    span
        [start, end), aware UTC.
    stay
        In force at the span's start.

    Returns
    -------
    list of EvidenceRow
        n = the candidate's requests of which it is known, x = overruled; no row where n is 0.
    """
    gates = [gate for gate in plan.gates if gate.metric is Metric.OVERRIDE_RATE]
    known = batch.candidate_side & ~np.isnan(batch.overridden)
    n, x = int(known.sum()), int((known & (batch.overridden > 0)).sum())
    if not n:
        return []
    return [
        EvidenceRow(gate.name, None, span[0], stay.entry, stay.share_bp, Source.PLANE, "batch", RateSum(n, x))
        for gate in gates
    ]
