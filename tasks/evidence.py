"""Counts what the plane logged, once, and asks the judge about every slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from headgate.adapters import store
from headgate.compare.traffic import traffic_rows
from headgate.compare.traffic_state import TrafficState
from headgate.errors import PlaneUnavailable, StandDown
from headgate.evidence import Entry, EvidenceRow
from headgate.gates import judge
from headgate.plan.model import ALL
from headgate.ports import PlaneLog, Side
from headgate.rollout import confirmed, standing
from headgate.rollout.state import Phase
from headgate.verdicts import Scorecard
from tasks import wiring
from tasks.direct import task
from tasks.ledger import Case
from tasks.retrying import OUTSIDE
from tasks.stays import by_generation
from tasks.traffic import BEFORE_TRAFFIC, PlaneSeen

#: Name under which preflight freezes the segments above the floor; a slice's have its name behind it.
SEGMENTS = "segments"

_Counted = tuple[list[EvidenceRow], TrafficState, Mapping[int, Mapping[str, Side]]]


@task(name="count the traffic", **OUTSIDE)
def count_traffic(case: Case) -> int:
    """Read what the plane logged since the last tick into hourly sums; return how many lines counted.

    Sums, the entities first seen and the place to read on from are one write: a crash before it counts
    nothing, after it nothing twice.
    """
    if case.state.phase in BEFORE_TRAFFIC | {Phase.DONE}:
        return 0  # reopened by an undo: what came after its end changes nothing of it
    wired = wiring.build()
    rollout = case.rollout
    cursor = store.cursor(wired.engine, rollout.service)
    try:
        log = wired.plane_of(rollout.service).read_log(cursor.position)
    except PlaneUnavailable:
        return 0  # its lines keep; a tick that cannot read them must still be able to decide
    if dict(log.position) == dict(cursor.position):
        return 0
    counted = {one.slice: _of_slice(one, log, cursor) for one in case.each_open()}
    try:
        store.ingest(
            wired.engine,
            rollout.id,
            [row for rows, _, _ in counted.values() for row in rows],
            tick=case.next_tick,
            expected=cursor,
            position=log.position,
            carry=_carry(rollout.id, {name: state for name, (_, state, _) in counted.items()}),
            entities={
                name: {entry: list(entities) for entry, entities in new.items()}
                for name, (_, _, new) in counted.items()
            },
        )
    except StandDown:
        return 0  # another tick read these lines and counted them
    _tell_of_callers_without_slices(case, log)
    return len(log.served)


def _tell_of_callers_without_slices(case: Case, log: PlaneLog) -> None:
    """Note an incident where callers send requests, and none of them says its slice.

    They are all the incumbent's then: the plan's slices get no traffic, and nothing live is ever proved.
    """
    ours = [line for line in log.served if line.rollout == case.rollout.id]
    if case.plan.slices and ours and not any(line.slice in case.plan.slice_names for line in ours):
        text = (
            f"{len(ours)} live requests, none of them in a slice of the plan: callers or the guard must send "
            f"the header x-headgate-slice with one of {', '.join(case.plan.slice_names)}"
        )
        incident = store.Incident(ours[-1].at, "no slice header", text)
        store.add_incident(wiring.build().engine, case.rollout.id, incident)


def _of_slice(case: Case, log: PlaneLog, cursor: store.Cursor) -> _Counted:
    """Return what new lines say about one slice; lines of requests in no slice say nothing."""
    name = case.slice
    generations = by_generation(case.rollout.id, name)
    served = log.served if name == ALL else [line for line in log.served if line.slice == name]
    mirrored = log.mirrored if name == ALL else [copy for copy in log.mirrored if copy.slice == name]
    rows, after, new = traffic_rows(
        case.plan,
        served,
        mirrored,
        generations,
        _carried(cursor, case, generations),
        not_before=case.last.at,
        part=f"log-{cursor.version}",
        rollout=case.rollout.id,
    )
    return [replace(row, slice=name) for row in rows], after, new


@task(name="judge", **OUTSIDE)
def judge_now(case: Case, plane: PlaneSeen, now: datetime) -> tuple[Scorecard, int]:
    """Judge every gate on all evidence of a slice so far; return the scorecard and how far it went."""
    engine = wiring.build().engine
    state = confirmed(case.state, plane.confirmed_at)
    mark = store.evidence_mark(engine, case.rollout.id)
    rows = store.evidence(engine, case.rollout.id, up_to=mark, slice_=case.slice)
    where = standing(state, now, case.rollout.attempt, dict(segments_of(case)) or None)
    return judge(case.own_plan, rows, where), mark


def segments_of(case: Case) -> Mapping[str, tuple[str, ...]]:
    """Return per column the values above the floor in a slice, as preflight froze them."""
    frozen = store.facts(wiring.build().engine, case.rollout.id).get(fact_of(SEGMENTS, case.slice), {})
    return {column: tuple(values) for column, values in frozen.items()}


def fact_of(name: str, slice_: str) -> str:
    """Return the name of a slice's own fact.

    Examples
    --------
    >>> fact_of("segments", "all"), fact_of("segments", "jfk")
    ('segments', 'segments of jfk')
    """
    return name if slice_ == ALL else f"{name} of {slice_}"


def _carry(rollout: str, states: Mapping[str, TrafficState]) -> dict[str, Any]:
    """Return what the next read needs to know; without slices as it always was."""
    if ALL in states:
        return {"rollout": rollout, "traffic": states[ALL].to_json()}
    return {"rollout": rollout, "slices": {name: state.to_json() for name, state in states.items()}}


def _carried(cursor: store.Cursor, case: Case, generations: Mapping[int, Entry]) -> TrafficState:
    """Return what the last read left of a slice; a rollout starts without what another one left."""
    carry = cursor.carry if cursor.carry.get("rollout") == case.rollout.id else {}
    left = carry.get("traffic") if case.slice == ALL else carry.get("slices", {}).get(case.slice)
    if left is None:
        return TrafficState()
    engine, entries = wiring.build().engine, {stay.entry for stay in generations.values()}
    seen = {entry: store.seen(engine, case.rollout.id, entry, case.slice) for entry in entries}
    return TrafficState.from_json(left, seen)
