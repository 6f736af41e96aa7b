"""Servers that break and planes that are off the record, under a rollout that is under way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.responses import Response

from flows.advance import advance
from flows.buttons import rollback
from headgate.adapters import store
from headgate.errors import PlaneUnavailable
from headgate.evidence import BlockSum, RateSum, Source
from headgate.rollout.state import Move, Outcome, Phase, Verb, Waiting
from tasks.traffic import set_share
from tasks.verbs import press
from tests.scenarios.small import HOUR, better, out_of_range
from tests.scenarios.world import SERVICE

pytestmark = [pytest.mark.prefect]
OPERATOR = "operator@example.org"


# ---------------------------------------------------------------- broken servers


def error_500(server):
    server.fault = lambda _call: Response(status_code=500)


def garbage(server):
    server.fault = lambda call: Response(b"<html>it works!</html>") if call >= 0 else None


def nonsense(server):
    server.answer = out_of_range


@pytest.mark.parametrize(
    ("breaks", "counted"),
    [(error_500, "error"), (garbage, "invalid"), (nonsense, "invalid")],
)
def test_a_candidate_that_breaks_in_shadow_is_counted_and_rolled_back_by_its_errors(story, breaks, counted):
    small = story("shadow")
    breaks(small.candidate)
    _is_counted_and_rolled_back(small, counted, good_windows=1)


def test_a_candidate_that_hangs_in_shadow_is_counted_and_rolled_back_by_its_errors(small):
    small.open(serving=small.body()["serving"] | {"timeout": "100ms"})
    small.tick()
    small.candidate.delay = 0.5
    _is_counted_and_rolled_back(small, "timeout", good_windows=0)


def _is_counted_and_rolled_back(small, counted, good_windows):
    last = small.until(Phase.DONE, hours=8)
    broken = [window.counts for window in store.windows(small.engine, small.rollout)[good_windows:]]
    assert all((c[f"candidate_{counted}"], c["incumbent_ok"]) == (24, 24) for c in broken)
    assert sum(_rates(small, Source.SHADOW)) == 24 * len(broken)
    assert (last.state.phase, last.state.outcome) == (Phase.DONE, Outcome.ROLLED_BACK)
    assert last.decision.reason.startswith("guardrail errors failed")
    # The broken window says nothing about quality: there are no pairs in it.
    blocks = [r.sums for r in small.evidence() if isinstance(r.sums, BlockSum) and r.segment is None]
    assert all(block.pairs == 24 for block in blocks)


def _rates(small, source):
    """Errors of the candidate, hour by hour."""
    return [
        row.sums.x
        for row in small.evidence()
        if row.gate == "errors" and isinstance(row.sums, RateSum) and row.source is source
    ]


def test_a_short_outage_is_ridden_out_by_retries_and_leaves_no_trace(story):
    """M8."""
    small = story("shadow")
    calls = iter([500, 503])
    small.candidate.fault = lambda _call: Response(status_code=s) if (s := next(calls, 0)) else None
    last = small.after(4)
    assert next(calls, None) is None
    counts = store.windows(small.engine, small.rollout)[-1].counts
    assert counts["candidate_ok"] == counts["read"] == 24
    assert (last.state.phase, last.decision.move) == (Phase.SHADOW, Move.HOLD)


def test_one_bad_answer_among_many_is_counted_and_rolls_nothing_back(story):
    small = story("shadow")
    small.candidate.answer = lambda columns: [None, *better(columns)[1:]]
    small.after(4)
    small.candidate.answer = better
    last = small.after(8)
    counts = store.windows(small.engine, small.rollout)[1].counts
    assert (counts["candidate_ok"], counts["candidate_invalid"]) == (23, 1)
    broken = [r.sums for r in small.evidence() if isinstance(r.sums, BlockSum) and r.segment is None][1]
    assert (broken.pairs, broken.unpaired) == (23, 1)
    assert last.state.phase is Phase.SHADOW


def test_a_candidate_that_dies_under_live_traffic_costs_no_caller_an_answer_and_is_rolled_back(story):
    """M8, M10."""
    small = story("ramp")
    small.candidate_up = False
    error_500(small.candidate)
    last = small.until(Move.ROLL_BACK, hours=6)
    assert last.decision.reason.startswith("guardrail errors failed")
    served = small.plane.read_log({}).served
    fallbacks = sum(line.served is not line.assigned for line in served)
    assert sum(_rates(small, Source.PLANE)) == fallbacks > 10
    assert all(line.status == 200 for line in served)
    assert small.plane.observe().share_bp == 0
    small.now += HOUR
    assert small.tick().state.outcome is Outcome.ROLLED_BACK


def test_without_the_incumbent_nothing_is_scored_and_nothing_moves(story):
    small = story("asked")
    small.approve()
    error_500(small.incumbent)
    last = small.tick()
    assert last.decision.move is Move.HOLD
    assert "the incumbent's server does not say its version" in last.decision.reason
    small.incumbent.fault = lambda _call: None
    assert small.tick().decision.move is Move.ADVANCE


# ---------------------------------------------------------------- the plane


@pytest.mark.parametrize(("found", "put"), [(3000, 1000), (400, 400)])
def test_a_plane_off_the_record_gets_the_lower_share_an_incident_and_waits_for_an_operator(story, found, put):
    """Law 12."""
    small = story("ramp")
    small.plane._held = replace(small.plane._held, share_bp=found)
    last = small.tick()
    assert last.decision.move is Move.PAUSE
    assert last.decision.waiting_for == (Waiting.OPERATOR,)
    assert (last.state.share_bp, small.plane.observe().share_bp) == (put, put)
    incidents = store.incidents(small.engine, small.rollout)
    assert [incident.kind for incident in incidents] == ["plane disagrees"]
    assert f"{found} basis points" in incidents[0].text

    assert small.after(18).decision.move is Move.HOLD
    assert small.plane.observe().share_bp == put
    press(SERVICE, Verb.RESUME, OPERATOR, "somebody edited the file by hand", small.now)
    resumed = small.tick().state
    # On from the highest step at or below what was in force: nobody gets more traffic by a resume.
    assert (resumed.paused, resumed.share_bp) == (None, 1000 if put == 1000 else 0)
    assert len(store.incidents(small.engine, small.rollout)) == 1


def test_an_older_write_on_the_plane_is_put_in_force_again_without_an_incident(story):
    """Law 12: a generation older than the record is an unfinished write."""
    small = story("ramp")
    held = small.plane._held
    small.plane._held = replace(held, share_bp=0, mirror=True, generation=held.generation - 1)
    last = small.tick()
    assert last.decision.waiting_for == (Waiting.TRAFFIC,)
    assert small.plane.observe().share_bp == 1000
    assert store.incidents(small.engine, small.rollout) == []


def test_while_the_plane_cannot_be_reached_nothing_goes_up(story, monkeypatch):
    """The run fails, so that people see it, after its tick held and was written down."""
    small = story("asked")
    small.approve()
    _at_once(monkeypatch)
    small.plane.reachable = False
    with pytest.raises(PlaneUnavailable, match="switched off"):
        advance(SERVICE, now=small.now)
    last = small.last()
    assert (last.decision.move, last.decision.waiting_for) == (Move.HOLD, (Waiting.TRAFFIC,))
    assert last.decision.reason == "the plane cannot be reached"
    small.plane.reachable = True
    small.now += timedelta(minutes=1)
    assert small.tick().decision.move is Move.ADVANCE


def test_a_rollback_ordered_while_the_plane_cannot_be_reached_is_in_force_as_soon_as_it_can(
    story, monkeypatch
):
    """Law 3."""
    small = story("ramp")
    _at_once(monkeypatch)
    small.plane.reachable = False
    with pytest.raises(PlaneUnavailable):
        rollback(SERVICE, "complaints", OPERATOR, now=small.now)
    assert (small.last().state.phase, small.last().state.share_bp) == (Phase.ROLLING_BACK, 0)
    with pytest.raises(PlaneUnavailable):
        advance(SERVICE, now=small.now)
    assert small.last().state.phase is Phase.ROLLING_BACK  # not over before the plane itself says so
    small.plane.reachable = True
    small.tick()
    assert small.shares[-1] == 0
    assert small.tick().state.outcome is Outcome.ROLLED_BACK


def test_preflight_waits_for_a_plane_that_cannot_be_reached_and_rejects_nobody(small):
    small.open()
    small.plane.reachable = False
    advance(SERVICE, now=small.now)
    last = small.last()
    assert (last.state.phase, last.decision.move) == (Phase.PREFLIGHT, Move.HOLD)
    assert "plane waits: asked the in-process plane; found it switched off" in last.decision.reason
    small.plane.reachable = True
    assert small.tick().state.phase is Phase.SHADOW


def _at_once(monkeypatch):
    """Retry as often as ever, without the waits in between."""
    monkeypatch.setattr(set_share, "retry_delay_seconds", 0)
