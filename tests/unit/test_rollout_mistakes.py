"""Mistakes that others made, by the names lifecycle.md gives them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.rollout.state import Move, Outcome, Phase, PlaneView, Verb, Waiting
from headgate.verdicts import Role, Verdict
from tests.builders import APRIL, plan
from tests.rollouts import DAY, HOUR, answer, asked, card, order, paused, row, state, tick, world

EMPTY = card(row("quality", Verdict.NO_DATA), row("errors", Verdict.NO_DATA), matured_through=None)


@pytest.mark.parametrize("verb", [Verb.ABORT, Verb.ROLLBACK, None])
@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.RAMP, Phase.WATCH])
def test_stopping_before_the_first_measurement_is_not_success(phase, verb):
    before = state(phase)
    orders = (order(verb),) if verb else ()
    _, after = tick(before, world(before, APRIL + 200 * DAY, scorecard=EMPTY, orders=orders))
    assert after.outcome in (Outcome.ABORTED, Outcome.ROLLED_BACK, Outcome.EXPIRED)
    assert after.share_bp == 0


def test_fail_and_inconclusive_together_are_a_failure_and_not_inconclusive():
    before = state(step=2)
    rows = (row("errors", Verdict.INCONCLUSIVE), row("quality", Verdict.FAIL), row("latency", Verdict.ERROR))
    decision, _ = tick(before, world(before, scorecard=card(*rows)))
    assert decision.move is Move.ROLL_BACK
    assert "quality" in decision.reason


def test_siblings_of_a_failed_metric_do_not_make_a_success():
    before = state(Phase.WATCH)
    rows = (row("quality"), row("errors", Verdict.FAIL), row("latency"))
    decision, after = tick(before, world(before, APRIL + 50 * DAY, scorecard=card(*rows, failed="errors")))
    assert (decision.move, after.outcome) == (Move.ROLL_BACK, Outcome.ROLLED_BACK)


def test_an_abort_is_not_ignored_at_full_traffic_with_everything_passing():
    for before in (state(step=3), state(Phase.WATCH)):
        _, after = tick(before, world(before, orders=(order(Verb.ABORT),)))
        assert (after.phase, after.outcome, after.share_bp) == (Phase.ROLLING_BACK, Outcome.ABORTED, 0)


def test_an_unhealthy_incumbent_holds_the_climb_but_never_the_way_back():
    before = state(step=2)
    sick = {"versions": (None, "gbm-2")}
    assert tick(before, world(before, **sick))[0].move is Move.HOLD
    for harm in (
        {"orders": (order(Verb.ABORT),)},
        {"orders": (order(Verb.ROLLBACK),)},
        {"scorecard": card(failed="quality")},
        {"versions": (None, "gbm-3")},
        {"now": APRIL + 120 * DAY},
    ):
        assert tick(before, world(before, **(sick | harm)))[1].phase is Phase.ROLLING_BACK


def test_no_share_moves_before_the_endpoints_are_ready():
    for before in (state(Phase.PREFLIGHT), state(step=2)):
        for versions in ((None, None), ("logistic-1", None), (None, "gbm-2")):
            decision, after = tick(before, world(before, versions=versions))
            assert (decision.move, after.share_bp) == (Move.HOLD, before.share_bp)


def test_the_end_of_the_steps_is_no_moment_at_full_traffic_without_gates():
    before = state(step=3)
    decision, after = tick(before, world(before, scorecard=EMPTY))
    assert decision.move is Move.HOLD
    _, watch = tick(before, world(before))
    assert watch.phase is Phase.WATCH
    decision, after = tick(watch, world(watch, APRIL + 50 * DAY, scorecard=EMPTY))
    assert (decision.move, after.phase) == (Move.HOLD, Phase.WATCH)


def test_a_group_with_no_data_does_not_score_full_marks():
    before = state(step=2)
    rows = (row("quality"), row("quality", Verdict.NO_DATA, segment="origin=LGA"), row("errors"))
    decision, _ = tick(before, world(before, scorecard=card(*rows)))
    assert decision.waiting_for == (Waiting.SAMPLES,)
    assert decision.reasons == ("why of quality[origin=LGA]",)


def test_an_approval_given_before_the_evidence_changed_does_not_count():
    bare = state(Phase.SHADOW)
    before = asked(bare, world(bare))
    yes = answer(before.asked)
    other = card(row("quality"), row("errors"), row("latency"))
    decision, after = tick(before, world(before, scorecard=other, approvals=(yes,)))
    assert decision.move is Move.ASK
    assert after.attempt == 2
    assert tick(after, world(after, scorecard=other, approvals=(yes,)))[0].move is Move.HOLD


def test_an_approval_is_used_once_and_not_again_after_stepping_back():
    cautious = plan(on_fail="step_back")
    bare = state(Phase.SHADOW)
    before = asked(bare, world(bare))
    yes = (answer(before.asked, plan_hash=cautious.hash),)
    _, up = tick(before, world(before, approvals=yes), cautious)
    assert up.share_bp == 500
    _, down = tick(up, world(up, scorecard=card(failed="errors"), approvals=yes), cautious)
    assert down.phase is Phase.SHADOW
    again = APRIL + 11 * DAY
    seen = world(down, APRIL + 20 * DAY, confirmed_at=again, approvals=yes)
    decision, after = tick(down, seen, cautious)
    assert decision.move is Move.ASK
    assert after.attempt == 2


def test_a_resume_is_not_read_as_a_yes():
    bare = state(Phase.SHADOW)
    before = asked(bare, world(bare))
    for paused_or_not in (before, replace(before, paused=paused())):
        decision, after = tick(paused_or_not, world(paused_or_not, orders=(order(Verb.RESUME),)))
        assert decision.move is Move.HOLD
        assert after.step == 0


def test_too_few_samples_are_not_silently_ignored():
    before = state(step=2)
    rows = (row("quality", Verdict.INCONCLUSIVE, needed=21), row("errors"))
    decision, _ = tick(before, world(before, scorecard=card(*rows)))
    assert decision.move is Move.HOLD
    assert decision.reasons == ("why of quality",)


def test_an_inconclusive_result_is_not_shipped_because_time_is_up():
    rows = (row("quality", Verdict.INCONCLUSIVE), row("errors"))
    for phase in (Phase.SHADOW, Phase.RAMP, Phase.WATCH):
        before = state(phase)
        _, after = tick(before, world(before, APRIL + 60 * DAY, scorecard=card(*rows)))
        assert (after.outcome, after.share_bp) == (Outcome.EXPIRED, 0)


def test_evidence_that_passes_only_after_the_deadline_does_not_promote():
    before = state(Phase.WATCH)
    _, after = tick(before, world(before, APRIL + 60 * DAY))
    assert after.outcome is Outcome.EXPIRED


def test_a_report_gate_that_passes_is_no_guardrail():
    before = state(step=2)
    decision, _ = tick(before, world(before, scorecard=card(row("quality", role=Role.REPORT))))
    assert decision.waiting_for == (Waiting.SAMPLES,)


def test_a_plane_that_cannot_be_reached_does_not_stop_a_rollback_from_being_decided():
    before = state(step=2)
    seen = world(
        before,
        plane=PlaneView.UNREACHABLE,
        observed_share_bp=None,
        observed_generation=None,
        versions=(None, None),
        scorecard=card(failed="errors"),
    )
    _, after = tick(before, seen)
    assert (after.phase, after.share_bp) == (Phase.ROLLING_BACK, 0)


def test_downtime_skips_neither_dwell_nor_approval_nor_step():
    before = state(Phase.SHADOW)
    decision, after = tick(before, world(before, APRIL + 55 * DAY))
    assert decision.move is Move.ASK
    bare = state(step=1)
    _, after = tick(bare, world(bare, APRIL + 55 * DAY))
    assert after.step == 2
    assert tick(after, world(after, APRIL + 55 * DAY + HOUR))[0].move is Move.HOLD
