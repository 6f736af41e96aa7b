"""Single tasks where the plan has slices: the plane held against the record, preflight, what is counted."""

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headgate.adapters import store
from headgate.errors import IllegalTransition, InputError
from headgate.evidence import BlockSum, EvidenceRow, Source, SplitSum, TrafficSum
from headgate.ports import Observed, SliceShare
from headgate.rollout.state import Outcome, Phase, PlaneView, Verb
from tasks.evidence import count_traffic, segments_of
from tasks.ledger import Case
from tasks.preflight import preflight
from tasks.stays import by_generation, stays
from tasks.traffic import compare, finish_the_last_write, look_at_plane, route_of, set_share
from tasks.verbs import press
from tests.builders import APRIL, PLAN
from tests.unit.task_cases import OPENED_BY, opened

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SERVICE = "flight-delays"
SLICES = [
    {"name": name, "where": f"region == '{name}'", "steps": PLAN["steps"]} for name in ("north", "south")
]
AGREES, BEHIND, DISAGREES = PlaneView.AGREES, PlaneView.BEHIND, PlaneView.DISAGREES
LOGS = {
    "requests": {"path": "requests", "id": "request_id", "at": "at"},
    "outcomes": {**PLAN["outcomes"], "path": "outcomes"},
}


def sliced(**changes):
    return opened(steps=None, slices=SLICES, **changes)


def standing(case: Case, **slices) -> Case:
    """Return the case as if the last rows had its slices so: name = (phase, share, generation, entry)."""

    def changed(tick):
        phase, share, generation, entry = slices[tick.state.slice]
        fields = {"phase": phase, "share_bp": share, "generation": generation, "entry": entry, "step": entry}
        outcome = Outcome.ROLLED_BACK if phase is Phase.DONE else None
        return replace(tick, state=replace(tick.state, outcome=outcome, **fields))

    return replace(case, last=changed(case.last), beside=tuple(changed(tick) for tick in case.beside))


def of_name(case: Case, name: str) -> Case:
    """Return the case as this slice finds it."""
    return next(one for one in case.each_open() if one.slice == name)


@pytest.fixture
def ramp(wired):  # noqa: ARG001 - in place before anything is opened
    """North at 5 % since generation 3, south at 50 % since generation 4."""
    return standing(sliced(), north=(Phase.RAMP, 500, 3, 1), south=(Phase.RAMP, 5_000, 4, 2))


def seen(case, north=500, south=5_000, generation=4, share_bp=0):
    shares = (SliceShare("north", north), SliceShare("south", south))
    return Observed(case.rollout.id, share_bp, False, case.rollout.token, generation, shares)


def views(case, observed):
    return {one.slice: compare(observed, one, one.state) for one in case.each_open()}


# ---------------------------------------------------------------- the route, and law 12 per slice


def test_the_route_has_every_slices_share_and_the_newest_generation(ramp):
    route = route_of(ramp, ramp.state)
    assert route.slices == (SliceShare("north", 500), SliceShare("south", 5_000))
    assert (route.share_bp, route.mirror, route.generation) == (0, False, 4)
    south = of_name(ramp, "south")
    assert route_of(south, south.state) == route


def test_only_slices_in_shadow_are_mirrored(ramp):
    mixed = standing(ramp, north=(Phase.SHADOW, 0, 1, 0), south=(Phase.RAMP, 500, 2, 1))
    assert route_of(mixed, mixed.state).slices == (
        SliceShare("north", 0, mirror=True),
        SliceShare("south", 500),
    )


@pytest.mark.parametrize(
    ("report", "north", "south"),
    [
        ({}, AGREES, AGREES),
        ({"generation": 3, "south": 500}, AGREES, BEHIND),  # the last write, south's, did not get there
        ({"generation": 2, "north": 0, "south": 500}, BEHIND, BEHIND),
        ({"south": 5_001}, AGREES, DISAGREES),  # one slice moved under us; the other goes on
        ({"north": 0}, DISAGREES, AGREES),
        ({"generation": 5}, DISAGREES, DISAGREES),  # one we never wrote
        ({"share_bp": 1}, DISAGREES, DISAGREES),  # somebody outside of the slices meets the candidate
    ],
)
def test_the_planes_report_is_held_against_every_slice_by_itself(ramp, report, north, south):
    assert views(ramp, seen(ramp, **report)) == {"north": north, "south": south}


def test_a_plane_that_knows_no_slices_disagrees_with_all_of_them(ramp):
    nothing = replace(seen(ramp), slices=())
    assert views(ramp, nothing) == {"north": DISAGREES, "south": DISAGREES}


