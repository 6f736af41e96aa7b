"""Turns what happened into evidence, once, and asks the judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task

from headgate.adapters import store
from headgate.adapters.stories import OUTCOMES
from headgate.compare.quality import quality_rows, unit_rows
from headgate.compare.stays import closed_batches
from headgate.compare.traffic import TrafficState, traffic_rows
from headgate.errors import PlaneUnavailable, StandDown
from headgate.gates import judge
from headgate.rollout import confirmed, standing
from headgate.tables import clean_outcomes, unknown_outcomes
from headgate.verdicts import Scorecard
from tasks import wiring
from tasks.ledger import Case
from tasks.retrying import OUTSIDE
from tasks.stays import by_generation, stays
from tasks.traffic import BEFORE_TRAFFIC, PlaneSeen

#: Name under which preflight freezes the segments above the floor.
SEGMENTS = "segments"


@task(name="count the traffic", **OUTSIDE)
def count_traffic(case: Case) -> int:
    """Read what the plane logged since the last tick into hourly sums; return how many lines counted.

    Sums, the entities first seen and the place to read on from are one write: a crash before it counts
    nothing, after it nothing twice.
    """
    if case.state.phase in BEFORE_TRAFFIC:
        return 0
    wired = wiring.build()
    rollout = case.rollout
    cursor = store.cursor(wired.engine, rollout.service)
    try:
        log = wired.plane_of(rollout.service).read_log(cursor.position)
    except PlaneUnavailable:
        return 0  # its lines keep; a tick that cannot read them must still be able to decide
    if dict(log.position) == dict(cursor.position):
        return 0
    generations = by_generation(rollout.id)
    rows, after, new = traffic_rows(
        case.plan,
        log.served,
        log.mirrored,
        generations,
        _carried(cursor, case, {stay.entry for stay in generations.values()}),
        not_before=case.last.at,
        part=f"log-{cursor.version}",
        rollout=rollout.id,
    )
    try:
        store.ingest(
            wired.engine,
            rollout.id,
            rows,
            tick=case.last.tick + 1,
            expected=cursor,
            position=log.position,
            carry={"rollout": rollout.id, "traffic": after.to_json()},
            entities={entry: list(entities) for entry, entities in new.items()},
        )
    except StandDown:
        return 0  # another tick read these lines and counted them
    return len(log.served)


@task(name="close what is mature", **OUTSIDE)
def close_blocks(case: Case, now: datetime) -> int:
    """Judge-ready sums of every batch that is fully scored and old enough; return how many closed.

    A batch is closed once, with the labels known at its end plus the maturity; later outcomes change
    nothing. A batch whose window has not been scored yet waits, and so do those after it.
    """
    if case.state.phase in BEFORE_TRAFFIC:
        return 0
    wired = wiring.build()
    plan, rollout = case.plan, case.rollout
    entries = stays(rollout.id)
    spans = list(_closing(case, now))
    if not spans or not entries:
        return 0
    first, last = spans[0][0], spans[-1][1]
    exchanges = wired.lake.read_exchanges(rollout.id, first, last)
    if exchanges is None:
        return 0
    outcomes = wired.lake.read_outcomes(plan, known_before=last + plan.outcomes.maturity, known_after=first)
    segments = segments_of(case)
    sums = unit_rows if plan.unit.block == "none" else quality_rows
    rows = [row for span in spans for row in sums(plan, exchanges, outcomes, span, entries, segments)]
    store.add_evidence(wired.engine, rollout.id, rows, tick=case.last.tick + 1)
    faults = _faults(case, outcomes, first, last)
    store.freeze(wired.engine, rollout.id, f"{OUTCOMES}{first:%Y-%m-%dT%H:%MZ}", faults, now)
    return len(spans)


def _faults(case: Case, outcomes: pa.Table, first: datetime, last: datetime) -> dict[str, int]:
    """Count what was wrong with the outcomes, and those of requests that nobody made.

    An outcome that came between ``first`` and ``last`` belongs to a request at most a maturity older;
    where the request log has none of that id, it is of an unknown request.
    """
    plan = case.plan
    cleaned = clean_outcomes(outcomes, plan)
    known_at = cleaned.table[plan.outcomes.known_at]
    came = cleaned.table.filter(pc.less(known_at, pa.scalar(last, known_at.type)))
    asked = wiring.build().lake.read_requests(plan, first - plan.outcomes.maturity, last)
    return {**cleaned.counts, "unknown_request": unknown_outcomes(came, asked[plan.requests.id])}


@task(name="judge", **OUTSIDE)
def judge_now(case: Case, plane: PlaneSeen, now: datetime) -> tuple[Scorecard, int]:
    """Judge every gate on all evidence so far; return the scorecard and how far the evidence went."""
    engine = wiring.build().engine
    state = confirmed(case.state, plane.confirmed_at)
    mark = store.evidence_mark(engine, case.rollout.id)
    rows = store.evidence(engine, case.rollout.id, up_to=mark)
    where = standing(state, now, case.rollout.attempt, dict(segments_of(case)) or None)
    return judge(case.plan, rows, where), mark


def segments_of(case: Case) -> Mapping[str, tuple[str, ...]]:
    """Return per column the values above the floor, as preflight froze them."""
    frozen = store.facts(wiring.build().engine, case.rollout.id).get(SEGMENTS, {})
    return {column: tuple(values) for column, values in frozen.items()}


def _carried(cursor: store.Cursor, case: Case, entries: set[int]) -> TrafficState:
    """Return what the last read left; a rollout starts without what another one left."""
    if cursor.carry.get("rollout") != case.rollout.id:
        return TrafficState()
    engine = wiring.build().engine
    seen = {entry: store.seen(engine, case.rollout.id, entry) for entry in entries}
    return TrafficState.from_json(cursor.carry["traffic"], seen)


def _closing(case: Case, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the batches that may close now: mature, not closed before, and scored without a gap."""
    engine = wiring.build().engine
    windows = store.windows(engine, case.rollout.id)
    if not windows:
        return
    scored = windows[0].end
    for window in windows[1:]:
        if window.start != scored:
            break
        scored = window.end
    done = store.last_batch(engine, case.rollout.id)
    for start, end in closed_batches(case.plan, windows[0].start, now):
        if start < windows[0].start or (done is not None and start <= done):
            continue
        if end > scored:
            return
        yield start, end
