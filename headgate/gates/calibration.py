"""Whether the candidate's probabilities mean what they say. It only tells: a report gate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headgate.evidence import CalibrationSum, EvidenceRow
from headgate.gates.finding import Finding, Trail
from headgate.gates.questions import Question
from headgate.gates.rows import merged
from headgate.plan.model import Plan
from headgate.stats.betting import Batches, FloatArray
from headgate.stats.calibration import BINS, bin_evidence, evidence
from headgate.stats.display import ALPHA, mean_limit


def judge_calibration(
    question: Question,  # noqa: ARG001 - every method is called alike; this one is held against no limit
    plan: Plan,
    rows: Sequence[EvidenceRow],
) -> Finding:
    """Return the finding of calibration: how strongly any of ten bins is refuted, and by how much.

    The estimate is the mean residual y - p of the bin with the most evidence against it, not the largest
    one: ten bins always have a largest, and it is mostly the one with the fewest requests. Its limits hold
    for all bins at once. The expected calibration error, the mean size of the bins' mean residuals over
    requests, is told beside it.
    """
    found = [sums for _, sums in merged(rows, CalibrationSum)]
    blocks = [sums for sums in found if sums.bins]
    unit = "hours" if plan.unit.block == "none" else "blocks"
    if not blocks:
        return Finding(unit=unit)
    residuals, seen = _table(blocks)
    more, less = bin_evidence(residuals, seen)
    # A bin in which nothing came stands at 1, above many a bin that fits.
    against = np.where(seen.any(axis=1), np.maximum(more[:, -1], less[:, -1]), -np.inf)
    worst = int(np.argmax(against))
    here = residuals[worst][seen[worst] > 0]
    lower, upper = _limits(here)
    units = np.arange(1.0, len(blocks) + 1)
    return Finding(
        # Nothing proves that probabilities mean what they say; not proved to be off is all there is.
        Trail(np.zeros(len(blocks)), units),
        Trail(evidence(more, less), units),
        float(here.mean()),
        lower,
        upper,
        unit=unit,
        seen=_seen(worst, float(here.mean()), lower, upper),
        notes=_notes(residuals, seen, sum(sums.missing for sums in found)),
        wait="no bin is proven to be off",
    )


def _table(blocks: Sequence[CalibrationSum]) -> tuple[FloatArray, FloatArray]:
    residuals, seen = np.zeros((BINS, len(blocks))), np.zeros((BINS, len(blocks)))
    for at, sums in enumerate(blocks):
        for number, count, residual in sums.bins:
            residuals[number, at], seen[number, at] = residual, count
    return residuals, seen


def _limits(residuals: FloatArray) -> tuple[float, float]:
    alpha = ALPHA / 2 / BINS
    below, above = (mean_limit(Batches.single(side), 1.0, alpha) for side in (-residuals, residuals))
    return -below, above


def _seen(worst: int, residual: float, lower: float, upper: float) -> str:
    told = f"where the candidate says {worst / BINS:g} to {(worst + 1) / BINS:g}, it happens "
    if residual < 0:
        return f"{told}{-100 * residual:.1f} points less often (95 % {-100 * upper:.1f}..{-100 * lower:.1f})"
    return f"{told}{100 * residual:.1f} points more often (95 % {100 * lower:.1f}..{100 * upper:.1f})"


def _notes(residuals: FloatArray, seen: FloatArray, missing: int) -> tuple[str, ...]:
    requests = seen.sum(axis=1)
    filled = requests > 0
    means = (residuals * seen).sum(axis=1)[filled] / requests[filled]
    error = float((np.abs(means) * requests[filled]).sum() / requests.sum())
    notes = [f"expected calibration error {error:.4f} over {int(requests.sum())} requests"]
    if missing:
        notes.append(f"{missing} labels missing, left out")
    return tuple(notes)
