"""Which answers of a window people should look at, and how many that would be on either side.

Every answer has one draw between 0 and 1, a hash of service and request id, and is looked at if that is
below its chance. The chance is the plan's ``sample`` everywhere, higher where the sides disagree and in small
segments; because there is one draw only, the plain sample is always a part of what is drawn, and speaks for
all answers without weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from headgate import routing
from headgate.plan.guarding import Unsure
from headgate.plan.model import Plan
from headgate.ports import ReviewReason, Side

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Answered:
    """The n requests of a window with both sides' answers; arrays are of shape (n,).

    Attributes
    ----------
    incumbent, candidate
        Answers, NaN where that side did not answer.
    candidate_side
        The candidate's request at the share that was in force.
    high_value
        The plan's rule holds.
    parts
        Per segment (``column=value``) which requests are in it; each request is in one of each column.
    """

    request_ids: Sequence[str]
    incumbent: Floats
    candidate: Floats
    candidate_side: Mask
    high_value: Mask
    parts: Mapping[str, Mask]

    @property
    def served_by_candidate(self) -> Mask:
        """The candidate's answer is what the caller got: where it has none, the incumbent stood in."""
        served: Mask = self.candidate_side & ~np.isnan(self.candidate)
        return served


@dataclass(frozen=True, slots=True)
class Drawing:
    """What people should look at.

    Attributes
    ----------
    rows
        Positions of the cases in the window, rising.
    reasons, strata
        Per case why, and what it was drawn from.
    sides, answers, confidences
        Per case who answered, what, and how surely; None where nobody did or no confidence is known.
    if_incumbent, if_candidate
        Which of the n requests would be cases if that side had answered all of them; shape (n,).
    """

    rows: Sequence[int]
    reasons: Sequence[ReviewReason]
    strata: Sequence[str]
    sides: Sequence[Side | None]
    answers: Sequence[float | None]
    confidences: Sequence[float | None]
    if_incumbent: Mask
    if_candidate: Mask


def draw(plan: Plan, seen: Answered, days: float) -> Drawing:
    """Return the cases of a window, and what it would bring if either side answered everything.

    Parameters
    ----------
    plan
        With a key ``review``.
    days
        Length of the window.
    """
    assert plan.review is not None  # noqa: S101 - whoever has no queue draws nothing
    disagree = _disagree(plan, seen)
    chances = chances_of(plan, seen, disagree, days)
    drawn = _below(plan.service, seen.request_ids, chances)
    wanted = drawn | seen.high_value
    doubtful = {side: doubts(plan, answers) for side, answers in _each(seen).items()}
    served = np.where(seen.served_by_candidate, seen.candidate, seen.incumbent)
    unsure = np.where(seen.served_by_candidate, doubtful[Side.CANDIDATE], doubtful[Side.INCUMBENT])
    rows = np.flatnonzero(wanted | unsure).tolist()
    return Drawing(
        rows=rows,
        reasons=[
            ReviewReason.LOW_CONFIDENCE
            if unsure[row]
            else ReviewReason.HIGH_VALUE
            if seen.high_value[row]
            else ReviewReason.SAMPLED
            for row in rows
        ],
        strata=[_stratum(seen, disagree, row) for row in rows],
        sides=[
            None
            if np.isnan(served[row])
            else Side.CANDIDATE
            if seen.served_by_candidate[row]
            else Side.INCUMBENT
            for row in rows
        ],
        answers=[None if np.isnan(served[row]) else float(served[row]) for row in rows],
        confidences=[confidence(plan, float(served[row])) for row in rows],
        if_incumbent=wanted | doubtful[Side.INCUMBENT],
        # Where the candidate has no answer, the incumbent stands in, and so do its doubts.
        if_candidate=wanted
        | np.where(np.isnan(seen.candidate), doubtful[Side.INCUMBENT], doubtful[Side.CANDIDATE]),
    )


def chances_of(plan: Plan, seen: Answered, disagree: Mask, days: float) -> Floats:
    """Return the chance of every answer to be looked at, shape (n,).

    The plan's sample; where the sides disagree the chance asked for that; in a segment that would bring
    fewer than ``per_segment`` cases a day as much as brings them, all of it if need be.
    """
    asked = plan.review
    assert asked is not None  # noqa: S101 - as in `draw`
    chances = np.full(len(seen.request_ids), asked.sample)
    if asked.disagreement is not None:
        chances[disagree] = np.maximum(chances[disagree], asked.disagreement)
    for here in seen.parts.values():
        count = int(here.sum())
        if count and asked.per_segment:
            chances[here] = np.maximum(chances[here], min(1.0, asked.per_segment * days / count))
    return chances


def in_sample(plan: Plan, request_ids: Sequence[str]) -> Mask:
    """Return which requests are in the plain sample, shape (n,): it speaks for all answers."""
    rate = plan.review.sample if plan.review else 0.0
    return _below(plan.service, request_ids, np.full(len(request_ids), rate))


def doubts(plan: Plan, answers: Floats) -> Mask:
    """Return which answers are less sure than the plan asks and go to people; none where it does not ask."""
    floor = plan.serving.confidence_below
    if (
        floor is None
        or floor.then not in (Unsure.REVIEW, Unsure.FLAG)
        or plan.prediction.kind != "probability"
    ):
        return np.zeros(len(answers), np.bool_)
    with np.errstate(invalid="ignore"):
        below: Mask = np.maximum(answers, 1 - answers) < floor.value
    return below


def confidence(plan: Plan, answer: float) -> float | None:
    """Return how sure an answer is, max(p, 1 - p); None where the models answer no probability.

    Examples
    --------
    >>> max(0.3, 1 - 0.3)
    0.7
    """
    if plan.prediction.kind != "probability" or np.isnan(answer):
        return None
    return max(answer, 1 - answer)


def _each(seen: Answered) -> dict[Side, Floats]:
    return {Side.INCUMBENT: seen.incumbent, Side.CANDIDATE: seen.candidate}


def _disagree(plan: Plan, seen: Answered) -> Mask:
    if plan.prediction.kind == "number":
        return np.zeros(len(seen.request_ids), np.bool_)  # two numbers are hardly ever the same
    both = ~np.isnan(seen.incumbent) & ~np.isnan(seen.candidate)
    threshold = plan.prediction.threshold
    apart: Mask = both & ((seen.incumbent >= threshold) != (seen.candidate >= threshold))
    return apart


def _below(service: str, request_ids: Sequence[str], chances: Floats) -> Mask:
    """Return whose draw is below its chance; a chance of 1 is certain."""
    found = chances >= 1
    for chance in np.unique(chances[(chances > 0) & (chances < 1)]):
        here = chances == chance
        ids = [request_ids[row] for row in np.flatnonzero(here).tolist()]
        found[here] = routing.all_drawn(f"review of {service}", ids, float(chance))
    return found


def _stratum(seen: Answered, disagree: Mask, row: int) -> str:
    """Return what a case was drawn from; of one that a side did not answer only the segments."""
    where = [name for name, here in seen.parts.items() if here[row]]
    both = not (np.isnan(seen.incumbent[row]) or np.isnan(seen.candidate[row]))
    return ", ".join([*where, *(["sides disagree" if disagree[row] else "sides agree"] if both else [])])
