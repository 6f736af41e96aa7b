"""What must hold for people to look at answers, each rule a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from headgate.errors import InputError
from headgate.plan.durations import as_duration
from headgate.plan.finding import Finding, show
from headgate.plan.model import Plan
from headgate.plan.where import read_where


def what_is_worth_a_look_can_be_read(plan: Plan) -> Iterator[Finding]:
    """Refuse a rule that says nothing, or asks a column that no reviewer gets to see."""
    if plan.review is None or plan.review.high_value is None:
        return
    path = ("review", "high_value")
    try:
        read_where(plan.review.high_value)
    except InputError as err:
        todo = "correct it: docs/plan.md shows how"
        yield Finding(path, "an expression as in slices[].where", str(err), todo)


def reviewers_have_time(plan: Plan) -> Iterator[Finding]:
    """Refuse a queue that is too old as soon as anything is in it."""
    if plan.review is not None and plan.review.max_age <= timedelta(0):
        found = as_duration(plan.review.max_age)
        yield Finding(("review", "max_age"), "a duration above 0", found, "write e.g. 1d")


def disagreement_is_looked_at_more_often(plan: Plan) -> Iterator[Finding]:
    """Refuse a chance below that of any answer: the sample is drawn everywhere."""
    asked = plan.review
    if asked is not None and asked.disagreement is not None and asked.disagreement < asked.sample:
        least = f"at least `review.sample`, {asked.sample:g}"
        todo = "raise it, or lower the sample: disagreements are in the sample like all answers"
        yield Finding(("review", "disagreement"), least, show(asked.disagreement), todo)


def numbers_do_not_disagree(plan: Plan) -> Iterator[Finding]:
    """Refuse to draw disagreements of numbers: two numbers are hardly ever the same."""
    asked = plan.review
    if asked is not None and asked.disagreement is not None and plan.prediction.kind == "number":
        todo = "take it out; draw by `per_segment` or `high_value` instead"
        yield Finding(("review", "disagreement"), "answers that are decisions", "numbers", todo)


def segments_to_draw_from_are_named(plan: Plan) -> Iterator[Finding]:
    """Refuse to draw from every segment where the plan names none."""
    if plan.review is not None and plan.review.per_segment and plan.segments is None:
        todo = "add `segments: {by: [origin]}`, or take `per_segment` out"
        yield Finding(("review", "per_segment"), "segments to draw from", "none in the plan", todo)
