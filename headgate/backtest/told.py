"""A replay as JSON: plain values, the same bytes for the same replay, null where there is no number."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from headgate.backtest.replay import Replay, ReplayedTick
from headgate.rollout.state import Phase
from headgate.verdicts import GateVerdict


def as_json(replay: Replay) -> dict[str, Any]:
    """Return what issue and docs promise of ``headgate backtest --json``.

    ``percent`` is the share after the decision; over slices the largest counts.
    """
    live = [one.tick.at for one in replay.ticks if one.tick.state.share_bp > 0]
    last = {one.slice: one.tick.state for one in replay.ticks}
    return {
        "plan": replay.plan.name,
        "plan_hash": replay.plan.hash,
        "outcome": replay.outcome.value if replay.outcome else None,
        "final_percent": _percent(max((state.share_bp for state in last.values()), default=0)),
        "max_percent": _percent(max((one.tick.state.share_bp for one in replay.ticks), default=0)),
        "first_live_at": _when(live[0]) if live else None,
        "finished_at": _when(_finished(replay)),
        "exchanges": replay.exchanges,
        "outcomes": replay.outcomes,
        "data_quality": dict(replay.data_quality),
        "ticks": [_tick(one) for one in replay.ticks],
    }


def as_text(replays: Sequence[Replay]) -> str:
    """Return the JSON of one replay, or of several as a list."""
    told = [as_json(replay) for replay in replays]
    return json.dumps(told[0] if len(told) == 1 else told, indent=2, allow_nan=False) + "\n"


def _finished(replay: Replay) -> datetime | None:
    if replay.outcome is None:
        return None
    return next(one.tick.at for one in reversed(replay.ticks) if one.tick.state.phase is Phase.DONE)


def _tick(one: ReplayedTick) -> dict[str, Any]:
    tick = one.tick
    return {
        "tick": tick.tick,
        "at": _when(tick.at),
        "phase": tick.state.phase.value,
        "step": tick.state.step,
        "slice": one.slice,
        "percent": _percent(tick.state.share_bp),
        "decision": tick.decision.move.value,
        "waiting_for": [waiting.value for waiting in tick.decision.waiting_for],
        "exchanges": one.exchanges,
        "matured": one.matured,
        "gates": [_gate(verdict) for verdict in tick.verdicts],
    }


def _gate(verdict: GateVerdict) -> dict[str, Any]:
    return {
        "name": verdict.gate,
        "segment": verdict.segment,
        "role": verdict.role.value,
        "verdict": verdict.verdict.value,
        "estimate": _number(verdict.estimate),
        "lower": _number(verdict.lower),
        "upper": _number(verdict.upper),
        "log_e_advance": _number(verdict.log_e_advance),
        "log_e_rollback": _number(verdict.log_e_rollback),
        "samples": verdict.samples,
        "needed": verdict.needed,
        "reason": verdict.reason,
    }


def _number(value: float | None) -> float | None:
    """Return null for what is no finite number; minus nothing is nothing."""
    return value + 0.0 if value is not None and math.isfinite(value) else None


def _percent(share_bp: int) -> float | int:
    """Return 5, not 5.0; but 0.5."""
    whole, rest = divmod(share_bp, 100)
    return share_bp / 100 if rest else whole


def _when(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
