"""What a person can do now about a rollout: exact commands, and what each of them does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from headgate.codes import signoff_request
from headgate.plan.model import ALL
from headgate.readiness import ROLE as QUESTIONNAIRE
from headgate.report.glance import Glance
from headgate.rollout import legal
from headgate.rollout.orders import TRIED
from headgate.rollout.state import Phase, Verb, Waiting


class Todo(NamedTuple):
    """Something a person can do now."""

    command: str
    what: str


def todo(one: Glance) -> Iterator[Todo]:
    """Yield what a person can do now about a slice, the likeliest first."""
    state, who = one.state, "--as YOU --reason WHY"
    part = "" if state.slice == ALL else f" --slice {state.slice}"
    if one.stopped:
        yield Todo(
            "headgate doctor", "says what is missing; are the server, the worker and the schedules up?"
        )
        yield Todo(f"headgate advance {one.service}", "takes a tick by hand; safe at any time")
    elif one.last.tick == 0 and state.phase is Phase.PREFLIGHT:
        yield Todo(f"headgate advance {one.service}", "takes the first tick now instead of waiting for it")
    if one.question is not None:
        yield from _answers(one, part)
    if state.phase is Phase.PREFLIGHT or (one.live and Waiting.OPERATOR in state.waiting_for):
        yield from _signatures(one)
    if one.live and Waiting.REVIEW_CAPACITY in state.waiting_for:
        yield Todo(f"headgate review status {one.service}", "says what waits, and what each step would bring")
        yield Todo("headgate review serve --as YOU", "opens the page on which you look at cases")
    if state.phase is Phase.QUEUED and one.ahead:
        yield Todo(f"headgate explain {one.ahead[0]}", "says why the one in front is not done")
    if state.phase is Phase.ROLLING_BACK:
        yield Todo(f"headgate status --plane --service {one.service}", "asks the plane what it serves")
        yield Todo(f"headgate kill {one.service} {who}", "sets the plane to 0 % with no Prefect and no tick")
    if state.paused is not None and legal(Verb.RESUME, state) is None:
        yield Todo(f"headgate resume {one.service}{part} {who}", _resuming(one))
    if one.live:
        yield from _stops(one, part, who)
    if state.phase is Phase.PREFLIGHT:
        yield Todo(f"headgate abort {one.service} {who}", "ends it before any traffic")
    if one.last_in_force and legal(Verb.UNDO, state) is None:
        yield Todo(
            f"headgate undo {one.service} {who}", "takes the promotion back: the incumbent serves everybody"
        )
    if state.phase is Phase.DONE and state.outcome in TRIED:
        yield Todo(f"headgate retry {one.rollout} {who}", "opens a new rollout of the same plan")
    yield Todo(f"headgate history {one.rollout}", "tells everything that happened")


def _answers(one: Glance, part: str) -> Iterator[Todo]:
    asked = one.question
    if asked is None:
        return
    yield _code(asked.request, "approve")
    yield Todo(
        f"headgate approve {one.rollout}{part} --as YOU --code CODE --comment WHY",
        "says yes; in Prefect's UI: the run tagged needs-approval",
    )
    yield Todo(
        f"headgate reject {one.rollout}{part} --as YOU --code CODE --comment WHY", "says no, and that ends it"
    )


def _signatures(one: Glance) -> Iterator[Todo]:
    """Yield what to do about each signature that the last tick named as missing."""
    said = " ".join(one.decision.reasons)
    for sign in one.plan.signoffs if one.plan else ():
        if f"sign-off {sign.role} waits" in said:
            yield _code(signoff_request(one.rollout, sign.role, plan_hash=one.plan_hash), "sign")
            yield Todo(
                f"headgate signoff {one.rollout} --role {sign.role} --as YOU --comment WHY",
                f"signs the plan off as {sign.role}",
            )
    if f"{QUESTIONNAIRE} waits" in said:
        yield _code(signoff_request(one.rollout, QUESTIONNAIRE, plan_hash=one.plan_hash), "sign")
        yield Todo(
            f"headgate questionnaire {one.rollout} --as YOU",
            "asks the readiness questions and records the answers",
        )


def _code(request: str, answer: str) -> Todo:
    return Todo(f"headgate approver code {request} --answer {answer}", "computes your code from your secret")


def _stops(one: Glance, part: str, who: str) -> Iterator[Todo]:
    if legal(Verb.PAUSE, one.state) is None:
        yield Todo(
            f"headgate pause {one.service}{part} {who}", "stands still at the present share; timers shift"
        )
    back = (
        "takes all traffic back to the incumbent, now"
        if one.state.share_bp
        else "ends it, before any traffic"
    )
    yield Todo(f"headgate rollback {one.service}{part} {who}", back)


def _resuming(one: Glance) -> str:
    state = one.state
    if one.frozen:
        return (
            "goes on from the highest step at or below 0 %; it has no effect while the guardrail still fails"
        )
    if state.paused is not None and state.paused.waiting_for is Waiting.SPLIT:
        return (
            "goes on once the split is mended: assignment and logs have to agree again, and it starts afresh"
        )
    return "goes on from here; an alarm that paused it starts afresh at half its error level"
