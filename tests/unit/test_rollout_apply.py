"""What a decision does to the state, and what it may never do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.errors import IllegalTransition
from headgate.rollout import apply, confirmed, legal, settle
from headgate.rollout.state import Decision, Move, Outcome, Phase, PlaneView, Verb, Waiting
from headgate.verdicts import Verdict
from tests.builders import APRIL, plan
from tests.rollouts import DAY, HOUR, PLAN, asked, card, order, paused, row, state, tick, world

ROLL_BACK = Decision(Move.ROLL_BACK, ("harm",), outcome=Outcome.ROLLED_BACK)


@pytest.mark.parametrize(
    ("phase", "changes", "decision", "says"),
    [
        (Phase.DONE, {}, Decision(Move.ADVANCE, ()), "from done only hold"),
        (Phase.DONE, {"outcome": Outcome.PROMOTED}, ROLL_BACK, "from done only hold"),
        (Phase.ROLLING_BACK, {}, Decision(Move.ADVANCE, ()), "from rolling_back only"),
        (Phase.WATCH, {}, Decision(Move.ADVANCE, ()), "from watch only"),
        (Phase.PREFLIGHT, {}, Decision(Move.PAUSE, ()), "from preflight only"),
        (Phase.RAMP, {"paused": paused()}, Decision(Move.ADVANCE, ()), "resume it first"),
        (Phase.RAMP, {"confirmed_at": None}, Decision(Move.ADVANCE, ()), "has not confirmed 500"),
        (Phase.RAMP, {}, Decision(Move.FINISH, (), outcome=Outcome.PROMOTED), "only a watch"),
        (Phase.RAMP, {}, Decision(Move.FINISH, (), outcome=Outcome.REJECTED), "does not report share 0"),
        (Phase.WATCH, {}, Decision(Move.ROLL_BACK, (), outcome=Outcome.PROMOTED), "only a watch"),
        (Phase.RAMP, {}, Decision(Move.ROLL_BACK, ()), "how the rollout ends"),
        (Phase.RAMP, {}, Decision(Move.PAUSE, ()), "no pause"),
        (Phase.RAMP, {}, Decision(Move.ASK, ()), "no question"),
        (Phase.SHADOW, {}, Decision(Move.STEP_BACK, ()), "roll back"),
        (Phase.RAMP, {"step_backs": 1}, Decision(Move.STEP_BACK, ()), "roll back"),
    ],
)
def test_an_impossible_move_is_refused_with_its_reason(phase, changes, decision, says):
    before = state(phase, **changes)
    with pytest.raises(IllegalTransition, match=says):
        apply(before, decision, PLAN, world(before))


def test_rolling_back_cannot_end_with_another_outcome_than_it_began_with():
    before = state(Phase.ROLLING_BACK, 1, outcome=Outcome.EXPIRED)
    with pytest.raises(IllegalTransition, match="decided on entry: expired"):
        apply(before, Decision(Move.FINISH, (), outcome=Outcome.ABORTED), PLAN, world(before))


def test_the_first_outcome_stands_when_a_rollback_is_repeated():
    before = state()
    once = apply(before, ROLL_BACK, PLAN, world(before))
    twice = apply(once, Decision(Move.ABORT, (), outcome=Outcome.ABORTED), PLAN, world(once))
    assert twice == once
    assert twice.outcome is Outcome.ROLLED_BACK


def test_preflight_without_versions_has_nothing_to_freeze():
    before = state(Phase.PREFLIGHT)
    with pytest.raises(IllegalTransition, match="nothing to freeze"):
        apply(before, Decision(Move.ADVANCE, ()), PLAN, world(before, versions=("logistic-1", None)))


def test_a_superseded_rollout_leaves_the_queue():
    before = state(Phase.QUEUED)
    after = apply(before, Decision(Move.FINISH, (), outcome=Outcome.SUPERSEDED), PLAN, world(before))
    assert (after.phase, after.outcome) == (Phase.DONE, Outcome.SUPERSEDED)


def test_a_new_step_starts_its_own_entry_timers_and_questions():
    before = asked(state(step=2, held=DAY, held_total=2 * DAY, attempt=4), world(state(step=2)))
    before = replace(before, attempt=4)
    _, after = tick(before, world(before))
    assert (after.step, after.share_bp, after.entry, after.generation) == (3, 10_000, 3, 4)
    assert (after.confirmed_at, after.held, after.held_total, after.asked) == (None, 0 * DAY, 2 * DAY, None)
    assert after.attempt == 4, "an attempt number is never used twice in a rollout"
    assert after.entered_at == APRIL + 10 * DAY


def test_the_watch_is_a_stay_of_its_own_that_the_plane_confirms():
    before = state(step=3)
    _, after = tick(before, world(before))
    assert (after.phase, after.entry, after.generation) == (Phase.WATCH, 4, before.generation + 1)
    assert (after.share_bp, after.confirmed_at) == (10_000, None)


def test_promotion_leaves_share_and_plane_as_they_were_in_the_watch():
    before = state(Phase.WATCH)
    _, after = tick(before, world(before))
    assert (after.share_bp, after.generation) == (before.share_bp, before.generation)


def test_the_confirmation_is_never_older_than_the_step():
    before = state(confirmed_at=None, entered_at=APRIL + 2 * DAY)
    assert settle(before, world(before, confirmed_at=APRIL)).confirmed_at == APRIL + 2 * DAY
    assert settle(before, world(before, confirmed_at=None)) == before
    late = confirmed(before, APRIL + 3 * DAY)
    assert confirmed(late, APRIL + 9 * DAY) == late, "the first confirmation stands"
    assert confirmed(state(Phase.PREFLIGHT), APRIL).confirmed_at is None


def test_a_question_is_void_once_a_verdict_left_pass_even_if_it_comes_back():
    bare = state(Phase.SHADOW)
    before = asked(bare, world(bare))
    wavering = card(row("quality", Verdict.INCONCLUSIVE), row("errors"))
    _, between = tick(before, world(before, scorecard=wavering))
    assert between.asked is None
    decision, after = tick(between, world(between))
    assert decision.move is Move.ASK
    assert after.attempt == 2


def test_more_data_with_the_same_verdicts_keeps_the_question():
    bare = state(Phase.SHADOW)
    before = asked(bare, world(bare))
    more = card(replace(row("quality"), samples=70, log_e_advance=9.0), row("errors"))
    decision, after = tick(before, world(before, scorecard=more))
    assert decision.move is Move.HOLD
    assert after.asked == before.asked


def test_a_pause_keeps_its_beginning_and_shifts_only_what_it_covered():
    before = state(step=2, held=HOUR, held_total=3 * HOUR, paused=paused(since=APRIL + 8 * DAY))
    _, after = tick(before, world(before, APRIL + 10 * DAY, orders=(order(Verb.RESUME),)))
    assert after.step == 3, "resumed, and everything else was there"
    assert after.held_total == 2 * DAY + 3 * HOUR
    held = state(step=2, paused=paused(since=APRIL + 8 * DAY))
    again = Decision(Move.PAUSE, ("again",), (Waiting.OPERATOR,), pause=held.paused)
    assert apply(held, again, PLAN, world(held)).paused == held.paused


def test_a_step_back_while_paused_stays_paused_and_counts_the_pause_once():
    cautious = plan(on_fail="step_back")
    before = state(step=2, paused=paused(since=APRIL + 8 * DAY))
    _, after = tick(before, world(before, scorecard=card(failed="quality")), cautious)
    assert after.paused == before.paused
    later = world(after, APRIL + 12 * DAY, confirmed_at=APRIL + 10 * DAY, orders=(order(Verb.RESUME),))
    _, resumed = tick(after, later, cautious)
    assert (resumed.held, resumed.held_total) == (2 * DAY, 4 * DAY)


def test_the_plane_disagreeing_without_a_share_of_ours_leaves_none():
    before = state(step=2)
    seen = world(before, plane=PlaneView.DISAGREES, observed_share_bp=None, observed_generation=None)
    assert tick(before, seen)[1].share_bp == 0


@pytest.mark.parametrize(
    ("phase", "changes", "allowed"),
    [
        (Phase.QUEUED, {}, {Verb.ABORT}),
        (Phase.PREFLIGHT, {}, {Verb.ABORT}),
        (Phase.SHADOW, {}, {Verb.ABORT, Verb.ROLLBACK, Verb.PAUSE}),
        (Phase.RAMP, {"paused": paused()}, {Verb.ABORT, Verb.ROLLBACK, Verb.RESUME}),
        (Phase.WATCH, {}, {Verb.ABORT, Verb.ROLLBACK, Verb.PAUSE}),
        (Phase.ROLLING_BACK, {"outcome": Outcome.EXPIRED}, {Verb.ROLLBACK}),
        (Phase.DONE, {"outcome": Outcome.PROMOTED}, {Verb.UNDO}),
        (Phase.DONE, {"outcome": Outcome.SUPERSEDED}, set()),
    ],
)
def test_a_button_that_is_not_for_this_state_says_which_are(phase, changes, allowed):
    where = state(phase, **changes)
    for verb in Verb:
        message = legal(verb, where)
        assert (message is None) == (verb in allowed)
        if message is not None:
            assert message.startswith(f"{verb}: flights-gbm-1 is ")
            assert all(word in message for word in allowed or {"nothing"})
