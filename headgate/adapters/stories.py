"""Reads one rollout's whole record out of the store, for reports."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Engine

from headgate.adapters import store
from headgate.evidence import BlockSum, EvidenceRow, RateSum, Source, SplitSum, UnitSum
from headgate.plan.model import Metric, Plan
from headgate.report.story import Incident, StepTraffic, Story


def story_of(engine: Engine, rollout_id: str, traffic: tuple[StepTraffic, ...] = ()) -> Story:
    """Return a rollout's story.

    ``traffic`` is what callers counted, where somebody did; else it is read off the evidence, in
    which only the candidate's requests were counted.
    """
    rollout = store.get(engine, rollout_id)
    plan = store.plan_of(engine, rollout.plan_hash)
    ticks = tuple(store.ticks(engine, rollout_id))
    windows = store.windows(engine, rollout_id)
    quality: Counter[str] = Counter()
    for window in windows:
        quality.update(window.counts)
    return Story(
        plan=plan,
        plan_hash=rollout.plan_hash,
        rollout=rollout.id,
        service=rollout.service,
        attempt=rollout.attempt,
        outcome=ticks[-1].state.outcome if ticks else None,
        opened_at=rollout.opened_at,
        ticks=ticks,
        traffic=traffic,
        exchanges=quality["scored"],
        windows=len(windows),
        outcomes_matured=_matured(plan, store.evidence(engine, rollout_id)),
        data_quality=dict(quality),
        incidents=tuple(Incident(i.at, i.kind, i.text) for i in store.incidents(engine, rollout_id)),
        approvals=tuple(store.approvals(engine, rollout_id)),
        orders=tuple(store.orders(engine, rollout_id)),
    )


def _matured(plan: Plan, rows: list[EvidenceRow]) -> int:
    paired = next((g.name for g in plan.gates if g.metric in (Metric.BRIER, Metric.ZERO_ONE)), None)
    mine = [row.sums for row in rows if row.gate == paired and row.segment is None]
    blocks = sum(sums.pairs for sums in mine if isinstance(sums, BlockSum))
    units = sum(count for sums in mine if isinstance(sums, UnitSum) for _, count in sums.worst)
    return blocks + units
