"""The plane's log becomes hourly sums."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from headgate.compare import copies, latency
from headgate.compare.traffic import traffic_rows
from headgate.compare.traffic_state import TrafficState
from headgate.evidence import Entry, LatencyPairSum, LatencySplitSum, RateSum, Source, SplitSum, TrafficSum
from headgate.ports import Mirrored, Served, Side
from tests.builders import APRIL, plan

HOUR = timedelta(hours=1)
SHADOW, FIVE, FULL = Entry(0, 0, 0, APRIL), Entry(1, 1, 500, APRIL), Entry(2, 2, 10_000, APRIL)
ENTRIES = {1: SHADOW, 2: FIVE, 3: FULL}
PLAN = plan(
    gates=[
        {"name": "errors", "metric": "error_rate", "ceiling": 0.01},
        {"name": "coverage", "metric": "coverage", "floor": 0.97},
        {"name": "fallbacks", "metric": "fallback_rate", "ceiling": 0.01},
        {"name": "rejects", "metric": "reject_rate", "ceiling": 0.01},
        {"name": "mirror", "metric": "latency", "quantile": 0.95, "ratio": 1.5, "applies": "shadow"},
        {
            "name": "latency", "metric": "latency", "quantile": 0.95, "ratio": 1.5, "tolerate": 1.2,
            "applies": "split",
        },
    ]
)  # fmt: skip
INC, CAND = Side.INCUMBENT, Side.CANDIDATE


def served(request_id="r", *, generation=2, assigned=CAND, by=..., status=200, ms=10.0, **more):
    line = Served(
        request_id,
        f"of-{request_id}",
        APRIL,
        assigned,
        assigned if by is ... else by,
        status,
        ms,
        "x-1",
        generation,
    )
    return replace(line, **more)


def fold(lines=(), mirrored=(), state=None, *, the_plan=PLAN, not_before=APRIL, entries=ENTRIES, **more):
    return traffic_rows(the_plan, lines, mirrored, entries, state or TrafficState(), not_before, "0", **more)


def sums(lines=(), mirrored=(), state=None, **more):
    rows, *_ = fold(lines, mirrored, state, **more)
    return {(row.gate, row.batch, row.entry): row.sums for row in judged(rows)}


def judged(rows):
    """Return the rows that a gate asks for; what is only told has a test of its own."""
    return [row for row in rows if row.gate != "traffic"]


@pytest.fixture
def frozen(monkeypatch):
    """A state whose taus are frozen at 100 ms for both latency gates, by ten requests."""
    monkeypatch.setattr(latency, "needed", lambda _quantile: 10)
    lines = [served(f"f{i}", generation=1, assigned=INC, ms=float(10 * (i + 1))) for i in range(10)]
    rows, state, _ = fold(lines)
    assert [row.sums for row in rows] == [TrafficSum(n1=0, n0=10, fallbacks=0, failed=0)]
    assert dict(state.reference.taus) == {"mirror": 100.0, "latency": 100.0}
    return TrafficState(reference=state.reference)


def test_failures_of_candidate_assigned_requests_are_counted_whoever_answered_in_the_end():
    lines = [
        served("good"),
        served("fell-back", by=INC),
        served("nobody", by=None, status=0),
        served("broken", status=500),
        served("refused", status=422),
        served("incumbents-own", assigned=INC, status=500),
    ]
    found = sums(lines)
    assert found["errors", APRIL, 1] == RateSum(n=5, x=3)
    assert found["coverage", APRIL, 1] == RateSum(n=5, x=4)  # a refusal is an answer, but covers nobody
    assert found["fallbacks", APRIL, 1] == RateSum(n=5, x=1)
    assert found["rejects", APRIL, 1] == RateSum(n=5, x=1)


def test_what_the_incumbent_refuses_after_a_fallback_is_the_candidates_failure_not_its_refusal():
    found = sums([served("fell-back", by=INC, status=422), served("fell-hard", by=INC, status=503)])
    assert found["fallbacks", APRIL, 1] == RateSum(n=2, x=2)
    assert found["errors", APRIL, 1] == found["coverage", APRIL, 1] == RateSum(n=2, x=2)
    assert found["rejects", APRIL, 1] == RateSum(n=2, x=0)


def test_nothing_is_counted_for_the_candidate_at_share_0_and_all_of_it_at_100():
    assert sums([served("a", generation=1, assigned=INC)]) == {}
    assert sums([served("a", generation=3)]) == {
        (gate, APRIL, 2): RateSum(1, 0) for gate in ("errors", "coverage", "fallbacks", "rejects")
    }


def test_what_callers_got_is_told_per_hour_and_stay():
    rows, *_ = fold(
        [served("a"), served("b", by=INC), served("c", assigned=INC), served("d", by=None, status=503)]
    )
    assert [row.sums for row in rows if row.gate == "traffic"] == [
        TrafficSum(n1=3, n0=1, fallbacks=1, failed=1)
    ]


def test_distinct_entities_are_counted_once_per_entry_and_handed_to_the_store():
    lines = [served("a"), served("a"), served("b", assigned=INC), served("c")]
    rows, state, new = fold(lines)
    assert {row.gate: row.sums for row in rows}["split"] == SplitSum(n1=2, n0=1)
    assert new == {1: {"of-a": CAND, "of-b": INC, "of-c": CAND}}
    later, _, new = fold([served("a"), served("d")], state=state)
    assert {row.gate: row.sums for row in later}["split"] == SplitSum(n1=1, n0=0)
    assert new == {1: {"of-d": CAND}}
    stored = TrafficState.from_json(
        json.loads(json.dumps(state.to_json())), seen={1: ["of-a", "of-b", "of-c"]}
    )
    assert stored == state
    again = replace(FIVE, entry=7)
    assert fold([served("a")], state=state, entries={2: again})[2] == {7: {"of-a": CAND}}


def test_lines_of_an_unknown_generation_or_another_rollout_are_counted_and_never_used():
    rows, state, new = fold([served("a", generation=99), served("b", rollout="other-1")], rollout="x-1")
    assert (rows, new) == ([], {})
    assert state.counts == {"unknown_generation": 1, "other_rollout": 1}
    _, state, _ = fold([served("c", generation=99)], state=state)
    assert state.counts["unknown_generation"] == 2


def test_a_line_that_comes_late_counts_in_the_first_open_hour():
    lines = [
        served("a", at=APRIL - 5 * HOUR),
        served("b", at=APRIL + HOUR / 2),
        served("c", at=APRIL + 2 * HOUR),
    ]
    found = sums(lines, not_before=APRIL + HOUR / 2)
    assert found["errors", APRIL, 1].n == 2
    assert found["errors", APRIL + 2 * HOUR, 1].n == 1


def test_the_reference_needs_its_number_of_requests_and_they_are_not_judged():
    lines = [served(f"r{i}", generation=2, assigned=INC, ms=float(i)) for i in range(2_000)]
    rows, state, _ = fold(lines)
    assert state.reference.taus == {"mirror": 1899.0, "latency": 1899.0}  # 5 % lie strictly above
    assert state.reference.gathered == ()
    assert "latency" not in {row.gate for row in rows}
    rows, _, _ = fold([served("next", assigned=INC, ms=1900.0)], state=state)
    assert {row.gate: row.sums for row in rows}["latency"] == LatencySplitSum(0, 1, 0, 0, 1)
    assert fold(lines[:1_999])[1].reference.taus == {}


@pytest.mark.parametrize(
    "line",
    [
        served("a", assigned=CAND, by=INC),
        served("a", assigned=INC, status=503),
        served("a", assigned=INC, by=None, status=0),
        served("a", assigned=CAND),
    ],
)
def test_only_answers_of_the_incumbent_to_its_own_requests_make_the_reference(line):
    assert fold([line])[1].reference.gathered == ()


def test_split_latency_holds_each_side_against_its_own_limit(frozen):
    lines = [
        served("a", ms=100.0),
        served("b", ms=121.0),
        served("c", ms=151.0),
        served("d", ms=1.0, by=None, status=503),
        served("e", assigned=INC, ms=100.0),
        served("f", assigned=INC, ms=101.0),
    ]
    found = sums(lines, state=frozen)
    # c is too slow for both; b only to be fine; d has no answer: never fast enough to advance
    assert found["latency", APRIL, 1] == LatencySplitSum(n1=4, n0=2, c_adv=2, c_rb=2, i_tau=1)
    assert not any(key[0] == "mirror" for key in found)


def test_at_full_traffic_there_is_nobody_to_compare_latency_with(frozen):
    assert ("latency", APRIL, 2) not in sums([served("a", generation=3)], state=frozen)


def test_mirrored_copies_are_paired_with_their_live_request(frozen):
    live = [
        served("fast-slow", generation=1, assigned=INC, ms=50.0),
        served("slow-fast", generation=1, assigned=INC, ms=101.0),
        served("both-slow", generation=1, assigned=INC, ms=101.0),
        served("between", generation=1, assigned=INC, ms=50.0),
        served("dead-copy", generation=1, assigned=INC, ms=50.0),
    ]
    mirrored = [
        Mirrored("fast-slow", APRIL, 200, 151.0),
        Mirrored("slow-fast", APRIL, 200, 90.0),
        Mirrored("both-slow", APRIL, 200, 151.0),
        Mirrored("between", APRIL, 200, 120.0),
        Mirrored("dead-copy", APRIL, 503, 1.0),
    ]
    rows, state, _ = fold(live, mirrored, frozen)
    (row,) = judged(rows)
    assert (row.gate, row.source, row.share_bp) == ("mirror", Source.MIRROR, 0)
    assert row.sums == LatencyPairSum(n=5, adv_c=2, adv_i=1, rb_c=2, rb_i=1)
    assert state.copies == copies.Copies()


def test_halves_wait_for_each_other_over_chunks_in_either_order(frozen):
    live, copy = served("a", generation=1, assigned=INC, ms=50.0), Mirrored("a", APRIL, 200, 200.0)
    for first, second in ((([live], []), ([], [copy])), (([], [copy]), ([live], []))):
        rows, state, _ = fold(*first, frozen)
        assert judged(rows) == []
        state = TrafficState.from_json(json.loads(json.dumps(state.to_json())))
        rows, state, _ = fold(*second, state, not_before=APRIL + HOUR)
        assert [(row.batch, row.sums) for row in judged(rows)] == [
            (APRIL + HOUR, LatencyPairSum(1, 1, 0, 1, 0))
        ]
        assert state.copies == copies.Copies()


def test_halves_that_never_meet_are_given_up_by_age_and_by_number_and_counted(frozen, monkeypatch):
    old = served("old", generation=1, assigned=INC)
    new = [served(f"n{i}", generation=1, assigned=INC, at=APRIL + copies.LONGEST + HOUR) for i in range(3)]
    _, state, _ = fold([old, *new], [Mirrored("stranger", APRIL, 200, 1.0)], frozen)
    assert [request_id for request_id, _ in state.copies.live] == ["n0", "n1", "n2"]
    assert state.counts == {"unmatched_live": 1, "unmatched_mirrored": 1}
    monkeypatch.setattr(copies, "MOST", 2)
    _, state, _ = fold([], [], state)
    assert [request_id for request_id, _ in state.copies.live] == ["n1", "n2"]
    assert state.counts["unmatched_live"] == 2


def test_a_plan_without_a_mirror_gate_keeps_no_copies():
    no_mirror = plan(gates=[{"name": "errors", "metric": "error_rate", "ceiling": 0.01}])
    live, copy = served("a", generation=1, assigned=INC), Mirrored("b", APRIL, 200, 1.0)
    assert fold([live], [copy], the_plan=no_mirror)[1] == TrafficState()


def test_p99_needs_twenty_thousand():
    assert (latency.needed(0.5), latency.needed(0.95), latency.needed(0.99)) == (2_000, 2_000, 20_000)
