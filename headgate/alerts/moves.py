"""What a tick did, told to people: one alert for a move that changed something, none for a hold."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.alerts.alert import Alert, facts_of, key_of, name_of, owners, reasons_of
from headgate.plan.duties import NoticeKind
from headgate.plan.model import ALL, Plan
from headgate.report.formats import percent, when
from headgate.report.words import OUTCOMES, PHASES, WAITING, listed
from headgate.rollout.state import Decision, Move, Outcome, Phase, State, World


def of_move(
    plan: Plan, before: State, world: World, decision: Decision, after: State, beside: Sequence[State]
) -> tuple[Alert, ...]:
    """Return the alert of the move, if there is anything to tell."""
    told = _told(plan, before, decision, after, beside)
    if told is None:
        return ()
    kind, what, subject, todo = told
    due = decision.due or (after.asked.expires_at if after.asked else None)
    return (
        Alert(
            key=key_of(after, kind, *what),
            kind=kind,
            rollout=after.rollout,
            service=plan.service,
            slice=after.slice,
            at=world.now,
            subject=f"{name_of(after)} {subject}",
            text=f"Why: {reasons_of(decision)}\nTo do: {todo}",
            to=owners(plan),
            facts=facts_of(
                plan,
                after,
                before=percent(before.share_bp),
                outcome=after.outcome.value if after.outcome else "",
                due=when(due) if due else "",
                asked_to=_asked(plan, after) if kind is NoticeKind.ASK else "",
            ),
        ),
    )


#: Kind, what makes its key, the rest of a sentence that begins with the rollout's name, and what to do.
_Told = tuple[NoticeKind, tuple[object, ...], str, str]


def _told(
    plan: Plan, before: State, decision: Decision, after: State, beside: Sequence[State]
) -> _Told | None:
    was, now, stay = percent(before.share_bp), percent(after.share_bp), (after.entry,)
    look = f"`headgate explain {after.rollout}` says why"
    match decision.move:
        case Move.HOLD:
            return None
        case Move.ASK:
            return _ask(plan, after)
        case Move.ADVANCE:
            return NoticeKind.ADVANCE, (after.phase, *stay), _advance(before, after), _watch_it(plan, after)
        case Move.PAUSE:
            return _pause(plan, after)
        case Move.STEP_BACK:
            subject = f"STEPPED BACK from {was} to {now}"
            return NoticeKind.STEP_BACK, stay, subject, f"{look}; a second failure rolls it back by itself"
        case Move.FREEZE:
            since = after.paused.since.isoformat() if after.paused else ""
            return NoticeKind.FREEZE, (since,), f"FROZEN: share {was} -> 0 %", _resume(plan, after)
        case Move.ROLL_BACK if before.phase is Phase.ROLLING_BACK:
            return None  # written anew for a plane that was overtaken; people know already
        case Move.ROLL_BACK:
            subject = f"ROLLED BACK from {was}: the incumbent takes all traffic"
            return NoticeKind.ROLL_BACK, (after.outcome,), subject, f"nothing at once; {look}. {_retry(plan)}"
        case Move.ABORT:
            subject = f"ABORTED at {was}: the incumbent takes all traffic"
            return NoticeKind.ABORT, (), subject, f"nothing at once; {look}. {_retry(plan)}"
        case Move.EXPIRE:
            subject = f"EXPIRED at {was} without proof: the incumbent takes all traffic"
            return NoticeKind.EXPIRE, (), subject, f"{look} and what was missing. {_retry(plan)}"
        case Move.FINISH:
            return _finish(plan, decision, after, beside)


def _ask(plan: Plan, after: State) -> _Told | None:
    asked = after.asked
    if asked is None:
        return None
    subject = (
        f"ASKS: may {_asked(plan, after)} of the traffic go to the candidate? (now {percent(after.share_bp)})"
    )
    which = "" if after.slice == ALL else f" --slice {after.slice}"
    todo = (
        f"answer until {when(asked.expires_at)} in Prefect (runs tagged needs-approval), or with "
        f"`headgate approve {after.rollout} --as YOU --code CODE{which}` (or reject, hold); "
        "without an answer nothing is raised"
    )
    return NoticeKind.ASK, (asked.step, asked.attempt), subject, todo


def _asked(plan: Plan, after: State) -> str:
    return percent(plan.steps[after.asked.step].share_bp) if after.asked else ""


def _advance(before: State, after: State) -> str:
    if after.phase is Phase.WATCH:
        return f"is WATCHED now at {percent(after.share_bp)}"
    if after.share_bp == before.share_bp:
        return f"entered {PHASES[after.phase]}"
    return f"RAISED its share from {percent(before.share_bp)} to {percent(after.share_bp)}"


def _watch_it(plan: Plan, after: State) -> str:
    stop = f"`headgate rollback {plan.service} --as YOU --reason WHY` takes it back at any time"
    return f"nothing; {stop}" if after.share_bp else "nothing; no traffic has moved"


def _pause(plan: Plan, after: State) -> _Told | None:
    if after.paused is None:
        return None
    waits = listed([WAITING[w] for w in after.waiting_for]) or "an operator"
    what = (after.paused.since.isoformat(), *sorted(after.waiting_for))
    return (
        NoticeKind.PAUSE,
        what,
        f"PAUSED at {percent(after.share_bp)}, waiting for {waits}",
        _resume(plan, after),
    )


def _resume(plan: Plan, after: State) -> str:
    which = "" if after.slice == ALL else f" --slice {after.slice}"
    tail = f"{plan.service} --as YOU --reason WHY{which}`"
    return f"`headgate explain {after.rollout}`, then `headgate resume {tail} or `headgate rollback {tail}"


def _finish(plan: Plan, decision: Decision, after: State, beside: Sequence[State]) -> _Told:
    outcome = after.outcome or decision.outcome
    ended = OUTCOMES[outcome] if outcome else "done"
    left = [other.slice for other in beside if other.phase is not Phase.DONE]
    subject = f"is DONE: {ended}; {percent(after.share_bp)} of the traffic is the candidate's"
    if outcome is Outcome.PROMOTED:
        todo = "retire the incumbent when you are ready; `headgate audit export` keeps the dossier"
    else:
        todo = f"`headgate explain {after.rollout}` says why. {_retry(plan)}"
    if left:
        todo = f"nothing; the rollout goes on with {listed(left)}"
    return NoticeKind.FINISH, (outcome,), subject, todo


def _retry(plan: Plan) -> str:
    return f"When the cause is mended: `headgate retry {plan.service} --as YOU --reason WHY`"
