"""A replay as the stories that the report page tells: one per slice."""

from __future__ import annotations

from headgate.backtest.replay import Replay
from headgate.plan.model import ALL
from headgate.report.story import StepTraffic, Story


def stories_of(replay: Replay) -> tuple[Story, ...]:
    """Return what the page of a rollout shows, for every slice of the replay."""
    return tuple(_story(replay, name) for name in replay.plan.slice_names)


def _story(replay: Replay, name: str) -> Story:
    mine = [one for one in replay.ticks if one.slice == name]
    last = mine[-1] if mine else None
    whole = name == ALL
    called = replay.plan.name if whole else f"{replay.plan.name} {name}"
    return Story(
        plan=replay.plan if whole else replay.plan.of_slice(name),
        plan_hash=replay.plan.hash,
        rollout=f"{called} (replayed)",
        service=replay.plan.service,
        attempt=1,
        outcome=last.tick.state.outcome if last else None,
        opened_at=replay.first_at,
        ticks=tuple(one.tick for one in mine),
        traffic=_traffic(replay, name),
        exchanges=last.exchanges if last else 0,
        windows=len(mine),
        outcomes_matured=last.matured if last else 0,
        data_quality=replay.data_quality,
        approvals=replay.approvals[name],
    )


def _traffic(replay: Replay, name: str) -> tuple[StepTraffic, ...]:
    """Return whom callers would have met on every stay at a share above 0."""
    plan = replay.plan.of_slice(name)
    counts = replay.traffic[name]
    return tuple(
        StepTraffic(
            step=stay.step,
            percent=plan.steps[stay.step].percent,
            since=stay.since,
            until=stay.until,
            candidate_requests=counts[stay.entry].candidate,
            incumbent_requests=counts[stay.entry].incumbent,
            fallbacks=counts[stay.entry].fallbacks,
        )
        for stay in replay.stays[name]
        if stay.share_bp and stay.entry in counts
    )
