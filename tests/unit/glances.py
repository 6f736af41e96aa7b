"""Slices at a glance, as real ticks leave them: the words in them are those of the rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headgate.plan.model import Plan
from headgate.report.glance import Glance, OpenQuestion
from headgate.rollout.state import State, Tick, World
from tests.rollouts import DAY, PLAN, tick


def ticked(before: State, seen: World, of: Plan = PLAN, number: int = 9) -> Tick:
    """The ledger row of a tick taken in this world."""
    decision, after = tick(before, seen, of)
    return Tick(number, seen.now, f"run-{number}", decision, after, seen.scorecard.verdicts)


def glance(before: State, seen: World, of: Plan = PLAN, **changes: Any) -> Glance:
    """What somebody sees ten minutes after a tick taken in this world; ticks come every hour."""
    last = changes.pop("last", None) or ticked(before, seen, of)
    asked = last.state.asked
    fields: dict[str, Any] = {
        "rollout": last.state.rollout,
        "service": of.service,
        "attempt": 1,
        "candidate": of.candidate.version,
        "plan": of,
        "plan_hash": of.hash,
        "last": last,
        "now": last.at + timedelta(minutes=10),
        "since": last.at - DAY,
        "gap": timedelta(hours=1),
        "ended": last.state.outcome if last.state.phase.value == "done" else None,
        "question": asked
        and OpenQuestion(
            f"{last.state.rollout}/all/approve/{asked.step}/{asked.attempt}/c0ffee",
            asked.step,
            asked.attempt,
            asked.at,
            asked.expires_at,
            1,
        ),
    }
    return Glance(**(fields | changes))
