"""How good the answers of a span of time were, once their labels are mature. Nothing here is an estimate.

A cohort is read when its last block is closed, with the labels known by then, as for the gates
(`headgate.compare.pairs`); what is known later changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headgate.compare.losses import capped, losses
from headgate.compare.pairs import KNOWN_AT, LABEL, OVERRIDDEN, parts_of, with_outcomes
from headgate.compare.stays import column_micros, micros
from headgate.performance.answers import answered, floats, largest, mean_of, threshold_of
from headgate.performance.bins import Binned, Floats, Mask, binned
from headgate.performance.estimating import area
from headgate.performance.question import Question
from headgate.plan.model import Plan


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a cohort.

    Attributes
    ----------
    labelled
        Answers with a label, of ``answered``.
    loss
        Mean over entities of each one's mean loss, as the gates count it; None without labels.
    mean
        Mean over requests.
    """

    at: str
    answered: int
    labelled: int
    loss: float | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class Part:
    """One segment of a cohort: answers, labels, mean loss, share of wrong decisions."""

    answered: int
    labelled: int
    loss: float | None
    wrong: float | None


@dataclass(frozen=True, slots=True)
class CohortSums:
    """What became of the answers of one cohort.

    Attributes
    ----------
    loss
        Mean loss over requests, in the unit of the watched gate; None without labels.
    wrong, positives, auc
        Share of wrong decisions and of outcomes that are 1, area under the curve (of binned scores); None
        where the models answer numbers, or without labels.
    overridden
        Share of answers that a person overruled, of those where that is known; None: not told.
    bins
        Scores with their labels; None where the models answer numbers.
    """

    answered: int
    labelled: int
    blocks: tuple[Block, ...]
    loss: float | None
    wrong: float | None
    positives: float | None
    auc: float | None
    overridden: float | None
    bins: Binned | None
    parts: Mapping[str, Part]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; what is not known is null."""
        return asdict(self) | {"bins": None if self.bins is None else self.bins.to_json()}


def cohort_sums(
    plan: Plan,
    question: Question | None,
    served: pa.Table,
    outcomes: pa.Table,
    span: tuple[datetime, datetime],
    segments: Mapping[str, tuple[str, ...]],
) -> CohortSums:
    """Return the realised performance of the answers of ``[start, end)``.

    Parameters
    ----------
    question
        The loss that is watched; None: only decisions are looked at.
    served
        As `headgate.performance.answers.SERVED`, of these requests and perhaps others.
    outcomes
        As the lake has them, not cleaned yet.
    segments
        As in `headgate.performance.answers.window_sums`.

    Raises
    ------
    InputError
        If the outcome log is not as the plan says.
    """
    inside = _of(served, span)
    rows = with_outcomes(plan, inside.filter(pa.array(answered(inside))), outcomes, span[1])
    at = column_micros(rows["at"])
    label = _labels(plan, rows, at)
    answer, known = floats(rows["prediction"]), ~np.isnan(label)
    numbers = plan.prediction.kind == "number"
    threshold = threshold_of(plan)
    loss, wrong = np.full(len(at), np.nan), np.full(len(at), np.nan)
    if question is not None:
        loss[known] = capped(losses(question.gate, plan, answer[known], label[known]), question.cap)
    if not numbers:
        wrong[known] = (answer[known] >= threshold) != (label[known] == 1)
    bins = None if numbers else binned(answer, threshold, label)
    entity = np.asarray(rows["entity"].combine_chunks().dictionary_encode().indices)
    return CohortSums(
        answered=len(at),
        labelled=int(known.sum()),
        blocks=tuple(
            Block(
                start.isoformat(),
                int(here.sum()),
                int((here & known).sum()),
                *_means(loss[here], entity[here]),
            )
            for start, here in _blocks(plan, span, at)
        ),
        loss=_mean(loss),
        wrong=_mean(wrong),
        positives=None if numbers else _mean(label),
        auc=None
        if bins is None
        else area(bins.array("positive"), bins.array("labelled") - bins.array("positive")),
        overridden=_mean(floats(rows[OVERRIDDEN])) if OVERRIDDEN in rows.column_names else None,
        bins=bins,
        parts={
            name: Part(int(here.sum()), int((here & known).sum()), _mean(loss[here]), _mean(wrong[here]))
            for name, here in largest(parts_of(plan, rows, segments)).items()
        },
    )


def block_length(plan: Plan, every: timedelta) -> timedelta:
    """Return how long a block is; a window where the plan has no blocks."""
    return every if plan.unit.block == "none" else plan.unit.block


def cohort_length(plan: Plan, every: timedelta) -> timedelta:
    """Return how long a cohort is: whole blocks, and not shorter than a window."""
    block = block_length(plan, every)
    return block * -(-every // block)


def _of(served: pa.Table, span: tuple[datetime, datetime]) -> pa.Table:
    at = column_micros(served["at"])
    return served.filter(pa.array((at >= micros(span[0])) & (at < micros(span[1]))))


def _labels(plan: Plan, rows: pa.Table, at: Any) -> Floats:
    """Return the labels that were known when each request's block closed; NaN where none was."""
    length = micros_of(plan.unit.block) if plan.unit.block != "none" else None
    ends = at if length is None else (at // length + 1) * length
    closed = ends + micros_of(plan.outcomes.maturity)
    known_at = column_micros(pc.fill_null(rows[KNOWN_AT], _NEVER))
    return np.where(known_at <= closed, floats(rows[LABEL]), np.nan)


def micros_of(span: timedelta) -> int:
    """Return a span in microseconds."""
    return span // timedelta(microseconds=1)


_NEVER = pa.scalar(np.iinfo(np.int64).max, pa.timestamp("us", "UTC"))


def _blocks(plan: Plan, span: tuple[datetime, datetime], at: Any) -> Iterator[tuple[datetime, Mask]]:
    length = span[1] - span[0] if plan.unit.block == "none" else plan.unit.block
    start = span[0]
    while start < span[1]:
        yield start, (at >= micros(start)) & (at < micros(start + length))
        start += length


def _means(loss: Floats, entity: Any) -> tuple[float | None, float | None]:
    """Return the mean over entity means, and over requests, of the losses that are known."""
    known = ~np.isnan(loss)
    if not known.any():
        return None, None
    _, codes = np.unique(entity[known], return_inverse=True)
    means = np.bincount(codes, weights=loss[known]) / np.bincount(codes)
    return float(means.mean()), float(loss[known].mean())


def _mean(values: Floats) -> float | None:
    return mean_of(values[~np.isnan(values)])
