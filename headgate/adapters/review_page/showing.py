"""What the page shows of a case, in words; and the templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from headgate.plan.model import Plan
from headgate.ports import ReviewReason
from headgate.report.formats import lasting, number, when
from headgate.review.case import Queued, decision_of

REASONS = {
    ReviewReason.FALLBACK: "nobody could answer: a caller waits",
    ReviewReason.LOW_CONFIDENCE: "the model is not sure",
    ReviewReason.FLAGGED: "the input was odd",
    ReviewReason.HIGH_VALUE: "worth a look, by the plan's rule",
    ReviewReason.SAMPLED: "drawn at random",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A case as a reviewer reads it.

    Attributes
    ----------
    answer
        What was answered, in words; empty where nobody did.
    other
        The other decision, in words; empty where the models answer numbers.
    other_value
        The same as a form sends it.
    sure
        Confidence in percent; None where there is none.
    """

    id: int
    question: str
    answer: str
    detail: str
    other: str
    other_value: str
    choices: tuple[tuple[str, str], ...]
    sure: int | None
    reason: str
    tone: str
    facts: Mapping[str, str]
    inputs: Mapping[str, str]


def shown(case: Queued, plan: Plan | None, now: datetime) -> Shown:
    """Return a case in words."""
    one, label = case.case, plan.outcomes.label if plan else "answer"
    binary = plan is not None and plan.prediction.kind != "number"
    served = decision_of(plan, one.answer) if plan else one.answer
    other = None if served is None or not binary else 1.0 - served
    probability = plan is not None and plan.prediction.kind == "probability"
    return Shown(
        id=case.id,
        question=f"{label}?" if binary else label,
        answer="" if served is None else _word(served, binary=binary),
        detail=f"answered {one.answer:.3g}" if probability and one.answer is not None else "",
        other="" if other is None else _word(other, binary=binary),
        other_value="" if other is None else f"{other:g}",
        choices=(("1", "yes"), ("0", "no")) if binary else (),
        sure=None if one.confidence is None else round(100 * one.confidence),
        reason=REASONS[one.reason],
        tone="bad" if one.reason is ReviewReason.FALLBACK else "plain",
        facts={
            "request": one.request_id,
            "about": one.entity,
            "came": when(one.at),
            "answered by": one.side.value if one.side else "nobody",
            "waits": lasting(case.waited(now)),
            "drawn from": case.stratum or "not drawn",
        },
        inputs={name: _input(value) for name, value in one.inputs.items()},
    )


def _word(decision: float, *, binary: bool) -> str:
    return number(decision) if not binary else "yes" if decision else "no"


def _input(value: Any) -> str:
    match value:
        case None:
            return "missing"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return one of the page's templates; everything in it is escaped."""
    return _templates().get_template(template).render(**values) + "\n"


@cache
def _templates() -> Environment:
    return Environment(
        loader=ChoiceLoader(
            [PackageLoader("headgate.adapters.review_page"), PackageLoader("headgate.report")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
