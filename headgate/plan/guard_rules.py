"""What the guard is asked for must be possible, each rule a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from headgate.plan.finding import Finding, KeyPath, show
from headgate.plan.guarding import SafeDefault, Unsure
from headgate.plan.model import ColumnKind, Plan


def the_incumbent_stands_in_first(plan: Plan) -> Iterator[Finding]:
    """Refuse any other order: the plane always tries the incumbent before anybody hears of a failure."""
    order = plan.serving.fallback
    if not order or order[0] != "incumbent":
        todo = "write `fallback: [incumbent]` or leave the key out: the incumbent always stands in first"
        yield Finding(("serving", "fallback"), "a list that begins with [incumbent]", show(list(order)), todo)


def nobody_stands_in_twice(plan: Plan) -> Iterator[Finding]:
    """Refuse somebody who has failed already."""
    kinds = ["safe_default" if isinstance(one, SafeDefault) else one for one in plan.serving.fallback]
    for i, kind in enumerate(kinds):
        if kind in kinds[:i]:
            yield Finding(("serving", "fallback", i), "everybody once", f"{kind} again", "remove one of them")


def a_safe_default_comes_last_and_is_an_answer(plan: Plan) -> Iterator[Finding]:
    """Ask for a default that a model could have given, and for nothing behind it: it never fails."""
    low, high = plan.answers
    order = plan.serving.fallback
    for i, one in enumerate(order):
        if not isinstance(one, SafeDefault):
            continue
        if not low <= one.safe_default <= high:
            asked = f"an answer within {low:g} to {high:g}"
            where: KeyPath = ("serving", "fallback", i, "safe_default")
            yield Finding(where, asked, f"{one.safe_default:g}", "write one that a model may give")
        if i < len(order) - 1:
            todo = "move it to the end: it always answers, so that nothing behind it is ever reached"
            yield Finding(("serving", "fallback", i), "the safe default last", "it before others", todo)


def what_an_unsure_answer_needs_is_there(plan: Plan) -> Iterator[Finding]:
    """Ask for the safe default that unsure answers are to be replaced by."""
    floor = plan.serving.confidence_below
    if floor is not None and floor.then is Unsure.SAFE_DEFAULT and safe_default(plan) is None:
        todo = "add `{safe_default: …}` to serving.fallback, or write review"
        where = ("serving", "confidence_below", "then")
        yield Finding(where, "a safe default in serving.fallback", "none", todo)


def limits_are_over_some_time(plan: Plan) -> Iterator[Finding]:
    """Refuse zero where a span makes no sense without length."""
    serving = plan.serving
    spans: dict[KeyPath, timedelta] = {}
    if serving.rate_limit is not None:
        spans["serving", "rate_limit", "per"] = serving.rate_limit.per
    if serving.queue is not None:
        spans["serving", "queue", "keep"] = serving.queue.keep
    for path, span in spans.items():
        if not span:
            yield Finding(path, "a duration above 0", "0s", "write how long")


def what_is_told_about_an_input_is_not_fed_to_models(plan: Plan) -> Iterator[Finding]:
    """Keep times and origins apart from each other and from what models read."""
    if plan.input is None:
        return
    for name in plan.input.provenance:
        path = ("input", "provenance", name)
        if name in plan.input.columns or name in plan.input.freshness:
            todo = "give the origin a column of its own; it is not sent to the models"
            yield Finding(path, "a column of its own", f"`{name}`, which has another use", todo)
    for name in plan.input.freshness:
        rule = plan.input.columns.get(name)
        if rule is not None and rule.type is not ColumnKind.TIMESTAMP:
            asked = "a column of type timestamp, or one that models are not sent"
            yield Finding(
                ("input", "freshness", name), asked, f"type {rule.type}", "name the column with the time"
            )


def freshness_takes_time(plan: Plan) -> Iterator[Finding]:
    """Refuse an age of zero, which nothing ever has."""
    for name, age in (plan.input.freshness if plan.input else {}).items():
        if not age:
            yield Finding(("input", "freshness", name), "a duration above 0", "0s", "write how old it may be")


def terms_become_words_of_the_contract(plan: Plan) -> Iterator[Finding]:
    """Ask for a table that ends in allowed words, and never changes a word that is allowed already."""
    if plan.input is None:
        return
    for name, table in plan.input.terminology.items():
        rule = plan.input.columns.get(name)
        if rule is None or rule.type is not ColumnKind.CATEGORY:
            found = "no such column" if rule is None else f"type {rule.type}"
            asked = "a column of input.columns of type category"
            yield Finding(("input", "terminology", name), asked, found, "correct the column's name")
            continue
        allowed = rule.values if rule.values is not None else tuple(table.values())
        for term, word in table.items():
            path = ("input", "terminology", name, term)
            if word not in allowed:
                yield Finding(path, f"one of {', '.join(allowed)}", show(word), "write one of the values")
            if term != word and term in (rule.values or table.values()):
                found = f"{show(term)}, which is a word of the contract itself"
                yield Finding(path, "a term of others", found, "remove it: it would change its meaning")


def what_is_masked_is_a_column(plan: Plan) -> Iterator[Finding]:
    """Refuse a name that no column has: what it was meant for would be shown."""
    if plan.input is None:
        return
    by = plan.segments.by if plan.segments else ()
    known = {*plan.input.columns, *plan.input.about, *by, plan.unit.entity}
    for i, name in enumerate(plan.input.mask):
        if name not in known:
            todo = "correct the name: what it was meant for would be shown"
            yield Finding(
                ("input", "mask", i), "a column of the contract, a segment or the entity", show(name), todo
            )


def safe_default(plan: Plan) -> float | None:
    """Return the plan's safe default; None where it has none."""
    found = [one.safe_default for one in plan.serving.fallback if isinstance(one, SafeDefault)]
    return found[0] if found else None
