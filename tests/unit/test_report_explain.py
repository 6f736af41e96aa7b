"""Why it is not moving, in every state in which somebody may ask."""

from dataclasses import replace
from datetime import timedelta

import pytest

from headgate.codes import signoff_request
from headgate.report.board import rows_of
from headgate.report.explain import explain
from headgate.report.missing import earliest, needs
from headgate.review.load import Arrivals, ReviewLoad
from headgate.rollout.state import Outcome, Phase, PlaneView, Verb, Waiting
from headgate.verdicts import Verdict
from tests.builders import APRIL, plan
from tests.rollouts import DAY, HOUR, PLAN, card, order, paused, row, state, world
from tests.unit.glances import glance, ticked

SLOW = row("quality", Verdict.INCONCLUSIVE, needed=5)
ERRORS = row("errors")
KEEPS_UP = ReviewLoad(waiting=2, oldest=None, days=10.0, slices={"all": Arrivals(1_000, 100, 100)})
TOO_MUCH = replace(KEEPS_UP, besides=50.0)


def said(one):
    """Return an explanation as one text, the way a person reads it."""
    told = explain(one)
    lines = [told.headline, *told.why, *(f"{n.what}: {n.detail}" for n in told.needs), *told.next]
    return "\n".join([*lines, *(f"$ {todo.command}" for todo in told.todo)])


def shadow(**seen):
    return glance(before := state(Phase.SHADOW), world(before, **seen))


# ---------------------------------------------------------------- what is missing


def test_a_gate_says_how_many_units_are_there_what_is_seen_and_what_is_asked():
    far = replace(SLOW, estimate=0.002, lower=-0.01, upper=0.014)
    text = said(shadow(scorecard=card(far, ERRORS)))
    assert "flights-gbm-1 is in shadow, waiting for more evidence, since 2013-04-10 00:00 UTC" in text
    assert "gate quality: 7 of about 12 blocks; seen +0.0020 [\N{MINUS SIGN}0.0100, +0.0140]" in text
    assert "asked: Brier loss worse than the incumbent's by less than 0.005; evidence 1 of 33.1" in text
    assert "why of quality" not in text  # what a gate said is told once


