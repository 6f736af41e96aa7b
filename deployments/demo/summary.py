"""What the demo proves, as one JSON file: every figure counted, none assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployments.demo.callers import Tally
from headgate.adapters.store.retrainings import Retraining
from headgate.report.story import Story
from headgate.rollout.state import Outcome, Tick


@dataclass(frozen=True, slots=True)
class Told:
    """One rollout of the demo: its story, what callers saw, and what the plane said at the end.

    ``observed_bp`` is None where the plane could not be asked.
    """

    story: Story
    tally: Tally
    observed_bp: int | None


@dataclass(frozen=True, slots=True)
class Renewed:
    """What became of the promoted model: drifts as `headgate.report.monitoring.drifts` tells them."""

    drifts: Sequence[Mapping[str, Any]] = ()
    retrainings: Sequence[Retraining] = ()


def summary(
    told: Sequence[Told], *, flow_runs: int, seconds: float, renewed: Renewed | None = None
) -> dict[str, Any]:
    """Return the content of ``summary.json``."""
    renewed = renewed or Renewed()
    outcomes = {one.story.rollout: one.story.outcome for one in told}
    return {
        "rollouts": [_rollout(one) for one in told],
        "drift": [_drift(one) for one in renewed.drifts],
        "retrainings": [_retraining(one, outcomes) for one in renewed.retrainings],
        "flow_runs": flow_runs,
        "live_requests": sum(one.tally.sent for one in told),
        "candidate_requests_by_step": _added(candidate_requests(one.story, one.tally) for one in told),
        "dropped_requests": sum(one.tally.dropped for one in told),
        "failed_answers": sum(one.tally.failed for one in told),
        "seconds": round(seconds, 1),
    }


def candidate_requests(story: Story, tally: Tally) -> Mapping[str, int]:
    """Return per live step (its percent) how many answers said they were the candidate's."""
    at_generation = {tick.state.generation: tick.state.share_bp for tick in story.ticks}
    shares = sorted({share for share in at_generation.values() if share > 0})
    counts: Counter[int] = Counter()
    for (rollout, generation, side), count in tally.by_side.items():
        if rollout == story.rollout and side == "candidate":
            counts[at_generation[generation]] += count
    return {f"{share / 100:g}": counts[share] for share in shares}


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items(), key=lambda item: float(item[0])))


def _drift(one: Mapping[str, Any]) -> dict[str, Any]:
    at = datetime.fromisoformat(one["at"])
    return {"at": _utc(at), "columns": list(one["columns"]), "reason": one["reason"]}


def _retraining(one: Retraining, outcomes: Mapping[str, Outcome | None]) -> dict[str, Any]:
    """Return a retraining; ``accepted`` is null where it never ended, ``outcome`` without a rollout."""
    outcome = outcomes.get(one.rollout)
    return {
        "at": _utc(one.claim.at),
        "trigger": one.claim.trigger,
        "accepted": one.accepted,
        "reason": one.reason,
        "version": one.version or None,
        "rollout": one.rollout or None,
        "outcome": outcome.value if outcome else None,
    }


def _rollout(one: Told) -> dict[str, Any]:
    ticks = one.story.ticks
    outcome = one.story.outcome
    return {
        "name": one.story.rollout,
        "candidate": one.story.plan.candidate.version,
        "outcome": outcome.value if outcome else None,
        "finished_at": _utc(ticks[-1].at) if outcome and ticks else None,
        "max_percent": max((tick.state.share_bp for tick in ticks), default=0) / 100,
        "final_share_observed_percent": None if one.observed_bp is None else one.observed_bp / 100,
        "ticks": [_tick(tick) for tick in ticks],
    }


def _tick(tick: Tick) -> dict[str, Any]:
    state, decision = tick.state, tick.decision
    return {
        "tick": tick.tick,
        "at": _utc(tick.at),
        "phase": state.phase.value,
        "step": state.step,
        "percent": state.share_bp / 100,
        "decision": decision.move.value,
        "waiting_for": [waiting.value for waiting in decision.waiting_for],
        "reason": decision.reason,
    }


def _utc(at: Any) -> str:
    return str(at.isoformat()).replace("+00:00", "Z")
