"""Two people may take a rollout up one step without proof: loudly, and never past harm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.review.load import Arrivals, ReviewLoad
from headgate.rollout.state import Answer, Approval, Check, Move, Outcome, Phase, PlaneView, Verb
from headgate.verdicts import Verdict
from tests.builders import APRIL, plan
from tests.rollouts import DAY, HASH, HOUR, PLAN, card, order, paused, row, state, tick, world

NOW = APRIL + 10 * HOUR
UNPROVED = card(row("quality", Verdict.NO_DATA), row("errors", Verdict.INCONCLUSIVE, segment="JFK"))


def word(of, by, **changes):
    """One person's break-glass word on this stay, an hour ago."""
    said = Approval(of.step + 1, -of.entry, "", HASH, by, Answer.BREAK_GLASS, f"{by} saw why", NOW - HOUR)
    return replace(said, **changes)


def glass(of, *people, **changes):
    return tuple(word(of, by, **changes) for by in people or ("ann@example.org", "bob@example.org"))


def pressed(of, words, **changes):
    """A tick in a world that proves nothing, in which these people broke the glass."""
    return tick(of, world(of, NOW, **({"scorecard": UNPROVED, "approvals": words} | changes)))


@pytest.mark.parametrize("before", [state(Phase.SHADOW), state(Phase.RAMP, 1), state(Phase.RAMP, 2)])
def test_two_people_take_it_up_exactly_one_step_and_the_record_is_loud(before):
    decision, after = pressed(before, glass(before))
    assert decision.move is Move.ADVANCE
    assert (after.step, after.share_bp) == (before.step + 1, PLAN.steps[before.step + 1].share_bp)
    assert all(reason.startswith("BREAK GLASS: ") for reason in decision.reasons)
    for said in ("ann@example.org saw why", "bob@example.org saw why", "quality (no_data)"):
        assert said in decision.reason
    assert "errors[JFK] (inconclusive)" in decision.reason
    assert "dwell" in decision.reason
    # It is spent by the stay: the same words say nothing about the next one.
    again, _ = pressed(replace(after, confirmed_at=NOW), glass(before))
    assert again.move is Move.HOLD


@pytest.mark.parametrize(
    ("people", "changes"),
    [
        (("ann@example.org",), {}),
        (("ann@example.org", " ANN@Example.org"), {}),
        (("ann@example.org", PLAN.author.upper()), {}),
        (("ann@example.org", " "), {}),
        ((), {"at": NOW - 4 * HOUR}),
        ((), {"at": NOW + HOUR}),
        ((), {"plan_hash": "another"}),
        ((), {"attempt": 1}),
        ((), {"attempt": -2}),
        ((), {"step": 3}),
        ((), {"answer": Answer.APPROVE}),
    ],
)
def test_one_person_the_author_an_old_word_or_one_for_something_else_breaks_nothing(people, changes):
    before = state(Phase.RAMP, 1)
    decision, after = pressed(before, glass(before, *people, **changes))
    assert (decision.move, after.share_bp) == (Move.HOLD, before.share_bp)


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({}, {"scorecard": card(failed="quality")}),
        ({}, {"orders": (order(Verb.ABORT),)}),
        ({}, {"orders": (order(Verb.ROLLBACK),)}),
        ({}, {"orders": (order(Verb.PAUSE),)}),
        ({}, {"scorecard": card(alarmed=("drift",))}),
        ({"paused": paused()}, {}),
        ({"paused": paused(since=APRIL)}, {"orders": (order(Verb.RESUME),)}),
        ({}, {"plane": PlaneView.DISAGREES, "observed_share_bp": 500}),
        ({}, {"plane": PlaneView.UNREACHABLE}),
        ({}, {"plane": PlaneView.BEHIND}),
        ({"confirmed_at": None}, {}),
        ({}, {"versions": (None, "gbm-2")}),
        ({}, {"versions": ("logistic-1", None)}),
        ({}, {"versions": ("logistic-1", "gbm-3")}),
        ({}, {"lease": False}),
        ({}, {"checks": (Check("sign-off risk", None, "nobody signed"),)}),
    ],
)
def test_glass_is_no_answer_to_harm_a_stop_a_pause_silence_or_a_missing_sign_off(fields, changes):
    before = state(Phase.RAMP, 1, **fields)
    decision, after = pressed(before, glass(before), **changes)
    assert decision.move is not Move.ADVANCE
    assert after.share_bp <= before.share_bp


@pytest.mark.parametrize("before", [state(Phase.RAMP, len(PLAN.steps) - 1), state(Phase.WATCH)])
def test_glass_neither_begins_the_watch_nor_ends_it(before):
    decision, after = pressed(before, glass(before, step=before.step + 1))
    assert decision.move is Move.HOLD
    assert after.outcome is not Outcome.PROMOTED


def test_a_closed_calendar_and_a_question_nobody_answered_are_passed_over_and_named():
    closed = plan(calendar={"timezone": "UTC", "advance": "fri 09:00-10:00"})
    before = state(Phase.SHADOW)
    words = glass(before, plan_hash=closed.hash)
    words = tuple(replace(one, at=APRIL + 10 * DAY) for one in words)
    decision, after = tick(before, world(before, APRIL + 10 * DAY, approvals=words), closed)
    assert (decision.move, after.step) == (Move.ADVANCE, 1)
    assert "gates that do not pass: none" in decision.reason
    assert "the calendar is closed" in decision.reason
    assert "must agree to 5 %" in decision.reason


def test_m9_glass_takes_no_share_past_the_people_who_look_at_its_answers():
    asks, before = plan(review={"capacity": 40}), state(Phase.RAMP, 1)
    words = glass(before, plan_hash=asks.hash)
    for brings, move in ((100, Move.ADVANCE), (1_000, Move.HOLD)):
        load = ReviewLoad(0, None, days=10.0, slices={"all": Arrivals(9_000, brings, brings)})
        seen = world(before, NOW, scorecard=UNPROVED, approvals=words, review=load)
        assert tick(before, seen, asks)[0].move is move


def test_where_everything_is_proved_nothing_is_broken():
    before = state(Phase.RAMP, 1)
    late = APRIL + 10 * DAY
    words = tuple(replace(one, at=late) for one in glass(before))
    decision, _ = tick(before, world(before, late, approvals=words))
    assert decision.move is Move.ADVANCE
    assert "BREAK GLASS" not in decision.reason
