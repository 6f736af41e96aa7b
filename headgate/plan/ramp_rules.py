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
from headgate.plan.model import Plan, Step
from headgate.verdicts import Role


def ramps(plan: Plan) -> Iterator[tuple[KeyPath, tuple[Step, ...]]]:
    """Yield every ramp, that of the plan or those of its slices, with where its steps stand."""
    if plan.steps:
        yield ("steps",), plan.steps
    for i, part in enumerate(plan.slices):
        yield ("slices", i, "steps"), part.steps


def steps_or_slices_but_not_both(plan: Plan) -> Iterator[Finding]:
    """Ask for one ramp, or one per slice: with both, nobody could say which a request climbs."""
    if plan.steps and plan.slices:
        todo = "remove one of them: each slice has steps of its own, and what is in none stays as it is"
        yield Finding(("slices",), "steps or slices", "both", todo)
    if len(plan.steps) < 2 and not plan.slices:
        found = "nothing" if not plan.steps else "a list of 1"
        todo = "add `steps: [{percent: 0, dwell: 14d}, {percent: 5, dwell: 3d}, {percent: 100}]`"
        yield Finding(("steps",), "the key `steps`, a list of at least 2, or `slices`", found, todo)


def the_first_step_is_shadow(plan: Plan) -> Iterator[Finding]:
    """Begin at 0: shadow compares the candidate before it answers anyone."""
    for path, steps in ramps(plan):
        if steps[0].percent != 0:
            todo = "put `- {percent: 0, dwell: …}` first: the candidate is compared before it answers anyone"
            found = f"{steps[0].percent:g}"
            yield Finding((*path, 0, "percent"), "0 (shadow) on the first step", found, todo)


def the_last_step_is_all_traffic(plan: Plan) -> Iterator[Finding]:
    """End at 100, unless a holdout is asked for: a ramp that stops short never finishes."""
    if plan.outcomes.depends_on_decision:
        return
    for path, steps in ramps(plan):
        if steps[-1].percent != 100:
            where = (*path, len(steps) - 1, "percent")
            todo = "end with `- {percent: 100}`, or the rollout never finishes"
            yield Finding(where, "100 on the last step", f"{steps[-1].percent:g}", todo)


def steps_climb(plan: Plan) -> Iterator[Finding]:
    """Refuse a step that does not raise the share."""
    for path, steps in ramps(plan):
        for i, (here, there) in enumerate(pairwise(steps)):
            if there.percent <= here.percent:
                asked = f"more than the {here.percent:g} % of the step before"
                todo = "order the steps so that every one raises the share"
                yield Finding((*path, i + 1, "percent"), asked, f"{there.percent:g}", todo)


def the_first_step_asks_nobody(plan: Plan) -> Iterator[Finding]:
    """Refuse an approval for shadow, which is entered by starting the rollout."""
    for path, steps in ramps(plan):
        if steps[0].approval is not None:
            todo = "move it to the step it guards: an approval is needed to enter a step"
            yield Finding((*path, 0, "approval"), "no approval on the first step", "one", todo)


def shares_are_whole_basis_points(plan: Plan) -> Iterator[Finding]:
    """Refuse what is finer than the integers that shares are kept as."""
    shares: list[tuple[KeyPath, float]] = [
        ((*path, i, "percent"), s.percent) for path, steps in ramps(plan) for i, s in enumerate(steps)
    ]
    shares += [(("gates", i, "from"), g.from_) for i, g in enumerate(plan.gates)]
    for path, percent in shares:
        if Decimal(str(percent)) * 100 % 1:
            yield Finding(path, "a percentage with at most two decimals", f"{percent}", "round it")


def every_step_has_an_applicable_guardrail(plan: Plan) -> Iterator[Finding]:
    """Refuse a step without a guardrail: it would be left on no evidence at all."""
    guardrails = [gate for gate in plan.gates if gate.role is Role.GUARDRAIL]
    for path, i, step in _rungs(plan):
        if not any(gate_applies(gate, step.share_bp, plan) for gate in guardrails):
            asked = f"a guardrail that counts at {step.percent:g} %"
            names = ", ".join(gate.name for gate in guardrails)
            found = f"none of {names} does" if names else "no gate with role guardrail"
            todo = "add a gate with role guardrail, or widen the `applies` or `from` of one"
            yield Finding((*path, i), asked, found, todo)


def an_approval_can_be_given(plan: Plan) -> Iterator[Finding]:
    """Refuse a question that expires at once: it can never be answered."""
    for path, i, step in _rungs(plan):
        if step.approval is not None and not step.approval.expires:
            where = (*path, i, "approval", "expires")
            yield Finding(where, "a duration above 0", "0s", "give the approvers time, e.g. 72h")


def a_step_can_end_before_its_deadline(plan: Plan) -> Iterator[Finding]:
    """Refuse a dwell that lasts until the deadline: it would always expire."""
    longest = max((step.dwell for _, _, step in _rungs(plan)), default=timedelta(0))
    if plan.deadline.step <= longest:
        asked = f"more than the longest dwell ({as_duration(longest)})"
        found = as_duration(plan.deadline.step)
        yield Finding(("deadline", "step"), asked, found, "raise deadline.step or shorten the dwell")


def the_rollout_can_end_before_its_deadline(plan: Plan) -> Iterator[Finding]:
    """Make all dwells and the watch fit."""
    lengths = (sum((step.dwell for step in steps), plan.watch) for _, steps in ramps(plan))
    least = max(lengths, default=plan.watch)
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


def _rungs(plan: Plan) -> Iterator[tuple[KeyPath, int, Step]]:
    """Yield every step of every ramp, with where it stands."""
    for path, steps in ramps(plan):
        for i, step in enumerate(steps):
            yield path, i, step
