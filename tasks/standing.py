"""Where every rollout stands, for people and scripts that ask."""

from __future__ import annotations

from typing import Any

from headgate.adapters import store
from tasks import wiring


def all_standings() -> list[dict[str, Any]]:
    """Return one row per rollout, newest first, as plain JSON values."""
    engine = wiring.build().engine
    rows = []
    for rollout in reversed(store.rollouts(engine)):
        last = store.last_tick(engine, rollout.id)
        if last is None:
            continue
        state, decision = last.state, last.decision
        rows.append(
            {
                "rollout": rollout.id,
                "service": rollout.service,
                "candidate": rollout.candidate_version,
                "attempt": rollout.attempt,
                "phase": state.phase.value,
                "outcome": state.outcome.value if state.outcome else None,
                "step": state.step,
                "percent": state.share_bp / 100,
                "paused": state.paused.reason if state.paused else None,
                "waiting_for": [waiting.value for waiting in state.waiting_for],
                "decision": decision.move.value,
                "reasons": list(decision.reasons),
                "at": last.at.isoformat().replace("+00:00", "Z"),
                "due": decision.due.isoformat().replace("+00:00", "Z") if decision.due else None,
            }
        )
    return rows
