"""Rollouts and worlds for tests of the state machine: everything is well unless the test says not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from headgate.plan.model import Plan
from headgate.rollout import apply, decide
from headgate.rollout.state import (
    Answer,
    Approval,
    Asked,
    Check,
    Decision,
    Order,
    Outcome,
    Pause,
    Phase,
    PlaneView,
    State,
    Verb,
    Waiting,
    World,
)
from headgate.verdicts import GateVerdict, Role, Scorecard, Verdict
from tests.builders import APRIL, plan

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
PLAN = plan()
HASH = PLAN.hash
VERSIONS = ("logistic-1", "gbm-2")


def row(
    gate: str = "quality",
    verdict: Verdict = Verdict.PASS,
    role: Role = Role.GUARDRAIL,
    applies: bool = True,
    segment: str | None = None,
    needed: int | None = None,
) -> GateVerdict:
    """One gate's verdict; the numbers are of no interest to decisions."""
    return GateVerdict(
        gate,
        segment,
        role,
        verdict,
        applies,
        None,
        None,
        None,
        0.0,
        0.0,
        3.5,
        3.5,
        0.5,
        7,
        needed,
        "blocks",
        f"why of {gate}[{segment}]" if segment else f"why of {gate}",
    )


def card(*rows: GateVerdict, **changes: Any) -> Scorecard:
    """A scorecard on which both gates pass and all labels are in, unless rows or fields say not."""
    fields: dict[str, Any] = {
        "verdicts": rows or (row("quality"), row("errors")),
        "log_harm": 0.0,
        "log_harm_threshold": 3.5,
        "failed": None,
        "alarmed": (),
        "split_alarm": False,
        "matured_through": APRIL + 1_000 * DAY,
    }
    return Scorecard(**(fields | changes))


def state(phase: Phase = Phase.RAMP, step: int | None = None, *, of: Plan = PLAN, **changes: Any) -> State:
    """A rollout that entered its step on 1 April, confirmed at once."""
    ladder = {Phase.RAMP: 1, Phase.WATCH: len(of.steps) - 1}
    step = ladder.get(phase, 0) if step is None else step
    live = phase in (Phase.SHADOW, Phase.RAMP, Phase.WATCH)
    fields: dict[str, Any] = {
        "rollout": "flights-gbm-1",
        "phase": phase,
        "opened_at": APRIL,
        "entered_at": APRIL,
        "step": step,
        "share_bp": of.steps[step].share_bp if live else 0,
        "entry": step,
        "generation": step + 1,
        "confirmed_at": APRIL if live else None,
        "versions": VERSIONS if live else None,
    }
    return State(**(fields | changes))


def world(of: State, now: datetime = APRIL + 10 * DAY, **changes: Any) -> World:
    """A world in which the plane serves what the state says, both servers answer and all gates pass."""
    fields: dict[str, Any] = {
        "now": now,
        "plane": PlaneView.AGREES,
        "scorecard": card(),
        "observed_share_bp": of.share_bp,
        "observed_generation": of.generation,
        "confirmed_at": of.confirmed_at,
        "versions": VERSIONS,
        "checks": (Check("versions", True, "as the plan says"),),
    }
    return World(**(fields | changes))


def tick(before: State, seen: World, of: Plan = PLAN) -> tuple[Decision, State]:
    """Decide and carry out."""
    decision = decide(before, of, seen, of.hash)
    return decision, apply(before, decision, of, seen)


def order(verb: Verb, number: int = 1, at: datetime = APRIL + 9 * DAY) -> Order:
    """A button pressed by the operator."""
    return Order(number, verb, "operator@example.org", "saw it", at)


def paused(waiting_for: Waiting = Waiting.OPERATOR, since: datetime = APRIL + 5 * DAY) -> Pause:
    """A pause in force."""
    return Pause(waiting_for, "somebody has to look", since)


def asked(of: State, seen: World, attempt: int = 1, at: datetime = APRIL + 9 * DAY) -> State:
    """The same state with a question open on the evidence of this world."""
    digest = seen.scorecard.digest(of.versions or ("", ""))
    question = Asked(of.step + 1, attempt, digest, at, at + 3 * DAY)
    return replace(of, asked=question, attempt=attempt)


def answer(
    to: Asked, said: Answer = Answer.APPROVE, by: str = "chief@example.org", **changes: Any
) -> Approval:
    """An answer to a question, an hour after it was put."""
    return replace(
        Approval(to.step, to.attempt, to.digest, HASH, by, said, "looked at it", to.at + HOUR), **changes
    )


def ends(phase: Phase, outcome: Outcome, of: State) -> bool:
    """Whether the state is in this phase, on its way to this outcome, with nothing left of the share."""
    return (of.phase, of.outcome, of.share_bp, of.paused) == (phase, outcome, 0, None)
