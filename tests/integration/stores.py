"""Small true-to-life things to keep in a store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from headgate.adapters import store
from headgate.evidence import BlockSum, EvidenceRow, Source
from headgate.rollout.state import Answer as Said
from headgate.rollout.state import Approval, Asked, Decision, Move, Phase, State, Tick
from tests.builders import APRIL, plan

OPENED_BY = "operator@example.org"


def tick(rollout: store.Rollout, number: int = 1, run: str = "run-1", **state) -> Tick:
    """The next tick of a rollout, an hour after the one before."""
    at = rollout.opened_at + timedelta(hours=number)
    fields = {"phase": Phase.SHADOW, "opened_at": rollout.opened_at, "entered_at": at, **state}
    return Tick(number, at, run, Decision(Move.HOLD, ("not enough samples",)), State(rollout.id, **fields))


def question(rollout: store.Rollout, number: int = 1, step: int = 1) -> Tick:
    """A tick that asks whether the step may be entered."""
    base = tick(rollout, number)
    asked = Asked(step, 1, "digest-1", base.at, base.at + timedelta(hours=72))
    decision = Decision(Move.ASK, ("all gates pass",), asked=asked)
    return replace(base, decision=decision, state=replace(base.state, asked=asked, attempt=1))


def reply(rollout: store.Rollout, approver: str = "a@example.org", **changes) -> Approval:
    """An approval of that question."""
    at = rollout.opened_at + timedelta(hours=3)
    said = Approval(1, 1, "digest-1", rollout.plan_hash, approver, Said.APPROVE, "looks fine", at)
    return replace(said, **changes)


def batch(day: int = 0, worst: float = 0.1 + 0.2, **changes) -> EvidenceRow:
    """One block of the quality gate."""
    sums = BlockSum(worst=worst, best=-0.0, observed=1e-310, entities=3, pairs=9, spread=0.1)
    row = EvidenceRow("quality", None, APRIL + timedelta(days=day), 0, 0, Source.SHADOW, "w0", sums)
    return replace(row, **changes)


def opened(engine: Engine, **changes) -> store.Rollout:
    """A rollout of the small plan, opened in April."""
    return store.open_rollout(engine, plan(**changes), APRIL, OPENED_BY)
