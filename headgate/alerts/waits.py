"""Waiting longer than planned, and who is told next when nobody answers. Each is told once per wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from headgate.alerts.alert import Alert, facts_of, key_of, name_of, owners, reasons_of
from headgate.alerts.masking import masked_route
from headgate.plan.duties import NoticeKind
from headgate.plan.model import Plan
from headgate.report.formats import lasting, percent, when
from headgate.report.words import WAITING
from headgate.rollout.state import Decision, Phase, State, Tick, Waiting, World
from headgate.rollout.timers import dwell_ends, labels_needed_through

#: How long a server or a plane may be silent before people hear of it.
PATIENCE = timedelta(minutes=15)
#: How long a plane may take to confirm a share; on the way back less.
_CONFIRM, _BACK = timedelta(hours=1), timedelta(minutes=10)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Wait:
    """What a slice waits for, since when, and for how long that is nothing to tell."""

    what: Waiting
    since: datetime
    limit: timedelta


def waits(plan: Plan, state: State, now: datetime, earlier: Tick | None = None) -> tuple[Wait, ...]:
    """Return the waits of a slice whose beginning is known; ``earlier`` is its row of `PATIENCE` ago."""
    if state.phase in (Phase.QUEUED, Phase.DONE):
        return ()
    if state.paused is not None:
        return (Wait(state.paused.waiting_for, state.paused.since, _DAY),)
    found = (_wait(what, plan, state, now, earlier) for what in state.waiting_for)
    return tuple(wait for wait in found if wait is not None)


def _wait(what: Waiting, plan: Plan, state: State, now: datetime, earlier: Tick | None) -> Wait | None:
    match what:
        case Waiting.OPERATOR if state.phase is Phase.PREFLIGHT:
            return Wait(what, state.entered_at, _DAY)
        case Waiting.TRAFFIC if state.phase is Phase.ROLLING_BACK:
            return Wait(what, state.entered_at, _BACK)
        case Waiting.TRAFFIC if state.confirmed_at is None:
            return Wait(what, state.entered_at, _CONFIRM)
        case Waiting.OPERATOR | Waiting.TRAFFIC | Waiting.SPLIT:
            return _still(what, state, earlier)
        case Waiting.SAMPLES:
            # The dwell is what the plan expects the proof to take; as long again is longer than planned.
            ends = dwell_ends(state, plan, now)
            dwell = plan.watch if state.phase is Phase.WATCH else plan.steps[state.step].dwell
            return None if ends is None else Wait(what, ends, max(dwell, _DAY))
        case Waiting.LABELS:
            through = labels_needed_through(state, plan, now)
            known = None if through is None else through + plan.outcomes.maturity
            return None if known is None else Wait(what, known, max(plan.outcomes.maturity, _DAY))
        case Waiting.REVIEW_CAPACITY:
            # Reviewers may catch up; a load that is too much for them does not go away by itself.
            ends = dwell_ends(state, plan, now)
            return None if ends is None else Wait(what, ends, _DAY)
        case Waiting.APPROVAL | Waiting.CALENDAR | Waiting.DWELL:
            return None  # these end by themselves: by their expiry, or by time


def _still(what: Waiting, state: State, earlier: Tick | None) -> Wait | None:
    """Return the wait if it was there a while ago already, in the same stay."""
    if earlier is None or earlier.state.entry != state.entry or what not in earlier.state.waiting_for:
        return None
    return Wait(what, earlier.at, timedelta(0))


def holds(
    plan: Plan, world: World, decision: Decision, after: State, earlier: Tick | None
) -> Iterator[Alert]:
    """Tell of every wait that is longer than planned, once per stay."""
    for wait in waits(plan, after, world.now, earlier):
        if world.now - wait.since < wait.limit:
            continue
        since = (wait.since.isoformat(),) if after.paused else ()
        subject = (
            f"HELD at {percent(after.share_bp)} for longer than planned, waiting for {WAITING[wait.what]}"
        )
        yield Alert(
            key=key_of(after, NoticeKind.HOLD, after.entry, wait.what, *since),
            kind=NoticeKind.HOLD,
            rollout=after.rollout,
            service=plan.service,
            slice=after.slice,
            at=world.now,
            subject=f"{name_of(after)} is {subject}",
            text=f"It waits for {lasting(world.now - wait.since)}, since {when(wait.since)}.\n"
            f"Why: {reasons_of(decision)}\n"
            f"To do: `headgate explain {after.rollout}` says what is missing and when it may come",
            to=owners(plan),
            facts=facts_of(
                plan,
                after,
                waiting_for=wait.what.value,
                since=when(wait.since),
                due=when(decision.due) if decision.due else "",
            ),
        )


def escalations(plan: Plan, world: World, after: State) -> Iterator[Alert]:
    """Tell the people whom the plan names next, of a question or a wait for an operator that is too old."""
    for what, since, key in _unanswered(plan, after, world.now):
        for number, entry in enumerate(plan.escalation):
            if world.now - since < entry.after:
                continue
            subject = f"nobody answered for {lasting(world.now - since)}: {what}"
            yield Alert(
                key=key_of(after, NoticeKind.ESCALATION, number, *key),
                kind=NoticeKind.ESCALATION,
                rollout=after.rollout,
                service=plan.service,
                slice=after.slice,
                at=world.now,
                subject=f"{name_of(after)}: {subject}",
                text=f"Why: it waits since {when(since)}; the plan tells {masked_route(entry.to)} next.\n"
                f"To do: `headgate explain {after.rollout}`, then answer, or name somebody who can",
                to=(entry.to, *owners(plan)),
                facts=facts_of(plan, after, since=when(since), escalated_to=masked_route(entry.to)),
            )


def _unanswered(plan: Plan, state: State, now: datetime) -> list[tuple[str, datetime, tuple[object, ...]]]:
    """Return what waits for people, since when, and what names it."""
    found: list[tuple[str, datetime, tuple[object, ...]]] = []
    asked = state.asked
    if asked is not None and Waiting.APPROVAL in state.waiting_for:
        share = percent(plan.steps[asked.step].share_bp)
        found.append(
            (f"the approval of {share} (question {asked.attempt})", asked.at, (asked.step, asked.attempt))
        )
    found += [
        (f"it waits for {WAITING[wait.what]}", wait.since, ("wait", wait.since.isoformat()))
        for wait in waits(plan, state, now)
        if wait.what in (Waiting.OPERATOR, Waiting.SPLIT)
    ]
    return found
