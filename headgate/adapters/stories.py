"""Reads one rollout's whole record out of the store, for reports."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from sqlalchemy import Engine

from headgate.adapters import store
from headgate.adapters.store.glimpses import some_ticks
from headgate.evidence import BlockSum, EvidenceRow, TrafficSum, UnitSum
from headgate.plan.applies import is_paired_loss
from headgate.plan.model import ALL, Plan
from headgate.report.story import Incident, StepTraffic, Story
from headgate.rollout import stays

#: Facts of this name say what was wrong with the outcomes of the blocks closed together.
OUTCOMES = "outcomes since "


def stories_of(engine: Engine, rollout_id: str, *, most: int | None = None) -> tuple[Story, ...]:
    """Return the story of every slice of a rollout, in the order of its plan; else the one of all of it.

    ``most``: leave out holds where a slice has more ticks than about this; see `some_ticks`.
    """
    plan = store.plan_of(engine, store.get(engine, rollout_id).plan_hash)
    return tuple(story_of(engine, rollout_id, name, most=most) for name in plan.slice_names)


def story_of(engine: Engine, rollout_id: str, slice_: str = ALL, *, most: int | None = None) -> Story:
    """Return a slice's story, as far as the record goes."""
    rollout = store.get(engine, rollout_id)
    plan = store.plan_of(engine, rollout.plan_hash).of_slice(slice_)
    if most is None:
        recorded = store.ticks(engine, rollout_id, slice_)
    else:
        recorded = some_ticks(engine, rollout_id, slice_, most)
    ticks = tuple(recorded)
    windows = store.windows(engine, rollout_id)
    rows = store.evidence(engine, rollout_id, slice_=slice_)
    quality: Counter[str] = Counter()
    for window in windows:
        quality.update(window.counts)
    for name, fact in store.facts(engine, rollout_id).items():
        if name.startswith(OUTCOMES):
            quality.update({f"outcomes.{reason}": count for reason, count in fact.items() if count})
    return Story(
        plan=plan,
        plan_hash=rollout.plan_hash,
        rollout=rollout.id if slice_ == ALL else f"{rollout.id} / {slice_}",
        service=rollout.service,
        attempt=rollout.attempt,
        outcome=ticks[-1].state.outcome if ticks else None,
        opened_at=rollout.opened_at,
        ticks=ticks,
        traffic=_traffic(store.confirmations(engine, rollout_id, slice_), rows),
        exchanges=quality["scored" if slice_ == ALL else f"slice.{slice_}"],
        windows=len(windows),
        outcomes_matured=_matured(plan, rows),
        data_quality={what: count for what, count in quality.items() if count and not _fine(what)},
        incidents=tuple(Incident(i.at, i.kind, i.text) for i in store.incidents(engine, rollout_id)),
        approvals=tuple(store.approvals(engine, rollout_id, slice_)),
        orders=tuple(o for o in store.orders(engine, rollout_id) if o.slice in (ALL, slice_)),
    )


def _fine(what: str) -> bool:
    """Return whether a count tells of nothing wrong."""
    told_elsewhere = what in ("read", "scored", "outside_slices") or what.startswith("slice.")
    return told_elsewhere or what.endswith("_ok")


def _traffic(confirmed: list[store.Confirmation], rows: list[EvidenceRow]) -> tuple[StepTraffic, ...]:
    """Return what callers got on every stay at a share above 0."""
    counts: dict[int, Counter[str]] = {}
    for row in rows:
        if isinstance(row.sums, TrafficSum):
            counts.setdefault(row.entry, Counter()).update(asdict(row.sums))
    told = []
    for stay in stays(c.stay for c in confirmed):
        count = counts.get(stay.entry, Counter())
        if stay.share_bp:
            told.append(
                StepTraffic(
                    step=stay.step,
                    percent=stay.share_bp / 100,
                    since=stay.since,
                    until=stay.until,
                    candidate_requests=count["n1"],
                    incumbent_requests=count["n0"],
                    fallbacks=count["fallbacks"],
                    failed=count["failed"],
                )
            )
    return tuple(told)


def _matured(plan: Plan, rows: list[EvidenceRow]) -> int:
    paired = next((g.name for g in plan.gates if is_paired_loss(g, plan)), None)
    mine = [row.sums for row in rows if row.gate == paired and row.segment is None]
    blocks = sum(sums.pairs for sums in mine if isinstance(sums, BlockSum))
    units = sum(count for sums in mine if isinstance(sums, UnitSum) for _, count in sums.worst)
    return blocks + units
