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
from headgate.report.formats import lasting, when
from headgate.review.case import Decided, Queued, Ruling, decision_of

REASONS = {
    ReviewReason.FALLBACK: "nobody could answer: a caller waits",
    ReviewReason.LOW_CONFIDENCE: "the model is not sure",
    ReviewReason.FLAGGED: "the input was odd",
    ReviewReason.HIGH_VALUE: "worth a look, by the plan's rule",
    ReviewReason.SAMPLED: "drawn at random",
}


_SAID = {
    Ruling.CONFIRMED: "confirmed", Ruling.OVERRIDDEN: "overridden", Ruling.ANSWERED: "answered",
    Ruling.UNCLEAR: "cannot be told", Ruling.WITHDRAWN: "taken back: it waits again",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A case in a list; ``answer`` is empty where nobody answered."""

    id: int
    request: str
    reason: str
    tone: str
    answer: str
    waits: str


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


def in_a_row(case: Queued, plan: Plan | None, now: datetime) -> Row:
    """Return a case as a line of a list."""
    one = case.case
    return Row(
        id=case.id,
        request=printable(one.request_id),
        reason=REASONS[one.reason],
        tone=_tone(one.reason),
        answer=_served(one.answer, plan),
        waits=lasting(case.waited(now)),
    )


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
        answer=_served(one.answer, plan),
        detail=f"answered {one.answer:.3g}" if probability and one.answer is not None else "",
        other="" if other is None else _word(other, binary=binary),
        other_value="" if other is None else f"{other:g}",
        choices=(("1", "yes"), ("0", "no")) if binary else (),
        sure=None if one.confidence is None else round(100 * one.confidence),
        reason=REASONS[one.reason],
        tone=_tone(one.reason),
        facts={
            "request": printable(one.request_id),
            "about": printable(one.entity),
            "came": when(one.at),
            "answered by": one.side.value if one.side else "nobody",
            "waits": lasting(case.waited(now)),
            "drawn from": case.stratum or "not drawn",
        },
        inputs={printable(name): _input(value) for name, value in one.inputs.items()},
    )


def said(decided: Decided, plan: Plan | None) -> str:
    """Return what somebody made of a case, in words."""
    binary = plan is not None and plan.prediction.kind != "number"
    given = decided.ruling in (Ruling.OVERRIDDEN, Ruling.ANSWERED) and decided.answer is not None
    return _SAID[decided.ruling] + (f": {_word(decided.answer or 0.0, binary=binary)}" if given else "")


def _served(answer: float | None, plan: Plan | None) -> str:
    binary = plan is not None and plan.prediction.kind != "number"
    served = decision_of(plan, answer) if plan else answer
    return "" if served is None else _word(served, binary=binary)


def _tone(reason: ReviewReason) -> str:
    return "bad" if reason is ReviewReason.FALLBACK else "plain"


def _word(decision: float, *, binary: bool) -> str:
    return _exact(decision) if not binary else "yes" if decision else "no"


def _exact(value: float) -> str:
    """Return a number as people have to judge it: whole, where its gates would show four digits."""
    return f"{value:.12g}"


def _input(value: Any) -> str:
    match value:
        case None:
            return "missing"
        case bool():
            return "yes" if value else "no"
        case float():
            return _exact(value)
        case _:
            return printable(str(value))


def printable(text: str) -> str:
    r"""Return what callers wrote without what a terminal or a page would act on instead of showing it.

    Examples
    --------
    >>> printable("red \x1b[31m")
    'red �[31m'
    """
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


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