def test_one_write_is_confirmed_for_every_slice_and_each_knows_its_own_generation(wired, ramp):
    look_at_plane.fn(ramp, APRIL)
    set_share.fn(ramp, ramp.state, APRIL + HOUR)
    assert wired.plane_of(SERVICE).observe() == seen(ramp)
    told = {one.slice: look_at_plane.fn(one, APRIL + 2 * HOUR) for one in ramp.each_open()}
    assert {name: (s.view, s.share_bp, s.generation, s.confirmed_at) for name, s in told.items()} == {
        "north": (AGREES, 500, 3, APRIL + HOUR),
        "south": (AGREES, 5_000, 4, APRIL + HOUR),
    }
    # The log's lines carry the route's generation: every slice can read them by it.
    rollout = ramp.rollout.id
    assert {g: e.entry for g, e in by_generation(rollout, "north").items()} == {4: 1}
    later = standing(ramp, north=(Phase.RAMP, 500, 3, 1), south=(Phase.ROLLING_BACK, 0, 5, 3))
    set_share.fn(later, later.state, APRIL + 3 * HOUR)
    assert {g: e.entry for g, e in by_generation(rollout, "north").items()} == {4: 1, 5: 1}
    assert {g: e.entry for g, e in by_generation(rollout, "south").items()} == {4: 2, 5: 3}
    assert [stay.until for stay in stays(rollout, "north")] == [None]
    assert [stay.until for stay in stays(rollout, "south")] == [APRIL + 3 * HOUR, None]


def test_a_slice_that_is_done_keeps_its_share_and_is_looked_at_no_more(wired, ramp):
    ended = standing(ramp, north=(Phase.DONE, 10_000, 5, 3), south=(Phase.RAMP, 500, 6, 1))
    assert [one.slice for one in ended.each_open()] == ["south"]
    look_at_plane.fn(ended, APRIL)
    set_share.fn(of_name(ended, "south"), of_name(ended, "south").state, APRIL)
    assert wired.plane_of(SERVICE).observe().slices == (SliceShare("north", 10_000), SliceShare("south", 500))


def test_the_last_write_of_a_rollout_is_finished_whichever_slice_made_it(wired):
    case = sliced()
    done = {"phase": Phase.DONE, "outcome": Outcome.ABORTED, "confirmed_at": APRIL}
    shadow = standing(case, north=(Phase.SHADOW, 0, 1, 0), south=(Phase.SHADOW, 0, 1, 0))
    look_at_plane.fn(shadow, APRIL)
    set_share.fn(shadow, shadow.state, APRIL)
    rows = [
        replace(t, tick=1, state=replace(t.state, generation=2, **done)) for t in (case.last, *case.beside)
    ]
    store.record(wired.engine, case.rollout, *rows)
    assert all(part.mirror for part in wired.plane_of(SERVICE).observe().slices)
    finish_the_last_write.fn(SERVICE, APRIL + HOUR)
    assert not any(part.mirror for part in wired.plane_of(SERVICE).observe().slices)


# ---------------------------------------------------------------- traffic


def test_a_line_of_the_log_counts_for_the_slice_it_was_routed_by(wired, ramp):
    look_at_plane.fn(ramp, APRIL)
    set_share.fn(ramp, ramp.state, APRIL)
    plane = wired.plane_of(SERVICE)
    for i in range(90):
        name = ("north", "south", None)[i % 3]
        plane.serve(f"r{i}", f"N{i % 10}", APRIL + timedelta(minutes=i), slice_=name)
    assert count_traffic.fn(ramp) == 90
    rows = store.evidence(wired.engine, ramp.rollout.id)
    told = {
        name: sum(r.sums.n1 + r.sums.n0 for r in rows if r.slice == name and isinstance(r.sums, TrafficSum))
        for name in ("north", "south", "all")
    }
    assert told == {"north": 30, "south": 30, "all": 0}
    split = [row for row in rows if isinstance(row.sums, SplitSum)]
    assert {row.slice: row.share_bp for row in split} == {"north": 500, "south": 5_000}
    # An entity is counted once in each slice; what was counted is remembered by slice.
    assert sum(row.sums.n1 + row.sums.n0 for row in split) == 20
    assert len(store.seen(wired.engine, ramp.rollout.id, 2, "south")) == 10
    plane.serve("again", "N1", APRIL + 2 * HOUR, slice_="south")
    assert count_traffic.fn(ramp) == 1
    again = [r for r in store.evidence(wired.engine, ramp.rollout.id) if isinstance(r.sums, SplitSum)]
    assert again == split


