"""Each rule of a tick, in the order in which they win."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.rollout import RULES
from headgate.rollout.state import Answer, Check, Move, Outcome, Phase, PlaneView, Verb, Waiting
from headgate.verdicts import Role, Verdict
from tests.builders import APRIL, plan
from tests.rollouts import DAY, HOUR, PLAN, answer, asked, card, ends, order, paused, row, state, tick, world

LIVE = [Phase.SHADOW, Phase.RAMP, Phase.WATCH]
WEEKDAYS = plan(calendar={"timezone": "UTC", "advance": "mon-thu 09:00-16:00"})
THURSDAY_MORNING = APRIL + 10 * DAY + 10 * HOUR
FRIDAY_NOON = APRIL + 11 * DAY + 12 * HOUR


def test_the_rules_are_named_as_sentences_and_the_worst_come_first():
    names = [rule.__name__ for rule in RULES]
    assert names.index("an_abort_beats_everything") < names.index("a_failed_guardrail_is_acted_on")
    assert names.index("a_failed_guardrail_is_acted_on") < names.index("what_must_be_looked_into_pauses_it")
    assert names.index("what_must_be_looked_into_pauses_it") < names.index("a_deadline_expires_it")
    assert names[-1] == "nothing_is_missing"


@pytest.mark.parametrize("phase", [Phase.PREFLIGHT, *LIVE, Phase.ROLLING_BACK])
def test_without_the_lease_nothing_moves_whatever_is_ordered(phase):
    before = state(phase, outcome=Outcome.EXPIRED if phase is Phase.ROLLING_BACK else None)
    seen = world(before, lease=False, orders=(order(Verb.ABORT),), scorecard=card(failed="quality"))
    decision, after = tick(before, seen)
    assert (decision.move, decision.waiting_for) == (Move.HOLD, (Waiting.OPERATOR,))
    assert replace(after, waiting_for=()) == before


def test_done_stays_done():
    before = state(Phase.DONE, outcome=Outcome.PROMOTED, share_bp=10_000, versions=None)
    seen = world(before, orders=(order(Verb.ABORT),), scorecard=card(failed="quality"))
    decision, after = tick(before, seen)
    assert decision.move is Move.HOLD
    assert decision.due is None
    assert after == before
    assert "had no effect" in decision.reason


def test_an_undo_rolls_a_promotion_back_until_the_plane_itself_reports_zero():
    promoted = state(Phase.DONE, outcome=Outcome.PROMOTED, share_bp=10_000, step=3, generation=5)
    decision, after = tick(promoted, world(promoted, orders=(order(Verb.UNDO),)))
    assert (decision.move, decision.reasons) == (
        Move.ROLL_BACK,
        ("operator@example.org took the promotion back: saw it",),
    )
    assert ends(Phase.ROLLING_BACK, Outcome.ROLLED_BACK, after)
    assert (after.generation, after.confirmed_at) == (6, None)
    behind = world(after, plane=PlaneView.BEHIND, observed_share_bp=10_000)
    assert tick(after, behind)[0].move is Move.HOLD
    _, over = tick(after, world(after))
    assert ends(Phase.DONE, Outcome.ROLLED_BACK, over)


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.PROMOTED])
def test_only_a_promotion_can_be_taken_back(outcome):
    over = state(Phase.DONE, outcome=outcome)
    decision, after = tick(over, world(over, orders=(order(Verb.UNDO),)))
    assert (decision.move, after) == (Move.HOLD, over)
    assert "had no effect" in decision.reason


@pytest.mark.parametrize("phase", LIVE)
@pytest.mark.parametrize("passed", [None, False])
def test_a_live_rollout_whose_sign_off_does_not_stand_waits_for_people(phase, passed):
    before = state(phase)
    check = Check("sign-off risk", passed, "it expired on 2013-04-09")
    decision, after = tick(before, world(before, APRIL + 30 * DAY, checks=(check,)))
    assert (decision.move, decision.waiting_for[0]) == (Move.HOLD, Waiting.OPERATOR)
    assert decision.reasons[0] == "sign-off risk waits: it expired on 2013-04-09"
    assert after.share_bp == before.share_bp
    harm = world(before, checks=(check,), scorecard=card(failed="quality"))
    assert tick(before, harm)[0].move is Move.ROLL_BACK


def test_a_queued_rollout_waits_for_the_lease_and_then_is_checked():
    before = state(Phase.QUEUED)
    decision, _ = tick(before, world(before, lease=False))
    assert decision.move is Move.HOLD
    assert decision.due == APRIL + 120 * DAY
    _, after = tick(before, world(before))
    assert after.phase is Phase.PREFLIGHT


@pytest.mark.parametrize("lease", [True, False])
def test_a_queued_rollout_can_be_aborted(lease):
    before = state(Phase.QUEUED)
    _, after = tick(before, world(before, lease=lease, orders=(order(Verb.ABORT),)))
    assert ends(Phase.DONE, Outcome.ABORTED, after)


def test_any_failed_check_rejects_and_every_reason_is_listed():
    before = state(Phase.PREFLIGHT)
    checks = (Check("a", False, "no lake"), Check("b", None, "sign-off"), Check("c", False, "no labels"))
    decision, after = tick(before, world(before, checks=checks))
    assert decision.reasons == ("a: no lake", "c: no labels")
    assert ends(Phase.DONE, Outcome.REJECTED, after)


@pytest.mark.parametrize("checks", [(), (Check("a", True, ""), Check("b", None, "sign-off"))])
def test_a_check_that_waits_or_no_check_at_all_holds(checks):
    before = state(Phase.PREFLIGHT)
    decision, _ = tick(before, world(before, checks=checks))
    assert (decision.move, decision.waiting_for) == (Move.HOLD, (Waiting.OPERATOR,))


def test_preflight_freezes_both_versions_and_shadow_is_entry_zero():
    before = state(Phase.PREFLIGHT, generation=0)
    _, after = tick(before, world(before))
    assert (after.phase, after.entry, after.share_bp, after.generation) == (Phase.SHADOW, 0, 0, 1)
    assert after.versions == ("logistic-1", "gbm-2")
    assert after.mirror
    assert after.confirmed_at is None


@pytest.mark.parametrize(("phase", "share"), [(Phase.SHADOW, 0), (Phase.RAMP, 500), (Phase.WATCH, 10_000)])
def test_an_abort_ends_shadow_at_once_and_a_ramp_by_rolling_back(phase, share):
    before = state(phase)
    assert before.share_bp == share
    decision, after = tick(before, world(before, orders=(order(Verb.ABORT),)))
    assert decision.move is Move.ABORT
    assert ends(Phase.ROLLING_BACK if share else Phase.DONE, Outcome.ABORTED, after)


def test_share_0_that_the_plane_has_not_taken_yet_is_left_by_rolling_back():
    before = state(Phase.SHADOW, confirmed_at=None, entry=2, generation=9)
    seen = world(before, plane=PlaneView.BEHIND, observed_share_bp=500, orders=(order(Verb.ABORT),))
    _, after = tick(before, seen)
    assert ends(Phase.ROLLING_BACK, Outcome.ABORTED, after)


@pytest.mark.parametrize(
    ("view", "share", "move"),
    [
        (PlaneView.AGREES, 0, Move.FINISH),
        (PlaneView.AGREES, None, Move.HOLD),
        (PlaneView.BEHIND, 0, Move.HOLD),
        (PlaneView.DISAGREES, 0, Move.HOLD),
        (PlaneView.UNREACHABLE, None, Move.HOLD),
    ],
)
def test_rolling_back_is_over_when_the_plane_itself_says_so(view, share, move):
    before = state(Phase.ROLLING_BACK, 1, outcome=Outcome.EXPIRED, generation=3)
    decision, after = tick(before, world(before, plane=view, observed_share_bp=share))
    assert decision.move is move
    assert after.phase is (Phase.DONE if move is Move.FINISH else Phase.ROLLING_BACK)
    assert after.outcome is Outcome.EXPIRED
    assert move is Move.FINISH or decision.waiting_for == (Waiting.TRAFFIC,)


def test_rolling_back_overtakes_a_generation_that_somebody_else_wrote():
    before = state(Phase.ROLLING_BACK, 1, outcome=Outcome.EXPIRED, generation=3)
    seen = world(before, plane=PlaneView.DISAGREES, observed_share_bp=900, observed_generation=7)
    decision, after = tick(before, seen)
    assert decision.move is Move.ROLL_BACK
    assert (after.generation, after.phase, after.outcome) == (8, Phase.ROLLING_BACK, Outcome.EXPIRED)


@pytest.mark.parametrize("phase", LIVE)
def test_a_candidate_whose_version_changed_is_rolled_back(phase):
    before = state(phase)
    decision, after = tick(before, world(before, versions=("logistic-1", "gbm-3")))
    assert decision.move is Move.ROLL_BACK
    assert after.outcome is Outcome.ROLLED_BACK


def test_a_rollback_order_in_preflight_is_named_as_having_no_effect():
    before = state(Phase.PREFLIGHT)
    decision, _ = tick(before, world(before, orders=(order(Verb.ROLLBACK),)))
    assert decision.move is Move.ADVANCE
    assert "allowed now: abort" in decision.reason


def test_a_failed_guardrail_in_shadow_ends_the_rollout_at_once():
    before = state(Phase.SHADOW)
    _, after = tick(before, world(before, scorecard=card(failed="quality[origin=JFK]")))
    assert ends(Phase.DONE, Outcome.ROLLED_BACK, after)
    assert not after.mirror
    assert after.generation > before.generation


def test_a_failed_guardrail_is_acted_on_while_paused():
    before = state(Phase.RAMP, paused=paused())
    decision, after = tick(before, world(before, scorecard=card(failed="quality")))
    assert decision.move is Move.ROLL_BACK
    assert after.held_total == 5 * DAY


def test_step_back_goes_one_step_down_and_a_second_failure_rolls_back():
    cautious = plan(on_fail="step_back")
    before = state(Phase.RAMP, 2, reentries=1)
    bad = card(failed="errors")
    decision, after = tick(before, world(before, scorecard=bad), cautious)
    assert decision.move is Move.STEP_BACK
    assert (after.step, after.share_bp, after.step_backs, after.reentries) == (1, 500, 1, 2)
    assert (after.entry, after.confirmed_at, after.asked) == (before.entry + 1, None, None)
    decision, after = tick(after, world(after, scorecard=bad), cautious)
    assert decision.move is Move.ROLL_BACK


def test_step_back_from_the_first_step_is_shadow_and_from_shadow_the_end():
    cautious = plan(on_fail="step_back")
    before = state(Phase.RAMP, 1)
    _, after = tick(before, world(before, scorecard=card(failed="errors")), cautious)
    assert (after.phase, after.step, after.share_bp) == (Phase.SHADOW, 0, 0)
    before = state(Phase.SHADOW)
    _, after = tick(before, world(before, scorecard=card(failed="errors")), cautious)
    assert ends(Phase.DONE, Outcome.ROLLED_BACK, after)


def test_freeze_takes_the_share_and_waits_for_an_operator():
    frozen_plan = plan(on_fail="freeze")
    before = state(Phase.RAMP, 2)
    bad = card(failed="errors")
    decision, after = tick(before, world(before, scorecard=bad), frozen_plan)
    assert decision.move is Move.FREEZE
    assert (after.phase, after.step, after.share_bp, after.reentries) == (Phase.RAMP, 2, 0, 1)
    assert after.paused is not None
    again, still = tick(after, world(after, scorecard=bad, orders=(order(Verb.RESUME),)), frozen_plan)
    assert again.move is Move.HOLD
    assert "something stronger" in again.reason
    assert replace(still, waiting_for=(), confirmed_at=None) == replace(after, waiting_for=())
    resumed, low = tick(still, world(still, orders=(order(Verb.RESUME),)), frozen_plan)
    assert resumed.waiting_for == (Waiting.TRAFFIC,)
    assert (low.phase, low.step, low.share_bp, low.paused) == (Phase.SHADOW, 0, 0, None)


def test_a_plane_off_the_record_pauses_with_the_lower_share_in_force():
    before = state(Phase.RAMP, 2)
    seen = world(before, plane=PlaneView.DISAGREES, observed_share_bp=700, observed_generation=12)
    decision, after = tick(before, seen)
    assert (decision.move, decision.waiting_for) == (Move.PAUSE, (Waiting.OPERATOR,))
    assert (after.share_bp, after.generation, after.confirmed_at) == (700, 13, None)
    _, resumed = tick(after, world(after, orders=(order(Verb.RESUME),)))
    assert (resumed.phase, resumed.step, resumed.share_bp) == (Phase.RAMP, 1, 500)


def test_a_plane_found_above_the_record_is_written_back_to_the_record():
    before = state(Phase.RAMP, 1)
    _, after = tick(before, world(before, plane=PlaneView.DISAGREES, observed_share_bp=9_000))
    assert (after.share_bp, after.generation) == (500, before.generation + 1)


@pytest.mark.parametrize("view", [PlaneView.BEHIND, PlaneView.UNREACHABLE])
def test_a_plane_that_is_behind_or_gone_holds_for_traffic(view):
    before = state()
    decision, after = tick(before, world(before, plane=view))
    assert (decision.move, decision.waiting_for) == (Move.HOLD, (Waiting.TRAFFIC,))
    assert after.share_bp == before.share_bp


def test_a_wrong_split_pauses_and_a_resume_restarts_it_at_half_its_level():
    before = state(Phase.RAMP, 2)
    wrong = card(split_alarm=True)
    decision, after = tick(before, world(before, scorecard=wrong))
    assert (decision.move, decision.waiting_for) == (Move.PAUSE, (Waiting.SPLIT,))
    later = APRIL + 20 * DAY
    decision, resumed = tick(after, world(after, later, scorecard=wrong, orders=(order(Verb.RESUME),)))
    assert decision.move is Move.HOLD
    assert "split starts afresh at 0.5 of its error level" in decision.reason
    assert resumed.paused is None
    assert resumed.restarts == (("split", later, 0.5),)
    _, again = tick(resumed, world(resumed, later + DAY, scorecard=wrong))
    _, again = tick(again, world(again, later + 2 * DAY, orders=(order(Verb.RESUME),)))
    assert again.restarts == (("split", later + 2 * DAY, 0.25),)


def test_an_alarmed_signal_pauses_for_an_operator():
    before = state()
    decision, after = tick(before, world(before, scorecard=card(alarmed=("drift[origin=JFK]",))))
    assert decision.waiting_for == (Waiting.OPERATOR,)
    seen = world(after, scorecard=card(alarmed=("drift[origin=JFK]",)), orders=(order(Verb.RESUME),))
    assert tick(after, seen)[1].restarts == (("drift", seen.now, 0.5),)


def test_a_changed_incumbent_pauses_and_starts_fresh_evidence_even_when_paused():
    for before in (state(), state(paused=paused())):
        seen = world(before, versions=("logistic-2", "gbm-2"), orders=(order(Verb.RESUME),))
        decision, after = tick(before, seen)
        assert decision.move is Move.PAUSE
        assert (after.versions, after.fresh_since) == (("logistic-2", "gbm-2"), seen.now)
        assert after.reentries == 1
        assert tick(after, world(after, versions=("logistic-2", "gbm-2")))[0].move is Move.HOLD


def test_the_last_of_pause_and_resume_counts():
    before = state(step=2)
    both = (order(Verb.PAUSE, 1), order(Verb.RESUME, 2))
    assert tick(before, world(before, orders=both))[0].move is Move.ADVANCE
    turned = (order(Verb.RESUME, 1), order(Verb.PAUSE, 2))
    assert tick(before, world(before, orders=turned))[0].move is Move.PAUSE


@pytest.mark.parametrize(
    ("phase", "end"),
    [
        (Phase.QUEUED, Phase.DONE),
        (Phase.PREFLIGHT, Phase.DONE),
        (Phase.SHADOW, Phase.DONE),
        (Phase.RAMP, Phase.ROLLING_BACK),
        (Phase.WATCH, Phase.ROLLING_BACK),
    ],
)
def test_a_deadline_without_proof_expires_it(phase, end):
    before = state(phase)
    _, after = tick(before, world(before, APRIL + 120 * DAY))
    assert ends(end, Outcome.EXPIRED, after)


def test_a_deadline_names_the_gates_that_were_not_proved():
    before = state(Phase.SHADOW)
    seen = card(row("quality", Verdict.INCONCLUSIVE), row("errors"))
    decision, _ = tick(before, world(before, APRIL + 120 * DAY, scorecard=seen))
    assert decision.move is Move.EXPIRE
    assert decision.reasons[-1] == "not proved by then: quality"


def test_a_step_deadline_counts_in_live_phases_only():
    for phase, move in ((Phase.PREFLIGHT, Move.ADVANCE), (Phase.RAMP, Move.EXPIRE)):
        before = state(phase)
        assert tick(before, world(before, APRIL + 60 * DAY))[0].move is move


def test_a_share_that_is_not_confirmed_is_waited_for():
    before = state(confirmed_at=None)
    assert tick(before, world(before))[0].waiting_for == (Waiting.TRAFFIC,)
    _, after = tick(before, world(before, confirmed_at=APRIL + 9 * DAY + HOUR))
    assert after.confirmed_at == APRIL + 9 * DAY + HOUR


@pytest.mark.parametrize("versions", [(None, "gbm-2"), ("logistic-1", None), (None, None)])
def test_a_server_that_says_no_version_never_lets_it_advance(versions):
    for before in (state(), state(Phase.PREFLIGHT), state(Phase.WATCH)):
        decision, _ = tick(before, world(before, APRIL + 50 * DAY, versions=versions))
        assert (decision.move, decision.waiting_for) == (Move.HOLD, (Waiting.OPERATOR,))


def test_missing_evidence_says_which_gates_and_how_much_more():
    before = state(step=2)
    rows = (row("quality", Verdict.INCONCLUSIVE, needed=9), row("errors"))
    decision, _ = tick(before, world(before, APRIL + HOUR, scorecard=card(*rows)))
    assert decision.waiting_for == (Waiting.SAMPLES, Waiting.DWELL)
    assert "why of quality" in decision.reason
    assert "why of errors" not in decision.reason
    assert decision.due == APRIL + DAY


def test_labels_of_every_block_that_ended_within_the_dwell_must_be_in():
    before = state(step=2, confirmed_at=APRIL + 6 * HOUR)  # dwell ends on 2 April at 06:00
    now = APRIL + DAY + 7 * HOUR
    decision, _ = tick(before, world(before, now, scorecard=card(matured_through=APRIL)))
    assert (decision.waiting_for, decision.due) == ((Waiting.LABELS,), APRIL + 3 * DAY)
    decision, _ = tick(before, world(before, now, scorecard=card(matured_through=None)))
    assert decision.waiting_for == (Waiting.LABELS,)
    decision, _ = tick(before, world(before, now, scorecard=card(matured_through=APRIL + DAY)))
    assert decision.move is Move.ADVANCE


def test_the_watch_needs_the_labels_of_its_last_block_too():
    before = state(Phase.WATCH, confirmed_at=APRIL + 6 * HOUR)  # the watch ends on 3 April at 06:00
    now = APRIL + 4 * DAY
    decision, _ = tick(before, world(before, now, scorecard=card(matured_through=APRIL + 2 * DAY)))
    assert (decision.waiting_for, decision.due) == ((Waiting.LABELS,), APRIL + 5 * DAY)
    decision, _ = tick(before, world(before, now, scorecard=card(matured_through=APRIL + 3 * DAY)))
    assert (decision.move, decision.outcome) == (Move.FINISH, Outcome.PROMOTED)


def test_where_no_gate_needs_labels_none_are_waited_for():
    rates = plan(gates=[{"name": "errors", "metric": "error_rate", "ceiling": 0.01}])
    before = state(step=2, of=rates)
    seen = world(before, scorecard=card(row("errors"), matured_through=None))
    assert tick(before, seen, rates)[0].move is Move.ADVANCE


def test_without_blocks_the_labels_are_in_when_they_are_old_enough():
    single = plan(unit={"entity": "tailnum", "block": "none", "independent": True})
    before = state(step=2, of=single)
    young = world(before, APRIL + 2 * DAY, scorecard=card(matured_through=None))
    assert tick(before, young, single)[0].waiting_for == (Waiting.LABELS,)
    old = world(before, APRIL + 3 * DAY, scorecard=card(matured_through=None))
    assert tick(before, old, single)[0].move is Move.ADVANCE


def test_a_closed_calendar_holds_until_it_opens_and_nobody_is_asked_meanwhile():
    before = state(Phase.SHADOW)
    decision, _ = tick(before, world(before, FRIDAY_NOON), WEEKDAYS)
    assert (decision.move, decision.waiting_for) == (Move.HOLD, (Waiting.CALENDAR,))
    assert decision.due == APRIL + 14 * DAY + 9 * HOUR
    assert tick(before, world(before, THURSDAY_MORNING), WEEKDAYS)[0].move is Move.ASK


def test_the_calendar_binds_neither_the_watch_nor_promotion():
    before = state(step=3)
    assert tick(before, world(before, FRIDAY_NOON), WEEKDAYS)[1].phase is Phase.WATCH
    before = state(Phase.WATCH)
    assert tick(before, world(before, FRIDAY_NOON), WEEKDAYS)[0].move is Move.FINISH


def test_a_step_with_an_approval_is_asked_for_and_entered_when_it_comes():
    before = state(Phase.SHADOW)
    decision, waiting = tick(before, world(before))
    assert (decision.move, decision.waiting_for) == (Move.ASK, (Waiting.APPROVAL,))
    assert waiting.asked is not None
    assert (waiting.asked.step, waiting.asked.attempt, waiting.attempt) == (1, 1, 1)
    assert decision.due == waiting.asked.expires_at == APRIL + 13 * DAY
    later = APRIL + 11 * DAY
    decision, still = tick(waiting, world(waiting, later))
    assert (decision.move, decision.due) == (Move.HOLD, APRIL + 13 * DAY)
    decision, after = tick(still, world(still, later, approvals=(answer(waiting.asked),)))
    assert decision.move is Move.ADVANCE
    assert "approved by chief@example.org" in decision.reason
    assert (after.step, after.asked, after.attempt) == (1, None, 1)


def test_two_approvers_are_two_people_and_never_the_author():
    two = plan(
        steps=[{"percent": 0}, {"percent": 5, "approval": {"approvers": 2}}, {"percent": 100}],
    )
    bare = state(Phase.SHADOW, of=two)
    before = asked(bare, world(bare))
    assert before.asked is not None

    def move(*people):
        answers = tuple(answer(before.asked, by=by, plan_hash=two.hash) for by in people)
        return tick(before, world(before, approvals=answers), two)[0].move

    assert move("a@example.org", "A@example.org ") is Move.HOLD
    assert move("a@example.org", "ml-engineer@example.org") is Move.HOLD
    assert move("a@example.org", "b@example.org") is Move.ADVANCE


@pytest.mark.parametrize(
    "change",
    [
        {"plan_hash": "another plan"},
        {"digest": "other evidence"},
        {"attempt": 2},
        {"step": 2},
        {"at": APRIL + 12 * DAY},
        {"at": APRIL + 8 * DAY},
        {"approver": "ML-Engineer@example.org"},
        {"approver": " "},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_answer_to_anything_but_this_question_does_not_count(change):
    bare = state(Phase.SHADOW)
    before = asked(bare, world(bare))
    good = answer(before.asked)
    assert tick(before, world(before, approvals=(good,)))[0].move is Move.ADVANCE
    seen = world(before, approvals=(replace(good, **change),))
    assert tick(before, seen)[0].move is Move.HOLD


@pytest.mark.parametrize("why", ["held", "expired"])
def test_a_held_or_expired_question_is_asked_again_with_a_higher_attempt(why):
    bare = state(Phase.SHADOW)
    before = asked(bare, world(bare))
    answers = (answer(before.asked, Answer.HOLD), answer(before.asked)) if why == "held" else ()
    now = APRIL + 10 * DAY if why == "held" else APRIL + 12 * DAY
    decision, after = tick(before, world(before, now, approvals=answers))
    assert decision.move is Move.ASK
    assert after.asked is not None
    assert after.asked.attempt == after.attempt == 2


@pytest.mark.parametrize(("phase", "end"), [(Phase.SHADOW, Phase.DONE), (Phase.RAMP, Phase.ROLLING_BACK)])
def test_one_rejection_ends_it(phase, end):
    bare = state(phase)
    before = asked(bare, world(bare))
    yes, no = answer(before.asked), answer(before.asked, Answer.REJECT, "b@example.org", digest="old")
    decision, after = tick(before, world(before, approvals=(yes, no)))
    assert "b@example.org rejected step" in decision.reason
    assert ends(end, Outcome.REJECTED, after)


def test_a_gate_that_should_count_but_was_not_judged_holds():
    before = state(step=2)
    decision, _ = tick(before, world(before, scorecard=card(row("quality"))))
    assert decision.waiting_for == (Waiting.SAMPLES,)
    assert "errors was not judged" in decision.reason


def test_a_signal_must_pass_too_and_a_scorecard_without_guardrails_never_passes():
    before = state(step=2)
    rows = (row("quality"), row("errors"), row("drift", Verdict.INCONCLUSIVE, Role.SIGNAL))
    assert tick(before, world(before, scorecard=card(*rows)))[0].waiting_for == (Waiting.SAMPLES,)
    rows = (row("quality", role=Role.SIGNAL), row("errors", role=Role.SIGNAL))
    assert tick(before, world(before, scorecard=card(*rows)))[0].waiting_for == (Waiting.SAMPLES,)


def test_the_whole_climb_ends_in_the_watch_and_then_is_promoted():
    before, now, moves = state(Phase.PREFLIGHT, generation=0), APRIL, []
    for _ in range(40):
        answers = (answer(before.asked),) if before.asked else ()
        decision, before = tick(before, world(before, now, confirmed_at=now, approvals=answers))
        moves.append((decision.move, before.share_bp))
        now += 12 * HOUR
        if before.phase is Phase.DONE:
            break
    assert [entry for entry in moves if entry[0] is not Move.HOLD] == [
        (Move.ADVANCE, 0),
        (Move.ASK, 0),
        (Move.ADVANCE, 500),
        (Move.ADVANCE, 5_000),
        (Move.ADVANCE, 10_000),
        (Move.ADVANCE, 10_000),
        (Move.FINISH, 10_000),
    ]
    assert before.outcome is Outcome.PROMOTED
    assert PLAN.steps[-1].share_bp == before.share_bp
