"""The candidate's probabilities of one closed span of time, held against what happened, bin by bin."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np

from headgate.compare.pairs import Batch
from headgate.evidence import CalibrationSum, Entry, EvidenceRow, Source
from headgate.plan.model import Metric, Plan
from headgate.stats.calibration import BINS


def calibration_rows(
    plan: Plan, batch: Batch, span: tuple[datetime, datetime], stay: Entry
) -> list[EvidenceRow]:
    """Return the candidate's residuals label - probability per bin, for every calibration gate.

    Labelled requests that both sides answered count, as for the paired gates; where outcomes depend on
    the decision, only those that the candidate answered. Missing labels are left out and counted.

    Returns
    -------
    list of EvidenceRow
        Each with a `CalibrationSum`; no row where no such request has a label or should have one.
    """
    gates = [gate for gate in plan.gates if gate.metric is Metric.CALIBRATION]
    asked = batch.paired & batch.drawn
    if plan.outcomes.depends_on_decision:
        asked = asked & batch.candidate_side
    if not gates or not asked.any():
        return []
    known = asked & ~np.isnan(batch.label)
    answer, label = batch.candidate[known], batch.label[known]
    bins = np.minimum((answer * BINS).astype(np.int64), BINS - 1)
    cells = []
    for number in np.unique(bins).tolist():
        # `math.fsum` rounds once, so no order of requests changes a bit.
        residuals = (label - answer)[bins == number].tolist()
        cells.append((number, len(residuals), math.fsum(residuals) / len(residuals)))
    sums = CalibrationSum(tuple(cells), int(asked.sum() - known.sum()))
    return [
        EvidenceRow(gate.name, None, span[0], stay.entry, stay.share_bp, Source.SHADOW, "batch", sums)
        for gate in gates
    ]
