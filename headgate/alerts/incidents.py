"""What should not have happened, and promotion without proof: told loudly, each once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from headgate.alerts.alert import Alert, facts_of, key_of, name_of, owners, reasons_of, shortened
from headgate.plan.duties import NoticeKind
from headgate.plan.model import Plan
from headgate.report.formats import percent
from headgate.rollout.glass import LOUD
from headgate.rollout.state import Answer, Approval, Decision, Move, PlaneView, State, World
from headgate.verdicts import Verdict


def incidents(plan: Plan, before: State, world: World, decision: Decision, after: State) -> Iterator[Alert]:
    """Tell of a plane off the record, a form that was lost, and gates that cannot be judged."""

    def told(what: tuple[object, ...], subject: str, why: str, todo: str) -> Alert:
        return _alert(plan, world, after, NoticeKind.INCIDENT, what, subject, why, todo)

    if world.plane is PlaneView.DISAGREES:
        observed = "no share of ours" if world.observed_share_bp is None else percent(world.observed_share_bp)
        # Paused for it, it is one incident until somebody resumes; elsewhere one per stay.
        since = after.paused.since.isoformat() if after.paused else after.entry
        yield told(
            ("plane", since),
            f"the plane serves {observed}, the record says {percent(before.share_bp)}",
            reasons_of(decision),
            "find out who else writes to the plane; the lower share is put in force meanwhile",
        )
    for lost in _lost(before, world):
        yield told(
            ("form", lost.step, lost.attempt),
            f"question {lost.attempt} lost its form before anybody answered",
            lost.comment or "the run ended without an answer",
            "nothing if it is asked again; else look at the failed `approve` run in Prefect",
        )
    for verdict in world.scorecard.deciding():
        if verdict.verdict is Verdict.ERROR:
            name = f"{verdict.gate}[{verdict.segment}]" if verdict.segment else verdict.gate
            yield told(
                ("gate", after.entry, name),
                f"gate {name} cannot be judged",
                verdict.reason,
                "mend the data or the plan it names; until then nothing is raised",
            )


def break_glass(plan: Plan, before: State, world: World, decision: Decision, after: State) -> Iterator[Alert]:
    """Tell of everybody who breaks the glass, and of the step that is entered without proof."""
    broken = [
        answer
        for answer in world.approvals
        if answer.answer is Answer.BREAK_GLASS
        and answer.step == before.step + 1
        and answer.attempt == -before.entry
        and answer.at <= world.now
    ]
    stop = f"`headgate rollback {plan.service} --as YOU --reason WHY` if this is wrong"
    for answer in broken:
        share = (
            percent(plan.steps[answer.step].share_bp) if answer.step < len(plan.steps) else "the next step"
        )
        yield _alert(
            plan, world, after, NoticeKind.BREAK_GLASS, ("by", before.entry, answer.approver.casefold()),
            f"BREAK GLASS: {answer.approver} wants {share} without proof",
            answer.comment, f"it takes two people; {stop}",
        )  # fmt: skip
    if decision.move is Move.ADVANCE and any(reason.startswith(LOUD) for reason in decision.reasons):
        yield _alert(
            plan, world, after, NoticeKind.BREAK_GLASS, ("done", after.entry),
            f"BREAK GLASS: raised from {percent(before.share_bp)} to {percent(after.share_bp)} without proof",
            reasons_of(decision), stop,
        )  # fmt: skip


def unworded(plan: Plan, after: State, now: datetime, fault: str) -> Alert:
    """Return the alert that takes the place of those which could not be worded: a mistake of ours."""
    return Alert(
        key=key_of(after, NoticeKind.INCIDENT, "unworded", after.entry),
        kind=NoticeKind.INCIDENT,
        rollout=after.rollout,
        service=plan.service,
        slice=after.slice,
        at=now,
        subject=f"{name_of(after)}: something happened that could not be put into words",
        text=f"It is in {after.phase} at {percent(after.share_bp)}.\nWhy: {shortened(fault)}\n"
        f"To do: `headgate history {after.rollout}`, and report this as a mistake of Headgate",
        to=owners(plan),
        facts=facts_of(plan, after),
    )


def _lost(before: State, world: World) -> list[Approval]:
    asked = before.asked
    if asked is None:
        return []
    return [
        answer
        for answer in world.approvals
        if answer.answer is Answer.LOST and (answer.step, answer.attempt) == (asked.step, asked.attempt)
    ][:1]


def _alert(
    plan: Plan,
    world: World,
    state: State,
    kind: NoticeKind,
    what: tuple[object, ...],
    subject: str,
    why: str,
    todo: str,
) -> Alert:
    return Alert(
        key=key_of(state, kind, *what),
        kind=kind,
        rollout=state.rollout,
        service=plan.service,
        slice=state.slice,
        at=world.now,
        subject=f"{name_of(state)}: {subject}",
        text=f"Why: {shortened(why)}\nTo do: {todo}",
        to=owners(plan),
        facts=facts_of(plan, state),
    )
