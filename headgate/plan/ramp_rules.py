"""What steps, deadlines and the calendar must be like, each rule a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from headgate.errors import InputError
from headgate.plan.applies import gate_applies
from headgate.plan.calendar import read_freeze, read_windows, read_zone
from headgate.plan.durations import as_duration
from headgate.plan.finding import Finding, KeyPath, show
from headgate.plan.model import Plan
from headgate.verdicts import Role


def the_first_step_is_shadow(plan: Plan) -> Iterator[Finding]:
    """Begin at 0: shadow compares the candidate before it answers anyone."""
    first = plan.steps[0].percent
    if first != 0:
        todo = "put `- {percent: 0, dwell: …}` first: the candidate is compared before it answers anyone"
        yield Finding(("steps", 0, "percent"), "0 (shadow) on the first step", f"{first:g}", todo)


def the_last_step_is_all_traffic(plan: Plan) -> Iterator[Finding]:
    """End at 100: a ramp that stops short never finishes."""
    last = plan.steps[-1].percent
    if last != 100:
        where = ("steps", len(plan.steps) - 1, "percent")
        todo = "end with `- {percent: 100}`, or the rollout never finishes"
        yield Finding(where, "100 on the last step", f"{last:g}", todo)


def steps_climb(plan: Plan) -> Iterator[Finding]:
    """Refuse a step that does not raise the share."""
    for i, (here, there) in enumerate(pairwise(plan.steps)):
        if there.percent <= here.percent:
            asked = f"more than the {here.percent:g} % of the step before"
            todo = "order the steps so that every one raises the share"
            yield Finding(("steps", i + 1, "percent"), asked, f"{there.percent:g}", todo)


def the_first_step_asks_nobody(plan: Plan) -> Iterator[Finding]:
    """Refuse an approval for shadow, which is entered by starting the rollout."""
    if plan.steps[0].approval is not None:
        todo = "move it to the step it guards: an approval is needed to enter a step"
        yield Finding(("steps", 0, "approval"), "no approval on the first step", "one", todo)


def shares_are_whole_basis_points(plan: Plan) -> Iterator[Finding]:
    """Refuse what is finer than the integers that shares are kept as."""
    shares: list[tuple[KeyPath, float]] = [
        (("steps", i, "percent"), s.percent) for i, s in enumerate(plan.steps)
    ]
    shares += [(("gates", i, "from"), g.from_) for i, g in enumerate(plan.gates)]
    for path, percent in shares:
        if Decimal(str(percent)) * 100 % 1:
            yield Finding(path, "a percentage with at most two decimals", f"{percent}", "round it")


def every_step_has_an_applicable_guardrail(plan: Plan) -> Iterator[Finding]:
    """Refuse a step without a guardrail: it would be left on no evidence at all."""
    guardrails = [gate for gate in plan.gates if gate.role is Role.GUARDRAIL]
    for i, step in enumerate(plan.steps):
        if not any(gate_applies(gate, step.share_bp) for gate in guardrails):
            asked = f"a guardrail that counts at {step.percent:g} %"
            names = ", ".join(gate.name for gate in guardrails)
            found = f"none of {names} does" if names else "no gate with role guardrail"
            todo = "add a gate with role guardrail, or widen the `applies` or `from` of one"
            yield Finding(("steps", i), asked, found, todo)


def an_approval_can_be_given(plan: Plan) -> Iterator[Finding]:
    """Refuse a question that expires at once: it can never be answered."""
    for i, step in enumerate(plan.steps):
        if step.approval is not None and not step.approval.expires:
            where = ("steps", i, "approval", "expires")
            yield Finding(where, "a duration above 0", "0s", "give the approvers time, e.g. 72h")


def a_step_can_end_before_its_deadline(plan: Plan) -> Iterator[Finding]:
    """Refuse a dwell that lasts until the deadline: it would always expire."""
    longest = max(step.dwell for step in plan.steps)
    if plan.deadline.step <= longest:
        asked = f"more than the longest dwell ({as_duration(longest)})"
        found = as_duration(plan.deadline.step)
        yield Finding(("deadline", "step"), asked, found, "raise deadline.step or shorten the dwell")


def the_rollout_can_end_before_its_deadline(plan: Plan) -> Iterator[Finding]:
    """Make all dwells and the watch fit."""
    least = sum((step.dwell for step in plan.steps), plan.watch)
    if plan.deadline.rollout <= least:
        asked = f"more than all dwells and the watch together ({as_duration(least)})"
        found = as_duration(plan.deadline.rollout)
        todo = "raise deadline.rollout or shorten dwells or watch"
        yield Finding(("deadline", "rollout"), asked, found, todo)


def blocks_and_patience_are_above_zero(plan: Plan) -> Iterator[Finding]:
    """Refuse zero where a span makes no sense without length."""
    serving = plan.serving
    spans: dict[KeyPath, timedelta | str] = {
        ("serving", "timeout"): serving.timeout,
        ("serving", "retry", "base"): serving.retry.base,
        ("serving", "circuit", "window"): serving.circuit.window,
        ("serving", "circuit", "half_open_after"): serving.circuit.half_open_after,
        ("unit", "block"): plan.unit.block,
    }
    for path, span in spans.items():
        if not span:
            yield Finding(path, "a duration above 0", "0s", "write how long")


def the_incumbent_is_the_fallback(plan: Plan) -> Iterator[Finding]:
    """Refuse anything else: the plane always falls back to the incumbent."""
    if plan.serving.fallback != ("incumbent",):
        found = show(list(plan.serving.fallback))
        todo = "write `fallback: [incumbent]` or leave the key out: the incumbent always stands in"
        yield Finding(("serving", "fallback"), "[incumbent]", found, todo)


def the_calendar_can_be_read(plan: Plan) -> Iterator[Finding]:
    """Read time zone, opening hours and freezes."""
    readers: list[tuple[KeyPath, Callable[[str], object], str]] = [
        (("calendar", "timezone"), read_zone, plan.calendar.timezone),
        (("calendar", "advance"), read_windows, plan.calendar.advance),
    ]
    readers += [(("calendar", "freeze", i), read_freeze, text) for i, text in enumerate(plan.calendar.freeze)]
    for path, reader, text in readers:
        try:
            reader(text)
        except InputError as err:
            yield Finding(path, str(err), show(text), "correct it")
