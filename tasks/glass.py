"""Breaking the glass: two people, each with a code and a reason, send a rollout up one step without proof."""

from __future__ import annotations

from datetime import UTC, datetime

from headgate.adapters import store
from headgate.codes import break_glass_request
from headgate.errors import IllegalTransition, InputError
from headgate.rollout.glass import HOLDS_FOR, PEOPLE
from headgate.rollout.questions import person
from headgate.rollout.state import LIVE, Answer, Approval, Phase, Tick
from headgate.verdicts import Role, Verdict
from tasks import wiring
from tasks.approvers import unproved
from tasks.people import Heard, keepable, unkeepable
from tasks.questions import states


def glass_request(rollout_id: str, slice_: str | None) -> tuple[str, str]:
    """Return the slice whose glass would be broken, and the name of the request, which codes are bound to.

    Raises
    ------
    InputError
        If the rollout has no such slice, or has several and none is named.
    IllegalTransition
        If the state does not allow it; the message says which do.
    """
    tick, plan_hash = _standing(rollout_id, slice_)
    return tick.state.slice, _request(tick, plan_hash)


def break_glass(
    rollout_id: str, slice_: str, approver: str, code: str, reason: str, now: datetime, *, origin: str
) -> Heard:
    """Hear one person ask for one step up without proof; the second one within four hours completes it.

    What is refused is recorded as well, and returned; the same origin again gets what came of it.

    Raises
    ------
    InputError, IllegalTransition
        As `glass_request`.
    """
    engine = wiring.build().engine
    tick, plan_hash = _standing(rollout_id, slice_)
    request = _request(tick, plan_hash)
    said = Answer.BREAK_GLASS
    attempted = store.Said(
        origin, rollout_id, slice_, request, keepable(approver).strip(), said.value, datetime.now(UTC)
    )
    refusal = unkeepable(approver=approver, reason=reason) or _no_reason(reason)
    refusal = refusal or unproved(rollout_id, approver, request, said.value, code)
    approval = Approval(
        step=tick.state.step + 1,
        attempt=-tick.state.entry,
        digest="",
        plan_hash=plan_hash,
        approver=keepable(approver).strip(),
        answer=said,
        comment=keepable(reason),
        at=now,
    )
    return _heard(store.break_glass(engine, attempted, refusal, approval), tick, now)


def _standing(rollout_id: str, slice_: str | None) -> tuple[Tick, str]:
    engine = wiring.build().engine
    rollout = store.get(engine, rollout_id)
    found = states(rollout_id, slice_)
    live = [state for state in found if state.phase in LIVE] or found[:1]
    if len(live) > 1:
        names = ", ".join(state.slice for state in live)
        raise InputError(f"asked to promote {rollout_id}; slices {names} are live; name one")
    tick = store.last_tick(engine, rollout_id, live[0].slice)
    assert tick is not None  # noqa: S101 - its state was read a moment ago
    steps = store.plan_of(engine, rollout.plan_hash).of_slice(live[0].slice).steps
    if (why := _not_now(tick, last_step=len(steps) - 1)) is not None:
        raise IllegalTransition(
            f"promote: {rollout_id} {why}; the glass may be broken in shadow and on every step but the last, "
            "not paused, its share confirmed by the plane, no guardrail failing"
        )
    return tick, rollout.plan_hash


def _not_now(tick: Tick, last_step: int) -> str | None:
    """Return why the glass cannot be broken in this state; None: it can."""
    state = tick.state
    failed = [v.gate for v in tick.verdicts if v.role is Role.GUARDRAIL and v.verdict is Verdict.FAIL]
    if state.phase not in (Phase.SHADOW, Phase.RAMP):
        return f"is in {state.phase.value}" if state.phase is not Phase.DONE else f"is done ({state.outcome})"
    if state.paused is not None:
        return f"is paused ({state.paused.reason})"
    if state.step >= last_step:
        return "is on its last step"
    if state.confirmed_at is None:
        return f"waits for the plane to confirm {state.share_bp / 100:g} %"
    return f"fails the guardrail {failed[0]}" if failed else None


def _no_reason(reason: str) -> str | None:
    return None if reason.strip() else "asked a reason to break the glass; found nothing; give one"


def _request(tick: Tick, plan_hash: str) -> str:
    state = tick.state
    return break_glass_request(
        state.rollout, state.slice, step=state.step + 1, entry=state.entry, plan_hash=plan_hash
    )


def _heard(said: store.Said, tick: Tick, now: datetime) -> Heard:
    people = {
        person(one.approver)
        for one in store.approvals(wiring.build().engine, said.rollout, said.slice)
        if one.answer is Answer.BREAK_GLASS
        and (one.step, one.attempt) == (tick.state.step + 1, -tick.state.entry)
        and now - HOLDS_FOR < one.at <= now
    }
    return Heard(said.accepted, said.reason, settled=len(people) >= PEOPLE)
