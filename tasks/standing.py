"""Where every rollout stands, slice by slice, for people and scripts that ask."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from headgate.adapters import store
from headgate.rollout.ranking import prospects_of, rank_words
from headgate.rollout.slices import outcome_of
from headgate.rollout.state import Tick
from tasks import wiring


def all_standings() -> list[dict[str, Any]]:
    """Return one row per slice of every rollout, newest rollout first, as plain JSON values.

    A rollout of a plan without slices is one row, of the slice ``all``. ``outcome`` is the slice's,
    ``ended`` the whole rollout's: promoted if every slice is, else as its worst slice. ``rank`` says
    which slice the shadow evidence would let go first, and why.
    """
    engine = wiring.build().engine
    rows = []
    for rollout in reversed(store.rollouts(engine)):
        found = [store.last_tick(engine, rollout.id, name) for name in store.slice_names(engine, rollout.id)]
        ticks = [tick for tick in found if tick is not None]
        ended = outcome_of(tick.state for tick in ticks)
        rank = _rank(rollout) if len(ticks) > 1 else {}
        rows += [
            {
                **_row(rollout, tick),
                "ended": ended.value if ended else None,
                "rank": rank.get(tick.state.slice),
            }
            for tick in ticks
        ]
    return rows


def ticked(service: str, at: datetime) -> list[dict[str, Any]]:
    """Return the rows of a service's slices whose last tick was at this very time."""
    stamp = at.isoformat().replace("+00:00", "Z")
    return [row for row in all_standings() if row["service"] == service and row["at"] == stamp]


def _rank(rollout: store.Rollout) -> dict[str, str]:
    """Return what the rollout's own shadow evidence says of each slice."""
    engine = wiring.build().engine
    counts: Counter[str] = Counter()
    for window in store.windows(engine, rollout.id):
        counts.update(window.counts)
    plan = store.plan_of(engine, rollout.plan_hash)
    shares = {name: counts[f"slice.{name}"] / max(counts["read"], 1) for name in plan.slice_names}
    return rank_words(prospects_of(plan, store.evidence(engine, rollout.id), shares))


def _row(rollout: store.Rollout, last: Tick) -> dict[str, Any]:
    state, decision = last.state, last.decision
    return {
        "rollout": rollout.id,
        "slice": state.slice,
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