def test_callers_that_never_say_their_slice_are_told_of(wired, ramp):
    look_at_plane.fn(ramp, APRIL)
    set_share.fn(ramp, ramp.state, APRIL)
    plane = wired.plane_of(SERVICE)
    plane.serve("r1", "N1", APRIL + HOUR, slice_="north")
    plane.serve("r2", "N1", APRIL + HOUR)
    assert count_traffic.fn(ramp) == 2
    assert store.incidents(wired.engine, ramp.rollout.id) == []
    plane.serve("r3", "N1", APRIL + 2 * HOUR)
    plane.serve("r4", "N1", APRIL + 2 * HOUR, slice_="nowhere")
    assert count_traffic.fn(ramp) == 2
    (told,) = store.incidents(wired.engine, ramp.rollout.id)
    assert told.kind == "no slice header"
    assert "2 live requests, none of them in a slice" in told.text
    assert "x-headgate-slice with one of north, south" in told.text


# ---------------------------------------------------------------- preflight


@pytest.fixture
def logs(tmp_path, requests_log):
    requests_log(days=(-28, 0), n=100)
    (tmp_path / "outcomes").mkdir()
    known = pa.array([APRIL - DAY], pa.timestamp("us", tz="UTC"))
    table = pa.table({"request_id": ["r0"], "late": [0], "known_at": known})
    pq.write_table(table, tmp_path / "outcomes" / "log.parquet")


def checks(case):
    return {check.name: check for check in preflight(case, ("logistic-1", "gbm-2"), APRIL)}


@pytest.mark.usefixtures("wired", "logs")
def test_preflight_says_how_large_each_slice_is_and_that_there_is_no_evidence_yet():
    found = checks(sliced(**LOGS))
    assert all(check.passed for check in found.values())
    assert found["slices"].reason == (
        "slices by value and risk: 1. north (60 % of requests): no evidence yet; "
        "2. south (30 % of requests): no evidence yet"
    )


@pytest.mark.usefixtures("logs")
def test_preflight_ranks_slices_by_what_an_earlier_rollout_saw_in_shadow(wired):
    before = sliced(candidate={**PLAN["candidate"], "version": "gbm-1"}, **LOGS).rollout
    rows = [
        EvidenceRow("quality", None, APRIL + i * DAY, 0, 0, Source.SHADOW, "w", BlockSum(d, d, d, 9, 9), name)
        for name, values in (("north", (-0.01, 0.01)), ("south", (-0.02, -0.021)))
        for i, d in enumerate(values)
    ]
    store.add_evidence(wired.engine, before.id, rows, tick=1)
    reason = checks(sliced(**LOGS))["slices"].reason
    assert reason.startswith("slices by value and risk: 1. south (30 % of requests): gains 0.02")
    assert "2. north" in reason


@pytest.mark.usefixtures("wired", "logs")
def test_a_slice_without_requests_or_with_a_column_that_is_missing_fails_preflight():
    nowhere = [SLICES[0], {**SLICES[1], "where": "region == 'west'"}]
    found = checks(opened(steps=None, slices=nowhere, **LOGS))["slices"]
    assert (found.passed, "is in south" in found.reason) == (False, True)
    column = [SLICES[0], {**SLICES[1], "where": "weather == 'rain'"}]
    found = checks(opened(steps=None, slices=column, name="other", **LOGS))["requests"]
    assert (found.passed, "weather" in found.reason) == (False, True)


@pytest.mark.usefixtures("wired", "logs")
def test_segments_above_the_floor_are_frozen_within_every_slice():
    case = sliced(segments={"by": ["tailnum"], "floor": 0.15, "gates": {"quality": 0.1}}, **LOGS)
    checks(case)
    frozen = {one.slice: segments_of(one)["tailnum"] for one in case.each_open()}
    assert frozen["north"] != frozen["south"]
    assert checks(case)["segments"].reason.startswith("segments frozen: north: tailnum: ")


# ---------------------------------------------------------------- people


def test_a_button_for_all_is_refused_only_where_no_slice_allows_it(wired):
    case = sliced()
    with pytest.raises(IllegalTransition, match=r"pause: .* allowed now: abort"):
        press(SERVICE, Verb.PAUSE, OPENED_BY, "too early", APRIL)
    rows = [
        replace(case.last, tick=1, state=replace(case.last.state, phase=Phase.SHADOW)),
        replace(case.beside[0], tick=1),
    ]
    store.record(wired.engine, case.rollout, *rows)
    press(SERVICE, Verb.PAUSE, OPENED_BY, "north alone can be", APRIL)
    with pytest.raises(IllegalTransition):
        press(SERVICE, Verb.PAUSE, OPENED_BY, "south cannot", APRIL, "south")
    with pytest.raises(InputError, match="it has north, south"):
        press(SERVICE, Verb.PAUSE, OPENED_BY, "nobody", APRIL, "west")
