"""What a load test means: latency that hides no stall, where it saturates, servers and failures per day."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from headgate.capacity import (
    Climb,
    Failures,
    Limits,
    Result,
    Stage,
    Volume,
    climb,
    forecast,
    people_verdict,
    per_day,
    stage_of,
    volume_of,
)
from headgate.capacity.climb import Held
from headgate.capacity.page import page
from headgate.capacity.report import saturates
from headgate.capacity.telling import result_json
from headgate.errors import EvidenceError
from headgate.plan import capacity_rules as rules
from tests.builders import plan

AT = datetime(2026, 11, 21, tzinfo=UTC)
LIMITS = Limits(p99_ms=300.0, errors=0.01)
KEPT = Stage(100.0, 10.0, 1_000, {}, 5.0, 8.0, 20.0, service_ms=20.0)
BROKEN = replace(KEPT, rate=130.0, p99=900.0, service_ms=400.0)
VOLUME = Volume(100_000.0, 10.0, "the busiest hour, 36000 requests")


def result(**changes):
    made = Result(AT, "gbm-2", "envoy", VOLUME, 100.0, Climb(KEPT, (KEPT, BROKEN), 100.0, 130.0))
    return replace(made, **changes)


def played(capacity, target):
    """A climb against a candidate that keeps up below its capacity and not at or above it."""
    steps = climb(target, LIMITS, 1e6)
    rate = next(steps)
    try:
        while True:
            rate = steps.send(replace(KEPT, rate=rate, p99=20.0 if rate < capacity else 900.0))
    except StopIteration as over:
        return over.value


# ---------------------------------------------------------------- stages


def test_a_server_that_stalls_makes_everybody_wait_who_was_due_meanwhile():
    due = np.arange(0, 10, 0.01)  # 100/s for 10 s; the server stands still from 2.0 to 4.0
    done = np.where((due >= 2) & (due < 4), 4.0, due + 0.001)
    found = stage_of(100.0, 10.0, due, due, done, [""] * len(due))
    assert found.p50 == pytest.approx(1.0)
    assert found.p95 == pytest.approx(
        1_500, rel=0.01
    )  # whoever waits for an answer would have seen one slow one


def test_an_answer_that_cannot_be_used_is_slower_than_any_other():
    due = np.arange(1_000.0)
    found = stage_of(1.0, 1_000.0, due, due, due + 0.001, ["no answer"] * 20 + [""] * 980)
    assert (found.p50, found.p95, found.p99) == (pytest.approx(1.0), pytest.approx(1.0), None)
    assert LIMITS.judge(found)[0] is Held.BROKEN


def test_a_lateness_of_the_generator_is_not_held_against_the_candidate():
    late = replace(BROKEN, late_ms=500.0)
    assert LIMITS.judge(late)[0] is Held.UNCLEAR
    assert LIMITS.judge(replace(KEPT, late_ms=500.0))[0] is Held.KEPT  # it kept up in spite of that


def test_too_few_requests_prove_nothing():
    few = replace(KEPT, sent=100, p99=None)
    assert LIMITS.judge(few) == (Held.UNCLEAR, "100 requests are too few to tell: 500 are needed")


# ---------------------------------------------------------------- saturation


@given(st.floats(1, 3_000), st.floats(10, 200))
def test_m16_the_search_brackets_the_rate_at_which_the_candidate_saturates(capacity, target):
    found = played(capacity, target)
    assert found.target.rate == target
    assert len(found.stages) <= 8
    assert found.kept is None or found.kept < capacity
    assert found.broken is None or found.broken >= capacity
    if target / 16 <= capacity <= target * 16:
        assert found.broken / found.kept <= 2


def test_a_stage_that_says_nothing_ends_the_search():
    steps = climb(50.0, LIMITS, 1e6)
    next(steps)
    assert steps.send(replace(KEPT, rate=50.0)) == 100.0
    with pytest.raises(StopIteration) as over:
        steps.send(replace(BROKEN, rate=100.0, late_ms=1e3))
    assert (over.value.value.kept, over.value.value.broken) == (50.0, None)


def test_a_candidate_that_answers_at_no_rate_is_not_asked_at_eight():
    steps = climb(50.0, LIMITS, 1e6)
    mute = Stage(next(steps), 10.0, 600, {"left to the fallback": 600})
    half = replace(mute, rate=steps.send(mute))
    with pytest.raises(StopIteration) as over:
        steps.send(half)
    assert saturates(over.value.value) == "no usable answer came at any rate"


# ---------------------------------------------------------------- what a step takes


def test_m16_littles_law_says_how_many_are_under_way_and_how_many_servers_that_takes():
    # 100/s at 20 ms: 2 under way are all that one server can. 35/s are 0.7: half of what may be taken.
    found = forecast(plan(load={}), replace(VOLUME, peak=142.0), result().climb, ())
    under_way = {step.percent: (round(step.in_flight, 3), step.instances) for step in found.steps}
    assert under_way == {5: (0.142, 1), 50: (1.42, 2), 100: (2.84, 3)}
    assert (
        forecast(plan(load={"instances": 2}), replace(VOLUME, peak=142.0), result().climb, ())
        .steps[-1]
        .instances
        == 5
    )


def test_without_a_rate_that_was_kept_no_number_of_servers_is_told():
    failed = Climb(BROKEN, (BROKEN,), None, 130.0)
    assert [step.instances for step in forecast(plan(load={}), VOLUME, failed, ()).steps] == [None] * 3


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n + 1))))
def test_the_bounds_of_a_rate_are_clopper_and_pearsons(seen):
    events, n = seen
    exact = binomtest(events, n).proportion_ci(0.95, method="exact")
    assert Failures("faulty", events, n, "test").bounds == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_a_rate_of_nothing_is_no_rate():
    with pytest.raises(EvidenceError, match="make no rate"):
        Failures("faulty", 0, 0, "test")


@pytest.mark.parametrize(("can_handle", "enough"), [(2_000, True), (1_000, None), (400, False)])
def test_m25_failures_a_day_are_held_against_what_people_can_handle(can_handle, enough):
    day = per_day([Failures("no usable answer", 10, 1_000, "load test")], 100_000)
    assert day.expected == 1_000
    assert people_verdict(day, can_handle) is enough
    asked = plan(load={"failures_per_day": can_handle})
    verdict = result(kinds=(Failures("no usable answer", 10, 1_000, "load test"),)).verdict(asked)
    assert verdict.passed is enough
    if enough is False:  # 500 or so at 50 %, which people still may handle
        assert "failures a day forecast at 100 %" in verdict.reason


def test_what_was_not_counted_is_not_taken_for_zero():
    verdict = result().verdict(plan(load={"failures_per_day": 5}))
    assert verdict.passed is None
    assert "cannot be forecast" in verdict.reason


def test_the_busiest_hour_is_the_pilots_volume_unless_the_plan_says_another():
    at = [AT + timedelta(hours=h) for h in (0, 1, 1, 1, 2, 2)]
    times = pa.chunked_array([pa.array(at, pa.timestamp("us", tz="UTC"))])
    assert volume_of(times, 2) == Volume(3.0, 3 / 3_600, "the busiest hour, 3 requests")
    assert volume_of(times, 2, 5.0) == Volume(3.0, 5.0, "the plan's `load.pilot`")
    assert volume_of(times.slice(0, 0), 2) is None


# ---------------------------------------------------------------- told and kept


def test_a_test_is_read_as_it_was_written_and_holds_no_number_that_json_cannot():
    made = result(kinds=(Failures("too unsure", 3, 900, "load test, 100/s"),))
    text = json.dumps(made.to_json(), allow_nan=False)
    assert Result.from_json(json.loads(text)) == made
    json.dumps(result_json(made, plan(load={})), allow_nan=False)


def test_the_page_stands_by_itself_and_escapes_what_servers_say():
    odd = replace(KEPT, faults={"<script>": 3})
    made = result(climb=Climb(odd, (odd, BROKEN), 100.0, 130.0), version="<b>2</b>")
    text = page(made, plan(load={}), AT)
    assert "saturates between 100/s and 130/s" in text
    assert "<script>" not in text
    assert "<b>2</b>" not in text
    assert "<svg" in text
    assert "http" not in text.replace("http-equiv", "")


# ---------------------------------------------------------------- the plan


SAME = {"kind": "http", "url": "http://127.0.0.1:8101", "model": "b", "version": "2"}


@pytest.mark.parametrize(
    ("rule", "changes", "path"),
    [
        (rules.a_load_test_takes_a_moment_and_holds_for_a_time, {"load": {"length": "1h"}}, "load.length"),
        (rules.a_load_test_takes_a_moment_and_holds_for_a_time, {"load": {"valid": "0s"}}, "load.valid"),
        (rules.a_late_answer_is_no_answer, {"load": {"latency": "2s"}}, "load.latency"),
        (rules.a_load_test_hits_nobody_but_the_candidate, {"load": {}, "candidate": SAME}, "candidate.url"),
    ],
)
def test_a_load_test_that_cannot_be_made_is_refused_in_the_plan(rule, changes, path):
    assert [finding.path for finding in rule(plan(**changes))] == [tuple(path.split("."))]
    assert not list(rule(plan(load={})))


def test_a_plan_without_a_load_test_keeps_the_hash_it_had():
    assert "load" not in plan().canonical()
    assert plan(load={}).canonical()["load"]["times"] == 10
