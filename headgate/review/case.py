"""A case in the review queue, and what a person said of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from headgate.errors import InputError
from headgate.plan.model import Plan
from headgate.ports import ReviewCase


class Ruling(StrEnum):
    """What a reviewer says."""

    CONFIRMED = "confirmed"
    OVERRIDDEN = "overridden"  # the answer should have been another one
    ANSWERED = "answered"  # nobody had answered; a person did
    UNCLEAR = "unclear"  # what there is to see does not tell
    WITHDRAWN = "withdrawn"  # taken back: the case waits again


#: Rulings that tell whether the answer was right in a person's eyes.
JUDGED = frozenset({Ruling.CONFIRMED, Ruling.OVERRIDDEN})


@dataclass(frozen=True, slots=True)
class Decided:
    """What was said of a case.

    Attributes
    ----------
    answer
        What the answer should be, as the reviewer has it; None where they cannot tell.
    at
        Aware UTC.
    """

    ruling: Ruling
    answer: float | None
    reviewer: str
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Queued:
    """A case in the queue.

    Attributes
    ----------
    id
        Its number in the store.
    stratum
        What it was drawn from, e.g. ``origin=JFK, sides disagree``; empty where it was not drawn.
    queued_at
        Since when it waits; ``case.at`` is when the request came.
    decided
        What was said of it; None: it waits.
    """

    id: int
    case: ReviewCase
    stratum: str
    queued_at: datetime
    decided: Decided | None = None

    def waited(self, now: datetime) -> timedelta:
        """Return how long it has waited, or did until somebody decided it."""
        return (self.decided.at if self.decided else now) - self.queued_at


def cases_wait(number: int) -> str:
    """Return how many wait, as the beginning of a sentence.

    Examples
    --------
    >>> cases_wait(1), cases_wait(1_200)
    ('1 case waits', '1,200 cases wait')
    """
    return "1 case waits" if number == 1 else f"{number:,} cases wait"


def decision_of(plan: Plan, answer: float | None) -> float | None:
    """Return what follows from an answer: 0 or 1, of numbers the number itself; None stays None."""
    if answer is None or plan.prediction.kind == "number":
        return answer
    return float(answer >= plan.prediction.threshold)


def ruling_on(plan: Plan, case: ReviewCase, answer: float) -> Ruling:
    """Return what a reviewer's answer makes of a case.

    Parameters
    ----------
    answer
        0 or 1; where the models answer numbers, a number that they could have answered.

    Raises
    ------
    InputError
        If it is no answer of this plan's kind.
    """
    if plan.prediction.kind != "number":
        usable, asked = answer in (0, 1), "0 or 1"
    else:
        low, high = plan.answers
        usable, asked = math.isfinite(answer) and low <= answer <= high, f"a number from {low:g} to {high:g}"
    if not usable:
        raise InputError(f"asked {asked} for {case.request_id}; found {answer:g}; give one of these")
    served = decision_of(plan, case.answer)
    if served is None:
        return Ruling.ANSWERED
    return Ruling.CONFIRMED if served == answer else Ruling.OVERRIDDEN
