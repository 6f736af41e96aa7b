"""Why a rollout is not moving: what it waits for, what is missing, what comes next, what one can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headgate.plan.model import ALL
from headgate.report.formats import lasting, percent, when
from headgate.report.glance import Due, Glance
from headgate.report.missing import REVIEWERS, Need, earliest, needs
from headgate.report.todo import Todo, todo
from headgate.report.words import OUTCOMES, listed, waiting_sentence
from headgate.rollout.state import Phase


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one slice stands where it stands.

    Attributes
    ----------
    headline
        Where it stands, what it waits for and since when, in a sentence.
    why
        What the last tick said, and what is not as it should be.
    needs
        Everything that the next step takes, met or not; empty where no step can follow.
    towards
        What those needs lead to.
    next
        What will happen next, and when at the earliest.
    todo
        What a person can do now.
    """

    rollout: str
    slice: str
    service: str
    headline: str
    why: tuple[str, ...]
    needs: tuple[Need, ...]
    towards: str
    next: tuple[str, ...]
    todo: tuple[Todo, ...]


_PLACES = {
    Phase.PREFLIGHT: "in preflight",
    Phase.SHADOW: "in shadow",
    Phase.RAMP: "on the ramp",
    Phase.WATCH: "in the watch",
}
_COMING = {
    "dwell ends": "The dwell is over",
    "watch ends": "The watch is over",
    "labels complete": "The labels of this step are complete",
    "calendar opens": "The calendar opens",
}


def explain(one: Glance) -> Explanation:
    """Return why this slice is not moving, or how it ended."""
    return Explanation(
        rollout=one.rollout,
        slice=one.state.slice,
        service=one.service,
        headline=_headline(one),
        why=tuple(_why(one)),
        needs=needs(one),
        towards=_towards(one),
        next=tuple(_next(one)),
        todo=tuple(todo(one)),
    )


def _headline(one: Glance) -> str:
    state = one.state
    name = one.rollout if state.slice == ALL else f"{one.rollout}, slice {state.slice},"
    since = f"since {when(one.since)} ({lasting(one.now - one.since)})"
    at = f" at {percent(state.share_bp)}" if state.share_bp else ""
    match state.phase:
        case Phase.DONE:
            outcome = OUTCOMES[state.outcome] if state.outcome else "done"
            whose = (
                f"the candidate takes {percent(state.share_bp)}"
                if state.share_bp
                else "the incumbent takes all"
            )
            return f"{name} is done: {outcome} on {when(one.last.at)}; {whose} of the traffic."
        case Phase.QUEUED:
            first = f"behind {listed(one.ahead)}" if one.ahead else "and the service is free"
            return f"{name} is queued {first}, {since}: one rollout per service moves traffic."
        case Phase.ROLLING_BACK:
            return f"{name} is rolling back until the plane itself reports 0 %, {since}."
        case _ if one.frozen:
            return f"{name} is frozen at 0 % after a guardrail failed, waiting for an operator, {since}."
        case _ if state.paused is not None:
            wait = waiting_sentence((state.paused.waiting_for,))
            return f"{name} is paused {_PLACES[state.phase]}{at}, {wait}, {since}."
        case _:
            wait = waiting_sentence(state.waiting_for) or "waiting for the next tick"
            return f"{name} is {_PLACES[state.phase]}{at}, {wait}, {since}."


def _why(one: Glance) -> Iterator[str]:
    if one.stopped:
        usual = f", and they usually come every {lasting(one.gap)}" if one.gap else ""
        yield (
            f"No tick has run for {lasting(one.age)}{usual}. While the flow `advance` does not run, nothing "
            f"is decided and the share stays at {percent(one.state.share_bp)}."
        )
    if one.plane is not None and one.plane.startswith("does not answer"):
        yield f"The traffic plane {one.plane}. The next tick starts it again if it is dead."
    elif one.plane is not None:
        yield f"The traffic plane reports: {one.plane}."
    if one.plan is None:
        yield "Its plan was frozen by another version of Headgate and cannot be read by this one."
    # What a gate said is told once, with the needs.
    judged = {v.reason for v in one.last.verdicts} if needs(one) else set()
    yield from (reason for reason in one.decision.reasons if reason not in judged)
    for order in one.orders:
        pressed = f"{order.by} pressed {order.verb.value} on {when(order.at)} ({order.reason})"
        yield f"{pressed}; no tick has acted on it yet."


def _towards(one: Glance) -> str:
    if not one.live or one.plan is None:
        return ""
    if one.next_step is not None:
        return f"to enter step {one.state.step + 1}, {percent(one.next_step.share_bp)}"
    return "to be promoted" if one.state.phase is Phase.WATCH else "to begin the watch"


def _next(one: Glance) -> Iterator[str]:
    match one.state.phase:
        case Phase.DONE:
            yield "Nothing by itself: it is done."
            return
        case Phase.QUEUED:
            ahead = f"{one.ahead[0]} is done" if one.ahead else "the next tick"
            yield f"It takes the service's lease when {ahead}, and its preflight checks run."
            return
        case Phase.ROLLING_BACK:
            outcome = f" as {OUTCOMES[one.state.outcome]}" if one.state.outcome else ""
            yield f"Every tick applies share 0 again; once the plane reports it, the rollout ends{outcome}."
        case Phase.PREFLIGHT:
            yield "Every tick runs the preflight checks again; when all pass, shadow begins."
        case _ if one.state.paused is not None:
            yield "Nothing by itself: timers stand still until somebody resumes; harm still rolls it back."
        case _:
            yield from _next_live(one)
    limit = one.deadline
    if limit is not None:
        yield _ends(limit, one)
    if one.gap is not None and not one.stopped:
        yield f"The next tick is due about {when(one.last.at + one.gap)}."


def _next_live(one: Glance) -> Iterator[str]:
    first = one.coming
    if first is not None and first.at > one.now:
        yield f"{_COMING[first.what]} on {when(first.at)} (in {lasting(first.at - one.now)})."
    soonest = earliest(one)
    if one.plan is None:
        return
    if soonest is None:
        yield f"When it may go on cannot be told yet: {_first(one)}."
    else:
        approve = " if enough people agree" if one.next_step and one.next_step.approval else ""
        what = _towards(one).removeprefix("to ")
        then = "with the next tick" if soonest <= one.now else f"on {when(soonest)} at the earliest"
        yield f"It may {what} {then}{approve}."


def _first(one: Glance) -> str:
    """Return what has to come in first, where nobody can tell when."""
    unknown = {need.what for need in needs(one) if need.met is False and need.ready_at is None}
    people = ["reviewers have to catch up"] if REVIEWERS in unknown else []
    data = unknown - {REVIEWERS, "calendar", "approval"} or not people
    return f"{listed([*(['more requests and outcomes have to come in'] if data else []), *people])} first"


def _ends(limit: Due, one: Glance) -> str:
    over = limit.at <= one.now
    if limit.what == "question expires":
        then = "and is asked anew"
        what = "The question"
    else:
        then = "with all traffic back at the incumbent"
        what = f"The {limit.what}"
    if over:
        return f"{what} passed on {when(limit.at)}: the next tick sees to it, {then}."
    does = "expires" if what == "The question" else "ends it as expired"
    return f"{what} {does} on {when(limit.at)} (in {lasting(limit.at - one.now)}), {then}."