def test_a_segment_is_held_to_its_own_limit():
    parts = plan(segments={"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}})
    seen = world(state(Phase.SHADOW), scorecard=card(replace(SLOW, segment="origin=JFK"), row()))
    one = glance(state(Phase.SHADOW), seen, parts)
    assert "gate quality[origin=JFK]: 7 of about 12 blocks" in said(one)
    assert "by less than 0.03" in said(one)


def test_blocks_still_needed_say_when_it_may_go_on_and_the_calendar_shifts_that():
    one = shadow(scorecard=card(SLOW, ERRORS))
    assert earliest(one) == one.last.at + 5 * DAY  # a Tuesday, any hour
    office = plan(calendar={"timezone": "UTC", "advance": "wed 09:00-16:00"})
    assert earliest(replace(one, plan=office)) == one.last.at + 6 * DAY + 9 * HOUR
    assert "It may enter step 1, 5 % on 2013-04-16 00:00 UTC at the earliest if enough people" in said(one)


def test_a_rate_is_extrapolated_at_the_pace_of_this_stay():
    slow = replace(row("errors", Verdict.INCONCLUSIVE, needed=14), unit="requests")
    before = state(Phase.RAMP)
    one = glance(before, world(before, scorecard=card(row(), slow)))
    (errors,) = [need for need in needs(one) if need.what == "gate errors"]
    assert errors.ready_at == one.last.at + 20 * DAY  # 7 requests came in the first 10 days


def test_nobody_can_tell_when_evidence_that_does_not_grow_will_do():
    one = shadow(scorecard=card(row("quality", Verdict.INCONCLUSIVE), ERRORS))
    assert earliest(one) is None
    assert "7 blocks and the evidence does not grow" in said(one)
    assert "cannot be told yet" in said(one)


def test_a_gate_that_was_not_judged_is_missing():
    before = state(Phase.RAMP)
    assert "gate errors: not judged on this step yet" in said(
        glance(before, world(before, scorecard=card(row())))
    )


def test_dwell_labels_calendar_and_approval_are_told_with_their_times():
    office = plan(calendar={"timezone": "UTC", "advance": "mon-thu 09:00-16:00"})
    before = state(Phase.SHADOW, of=office)
    one = glance(before, world(before, APRIL + 2 * HOUR, scorecard=card(matured_through=None)), office)
    text = said(one)
    assert "dwell: until 2013-04-03 00:00 UTC" in text
    assert "labels: complete on 2013-04-05 00:00 UTC" in text
    assert "calendar: closed; opens 2013-04-01 09:00 UTC" in text
    assert "approval: one person will be asked once all the rest is there" in text
    assert one.coming == (APRIL + 2 * DAY, "dwell ends")
    assert earliest(one) == APRIL + 7 * DAY + 9 * HOUR  # labels come on a Friday


def test_labels_that_are_overdue_ask_for_the_outcomes():
    one = shadow(scorecard=card(matured_through=APRIL + DAY))
    assert one.state.waiting_for == (Waiting.LABELS,)
    assert "labels: were due on 2013-04-05 00:00 UTC and are not all in: do outcomes still arrive?" in said(
        one
    )


# ---------------------------------------------------------------- what waits for people


def test_an_open_question_comes_with_the_commands_that_answer_it():
    text = said(shadow())
    assert "waiting for an approval" in text
    assert "approval: 0 of 1 agreed" in text
    assert "The question expires on 2013-04-14 00:00 UTC (in 2 days), and is asked anew." in text
    assert "$ headgate approver code flights-gbm-1/all/approve/1/1/c0ffee --answer approve" in text
    assert "$ headgate approve flights-gbm-1 --as YOU --code CODE --comment WHY" in text
    assert "the next tick if enough people agree" in text


def test_a_slice_is_named_in_what_one_says_and_presses():
    before = state(Phase.SHADOW, slice="jfk")
    text = said(glance(before, world(before)))
    assert "$ headgate approve flights-gbm-1 --slice jfk --as YOU" in text
    assert "$ headgate pause flight-delays --slice jfk --as YOU" in text


def test_a_missing_signature_comes_with_the_command_that_gives_it():
    signed = plan(signoffs=[{"role": "risk"}, {"role": "legal"}], questionnaire={})
    before = state(Phase.PREFLIGHT)
    last = ticked(before, world(before, checks=()), signed)
    why = ("sign-off risk waits: nobody has signed as risk", "questionnaire waits: nobody has answered it")
    last = replace(last, decision=replace(last.decision, reasons=why))
    commands = [todo.command for todo in explain(glance(before, world(before), signed, last=last)).todo]
    asked = signoff_request("flights-gbm-1", "risk", plan_hash=signed.hash)
    assert f"headgate approver code {asked} --answer sign" in commands
    assert "headgate signoff flights-gbm-1 --role risk --as YOU --comment WHY" in commands
    assert "headgate questionnaire flights-gbm-1 --as YOU" in commands
    assert not any("legal" in command for command in commands)


@pytest.mark.parametrize(
    ("seen", "why", "need"),
    [
        (TOO_MUCH, "at 5 % 60.0 cases a day would come; reviewers manage 40 a day", "would not at that step"),
        (replace(KEEPS_UP, oldest=APRIL), "2 cases wait, the oldest for 10d (at most 1d)", "do not keep up"),
        (None, "the review queue could not be looked at", "do not keep up"),
        (KEEPS_UP, "", "reviewers: keep up, and would at that step"),
    ],
)
def test_m22_it_says_why_it_waits_for_reviewers_and_never_that_it_may_go_on_by_itself(seen, why, need):
    asks = plan(review={"capacity": 40})
    one = glance(before := state(Phase.SHADOW), world(before, review=seen), asks)
    text = said(one)
    assert why in text
    assert need in text
    waits = seen is not KEEPS_UP
    assert ("waiting for reviewers to catch up" in text) is waits
    assert ("cannot be told yet: reviewers have to catch up first." in text) is waits
    assert ("$ headgate review status flight-delays" in text) is waits
    (row,) = rows_of([one])
    assert (row["waiting_for"] == ["review_capacity"]) is waits


def test_what_a_tick_did_not_look_at_is_not_said_of_reviewers():
    asks = plan(review={"capacity": 40})
    before = state(Phase.SHADOW)
    one = glance(before, world(before, plane=PlaneView.UNREACHABLE, review=KEEPS_UP), asks)
    assert "reviewers: looked at by the next tick; asked: at most 40 cases a day" in said(one)


@pytest.mark.parametrize(
    ("waiting", "share", "expected"),
    [
        (Waiting.OPERATOR, 500, "an alarm that paused it starts afresh at half its error level"),
        (Waiting.SPLIT, 500, "goes on once the split is mended"),
        (Waiting.OPERATOR, 0, "no effect while the guardrail still fails"),
    ],
)
def test_a_pause_says_what_resuming_does(waiting, share, expected):
    before = state(Phase.RAMP, paused=paused(waiting), share_bp=share)
    one = glance(before, world(before))
    resume = next(todo for todo in explain(one).todo if todo.command.startswith("headgate resume"))
    assert expected in resume.what
    assert "timers stand still" in said(one)
    assert one.deadline is None  # nothing runs out in a pause
    assert ("is frozen at 0 %" if share == 0 else "is paused on the ramp at 5 %") in said(one)


def test_a_button_that_no_tick_has_seen_is_told():
    text = said(replace(shadow(), orders=(order(Verb.PAUSE),)))
    assert "operator@example.org pressed pause on 2013-04-10 00:00 UTC (saw it); no tick has acted" in text


# ---------------------------------------------------------------- what waits for machines


def test_a_plane_that_is_not_reached_is_the_reason_and_what_it_says_is_passed_on():
    before = state(Phase.RAMP)
    one = glance(before, world(before, plane=PlaneView.UNREACHABLE), plane="does not answer: nobody there")
    assert "waiting for the traffic plane" in said(one)
    assert "The traffic plane does not answer: nobody there." in said(one)


def test_a_silent_server_is_the_reason():
    before = state(Phase.RAMP)
    text = said(glance(before, world(before, versions=("logistic-1", None))))
    assert "waiting for an operator" in text
    assert "the candidate's server does not say its version" in text
    assert "resume" not in text  # it goes on by itself once the server answers


def test_ticks_that_stopped_come_first_and_are_known_by_their_rhythm():
    fresh = shadow(scorecard=card(SLOW, ERRORS))
    late = replace(fresh, now=fresh.last.at + 5 * HOUR)
    assert not fresh.stopped
    assert late.stopped
    assert "No tick has run for" not in said(fresh)
    assert explain(late).why[0].startswith("No tick has run for 5 hours, and they usually come every 1 hour")
    assert explain(late).todo[0].command == "headgate doctor"
    assert "The next tick is due" not in said(late)
    assert not replace(late, gap=timedelta(hours=3)).stopped


def test_a_confirmation_that_is_outstanding_is_missing():
    before = state(Phase.RAMP, confirmed_at=None)
    text = said(glance(before, world(before, confirmed_at=None)))
    assert "plane: the plane has not confirmed 5 % yet" in text


# ---------------------------------------------------------------- before and after


def test_in_the_queue_nobody_expects_ticks_and_the_one_in_front_is_named():
    before = state(Phase.QUEUED)
    one = glance(before, world(before, lease=False), ahead=("flights-gbm-0",))
    one = replace(one, now=one.last.at + 30 * DAY)
    assert "is queued behind flights-gbm-0" in said(one)
    assert "$ headgate explain flights-gbm-0" in said(one)
    assert "abort" not in said(one)  # that would hit the one in front: buttons are the service's
    assert not one.stopped


def test_rolling_back_waits_for_the_plane_and_offers_the_kill_switch():
    before = state(Phase.ROLLING_BACK, 1, outcome=Outcome.ROLLED_BACK)
    text = said(glance(before, world(before, plane=PlaneView.UNREACHABLE)))
    assert "is rolling back until the plane itself reports 0 %" in text
    assert "once the plane reports it, the rollout ends as rolled back" in text
    assert "$ headgate kill flight-delays --as YOU --reason WHY" in text


@pytest.mark.parametrize(
    ("outcome", "share", "headline", "command"),
    [
        (Outcome.PROMOTED, 10_000, "the candidate takes 100 % of the traffic", "undo flight-delays"),
        (Outcome.EXPIRED, 0, "the incumbent takes all of the traffic", "retry flights-gbm-1"),
    ],
)
def test_what_is_done_says_how_it_ended_and_what_can_follow(outcome, share, headline, command):
    before = state(Phase.DONE, 3, outcome=outcome, share_bp=share)
    one = glance(before, world(before))
    assert headline in explain(one).headline
    assert any(todo.command.startswith(f"headgate {command}") for todo in explain(one).todo)
    assert not one.stopped
    assert (one.deadline, one.coming, explain(one).needs) == (None, None, ())


def test_a_plan_that_cannot_be_read_still_leaves_what_the_record_says():
    one = replace(shadow(scorecard=card(SLOW, ERRORS)), plan=None, question=None)
    text = said(one)
    assert "frozen by another version of Headgate" in text
    assert "why of quality" in text
    assert (one.deadline, one.coming, one.next_step, needs(one)) == (None, None, None, ())


def test_the_first_of_all_limits_is_the_deadline():
    asking = shadow()
    assert asking.deadline == (asking.last.at + 3 * DAY, "question expires")
    waiting = shadow(scorecard=card(SLOW, ERRORS))
    assert waiting.deadline == (APRIL + 60 * DAY, "step deadline")
    late = replace(waiting, now=APRIL + 61 * DAY)
    assert "The step deadline passed on 2013-05-31 00:00 UTC: the next tick sees to it" in said(late)
    assert PLAN.deadline.step == 60 * DAY
