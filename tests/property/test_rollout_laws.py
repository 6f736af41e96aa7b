"""The laws of lifecycle.md, for states and worlds drawn at will."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from headgate.plan.calendar import OpenHours
from headgate.plan.reviewing import Review
from headgate.review.load import Arrivals, ReviewLoad
from headgate.rollout import apply, decide, settle, standing
from headgate.rollout.orders import failing
from headgate.rollout.state import (
    LIVE,
    Answer,
    Approval,
    Check,
    Move,
    Order,
    Outcome,
    Phase,
    PlaneView,
    Verb,
    Waiting,
)
from headgate.rollout.timers import dwell_ends
from headgate.verdicts import Role, Verdict
from tests.builders import APRIL, plan
from tests.rollouts import (
    DAY,
    HASH,
    HOUR,
    PLAN,
    VERSIONS,
    answer,
    asked,
    card,
    order,
    paused,
    row,
    state,
    tick,
    world,
)

PLANS = {
    way: plan(on_fail=way, calendar={"timezone": "UTC", "advance": "mon-thu 06:00-18:00"})
    for way in ("roll_back", "step_back", "freeze")
}
UP = {Move.ADVANCE, Move.ASK}
ANY_TIME = st.integers(0, 130 * 24).map(lambda hours: APRIL + hours * HOUR)
#: A Thursday morning when dwell, labels and calendar are there, or any time at all.
moments = st.just(APRIL + 24 * DAY + 10 * HOUR) | ANY_TIME
plans = st.sampled_from(list(PLANS.values()))


def mostly(value, *others):
    """Draw the value so often that a case of ten such draws is well and good every third time."""
    return st.sampled_from([value] * (9 * len(others)) + list(others))


VERDICTS = mostly(Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.NO_DATA, Verdict.FAIL)


@st.composite
def live_states(draw, phases=(Phase.SHADOW, Phase.RAMP, Phase.WATCH)):
    phase = draw(st.sampled_from(phases))
    step = draw(st.integers(1, 3)) if phase is Phase.RAMP else None
    since = draw(mostly(None, APRIL, APRIL + 20 * DAY))
    return state(
        phase,
        step,
        confirmed_at=draw(mostly(APRIL, None)),
        paused=since and paused(draw(st.sampled_from([Waiting.OPERATOR, Waiting.SPLIT])), since),
        step_backs=draw(st.integers(0, 1)),
        generation=draw(st.integers(1, 9)),
    )


@st.composite
def cards(draw):
    rows = (
        row("quality", draw(VERDICTS)),
        row("errors", draw(VERDICTS)),
        row("hard-errors", draw(VERDICTS), Role.REPORT),
    )
    return card(
        *rows,
        failed=draw(mostly(None, "quality")),
        alarmed=draw(mostly((), ("drift",))),
        split_alarm=draw(mostly(False, True)),
        matured_through=draw(mostly(APRIL + 999 * DAY, None, APRIL)),
    )


@st.composite
def worlds(draw, of, without=()):
    verbs = [verb for verb in Verb if verb not in without]
    orders = draw(mostly(None, 1, 2)) or 0
    orders = draw(st.lists(st.sampled_from(verbs), min_size=orders, max_size=orders))
    seen = world(
        of,
        max(draw(moments), of.paused.since if of.paused else APRIL),
        plane=draw(mostly(*PlaneView)),
        scorecard=draw(cards()),
        versions=draw(mostly(VERSIONS, (None, "gbm-2"), ("logistic-1", None), ("logistic-2", "gbm-2"))),
        orders=tuple(Order(i, verb, "operator", "why", APRIL) for i, verb in enumerate(orders)),
        lease=draw(mostly(True, False)),
    )
    if seen.plane is PlaneView.UNREACHABLE:
        return replace(seen, observed_share_bp=None, observed_generation=None)
    if seen.plane is not PlaneView.AGREES:
        return replace(
            seen,
            observed_share_bp=draw(st.sampled_from([None, 0, 300, 500, 9_000])),
            observed_generation=draw(st.none() | st.integers(0, 15)),
        )
    return seen


@st.composite
def cases(draw, phases=(Phase.SHADOW, Phase.RAMP, Phase.WATCH), without=()):
    of = draw(live_states(phases))
    return of, draw(worlds(of, without)), draw(plans)


@given(cases())
def test_law_1_a_share_changes_only_by_a_decision_and_with_a_new_generation(case):
    before, seen, of = case
    decision, after = tick(before, seen, of)
    if after.share_bp != before.share_bp:
        resumed = any(o.verb is Verb.RESUME for o in seen.orders)
        assert decision.move not in (Move.HOLD, Move.ASK) or resumed
        assert after.generation > before.generation
        assert after.generation > (seen.observed_generation or 0)
        assert after.confirmed_at is None


@given(cases(), st.sampled_from([PlaneView.BEHIND, PlaneView.UNREACHABLE, PlaneView.DISAGREES]))
def test_law_3_rolling_back_is_possible_from_every_live_phase_and_twice_is_once(case, view):
    before, seen, of = case
    assume(seen.lease and all(o.verb is not Verb.ABORT for o in seen.orders))
    seen = replace(seen, plane=view, orders=(*seen.orders, order(Verb.ROLLBACK, 9)))
    decision, once = tick(before, seen, of)
    assert decision.move is Move.ROLL_BACK
    assert (once.phase, once.outcome, once.share_bp) == (Phase.ROLLING_BACK, Outcome.ROLLED_BACK, 0)
    again = replace(seen, observed_generation=once.generation)
    assert apply(once, decision, of, again) == once
    _, twice = tick(once, again, of)
    assert replace(twice, waiting_for=(), confirmed_at=None) == replace(once, waiting_for=())


@given(cases())
def test_law_4_abort_beats_everything_in_the_same_tick(case):
    before, seen, of = case
    assume(seen.lease)
    _, after = tick(before, replace(seen, orders=(order(Verb.ABORT, -1), *seen.orders)), of)
    assert (after.outcome, after.share_bp) == (Outcome.ABORTED, 0)
    assert after.phase in (Phase.ROLLING_BACK, Phase.DONE)


@given(cases(without=(Verb.ABORT,)))
def test_law_4_a_failed_guardrail_beats_everything_but_an_abort(case):
    before, seen, of = case
    assume(seen.lease)
    decision, after = tick(before, replace(seen, scorecard=replace(seen.scorecard, failed="errors")), of)
    frozen = before.paused is not None and before.share_bp == 0
    assert decision.move in (Move.ROLL_BACK, Move.STEP_BACK, Move.FREEZE) or (
        of.on_fail == "freeze" and frozen and decision.move is Move.HOLD
    )
    assert after.share_bp < before.share_bp or after.share_bp == 0
    if of.on_fail != "step_back" or before.step_backs:
        assert after.share_bp == 0


@given(cases(), st.sampled_from([v for v in Verdict if v is not Verdict.PASS]), st.booleans())
def test_law_5_what_does_not_pass_never_advances_and_absent_data_never_promotes(case, verdict, none_at_all):
    before, seen, of = case
    rows = () if none_at_all else (row("quality"), row("errors", verdict))
    decision, after = tick(before, replace(seen, scorecard=replace(seen.scorecard, verdicts=rows)), of)
    assert decision.move not in UP
    assert after.outcome is not Outcome.PROMOTED


@given(cases(), st.sampled_from([(None, "gbm-2"), ("logistic-1", None), (None, None)]))
def test_law_5_unknown_versions_never_advance(case, versions):
    before, seen, of = case
    decision, after = tick(before, replace(seen, versions=versions), of)
    assert decision.move not in UP
    assert after.outcome is not Outcome.PROMOTED


@given(cases())
def test_law_6_nothing_advances_before_the_plane_confirmed_the_share(case):
    before, seen, of = case
    before, seen = replace(before, confirmed_at=None), replace(seen, confirmed_at=None)
    decision, after = tick(before, seen, of)
    assert decision.move not in UP
    assert after.outcome is not Outcome.PROMOTED
    assert standing(before, seen.now).confirmed_at is None


@given(st.integers(1, 200), st.integers(0, 200))
def test_law_6_dwell_starts_at_the_confirmation_and_not_at_the_decision(late, after):
    before = state(step=2, confirmed_at=None)
    confirmed = APRIL + late * HOUR
    seen = world(before, confirmed + after * HOUR, confirmed_at=confirmed)
    assert dwell_ends(settle(before, seen), PLAN, seen.now) == confirmed + DAY
    assert (tick(before, seen)[0].move is Move.ADVANCE) == (after >= 24)


@given(cases(without=(Verb.UNDO,)), st.sampled_from(Outcome))
def test_law_6_late_outcomes_and_orders_change_nothing_that_is_done(case, outcome):
    before, seen, of = case
    done = replace(before, phase=Phase.DONE, outcome=outcome, paused=None)
    decision, after = tick(done, seen, of)
    assert decision.move is Move.HOLD
    assert after == done


@given(cases(), st.sampled_from(Outcome), st.booleans())
def test_law_6_an_undo_takes_back_a_promotion_that_has_its_lease_again_and_nothing_else(case, outcome, lease):
    before, seen, of = case
    done = replace(before, phase=Phase.DONE, outcome=outcome, paused=None, share_bp=10_000)
    seen = replace(seen, lease=lease, orders=(*seen.orders, order(Verb.UNDO, 9)))
    decision, after = tick(done, seen, of)
    if lease and outcome is Outcome.PROMOTED:
        assert decision.move is Move.ROLL_BACK
        assert (after.phase, after.outcome, after.share_bp) == (
            Phase.ROLLING_BACK,
            Outcome.ROLLED_BACK,
            0,
        )
        assert after.generation > max(done.generation, seen.observed_generation or 0)
    else:
        assert decision.move is Move.HOLD
        assert after == done


@st.composite
def broken_glass(draw, of, now, plan_hash):
    """Words of a few people, the author perhaps among them, now and then about something else."""
    author = "ml-engineer@example.org"
    people = draw(mostly(("ann", "bob"), ("ann", author), ("eve",), ("ann", "bob", "eve", author)))
    return tuple(
        Approval(
            of.step + 1,
            -of.entry + draw(mostly(0, 1, -1)),
            "",
            draw(mostly(plan_hash, "another")),
            person,
            Answer.BREAK_GLASS,
            "it burns",
            now - draw(mostly(HOUR, 4 * HOUR, -HOUR)),
        )
        for person in people
    )


@given(cases(), st.data())
def test_broken_glass_takes_one_step_loudly_and_never_past_harm_a_stop_or_silence(case, data):
    before, seen, of = case
    words = data.draw(broken_glass(before, seen.now, of.hash))
    plain = tick(before, seen, of)
    decision, after = tick(before, replace(seen, approvals=words), of)
    counted = {
        one.approver
        for one in words
        if one.plan_hash == of.hash
        and one.attempt == -before.entry
        and seen.now - 4 * HOUR < one.at <= seen.now
    } - {of.author}
    if decision == plain[0]:
        assert after == plain[1]
        return
    assert len(counted) >= 2
    assert decision.reason.startswith("BREAK GLASS:")
    assert (decision.move, after.step, after.phase) == (Move.ADVANCE, before.step + 1, Phase.RAMP)
    assert after.outcome is None
    assert before.phase in (Phase.SHADOW, Phase.RAMP)
    assert plain[0].move in (Move.HOLD, Move.ASK), "it comes after every rule that stops"
    assert (seen.lease, seen.plane, seen.versions) == (True, PlaneView.AGREES, VERSIONS)
    assert failing(seen.scorecard) is None
    assert before.paused is None


@given(cases(), st.sampled_from([None, False]))
def test_without_its_sign_offs_nothing_goes_up_and_everything_still_comes_down(case, passed):
    before, seen, of = case
    with_all = tick(before, seen, of)
    unsigned = replace(seen, checks=(Check("sign-off risk", passed, "nobody signed"),))
    decision, after = tick(before, unsigned, of)
    assert decision.move not in UP
    assert after.outcome is not Outcome.PROMOTED
    if with_all[0].move not in UP | {Move.FINISH, Move.HOLD}:
        assert (decision, after) == with_all


@given(cases(), st.integers(0, 400), st.integers(0, 400), st.integers(0, 72), st.booleans())
def test_m22_the_share_never_rises_past_the_reviewers_and_everything_still_comes_down(
    case, here, above, hours, looked_at
):
    before, seen, of = case
    reviewed = of.model_copy(update={"review": Review(capacity=20, max_age=timedelta(days=1))})
    load = ReviewLoad(
        waiting=3,
        oldest=seen.now - hours * HOUR,
        days=10.0,
        slices={before.slice: Arrivals(1_000, here, above)},
        shares={before.slice: before.share_bp},
    )
    plain = tick(before, seen, of)
    decision, after = tick(before, replace(seen, review=load if looked_at else None), reviewed)
    climbs = before.step + 1 < len(of.steps)
    share = of.steps[before.step + 1].share_bp / 10_000 if climbs else 0
    keeps_up = looked_at and hours <= 24 and (here + share * (above - here)) / 10 <= 20
    if plain[0].move in UP and climbs and not keeps_up:
        assert decision.move is Move.HOLD
        assert Waiting.REVIEW_CAPACITY in decision.waiting_for
        assert after.share_bp == before.share_bp
    elif plain[0].move is not Move.HOLD or keeps_up:
        # An approval is bound to the plan's hash, and nothing else of the decision knows about reviewers.
        assert (decision.move, after.share_bp) == (plain[0].move, plain[1].share_bp)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=5))
def test_law_7_pausing_shifts_dwell_and_deadlines_by_exactly_its_length(stretches):
    before, now, rest = state(step=2), APRIL, 0
    for running, pausing in stretches:
        now += running * HOUR
        _, before = tick(before, quiet(before, now, Verb.PAUSE))
        now += pausing * HOUR
        _, before = tick(before, quiet(before, now, Verb.RESUME))
        rest += pausing
    assert before.held == before.held_total == rest * HOUR
    assert dwell_ends(before, PLAN, now) == APRIL + DAY + rest * HOUR
    due = APRIL + 60 * DAY + rest * HOUR
    assert tick(before, quiet(before, due - HOUR))[0].move is Move.HOLD
    assert tick(before, quiet(before, due))[0].move is Move.EXPIRE


def quiet(of, now, *verbs):
    """A world that proves nothing, so that only timers and buttons matter."""
    orders = tuple(Order(1, verb, "operator", "why", now) for verb in verbs)
    return world(of, now, scorecard=card(row("quality", Verdict.INCONCLUSIVE), row("errors")), orders=orders)


@given(live_states(), moments, plans)
def test_law_7_a_paused_rollout_never_expires_and_never_advances(before, now, of):
    before = replace(before, paused=paused(since=APRIL))
    decision, after = tick(before, world(before, now), of)
    assert (decision.move, after.share_bp) == (Move.HOLD, before.share_bp)


@given(cases())
def test_law_7_one_tick_takes_one_step_whatever_the_downtime(case):
    before, seen, of = case
    _, after = tick(before, seen, of)
    assert after.step <= before.step + 1
    if after.share_bp > before.share_bp:
        assert OpenHours.of(of.calendar).is_open(seen.now)
        assert of.steps[after.step].approval is None, "nobody approved anything here"


@given(cases(), st.lists(st.sampled_from(Verdict), max_size=3), st.booleans())
def test_law_8_report_gates_never_change_a_decision(case, verdicts, applies):
    before, seen, of = case
    told = tuple(row(f"told-{i}", v, Role.REPORT, applies) for i, v in enumerate(verdicts))
    without = tuple(v for v in seen.scorecard.verdicts if v.role is not Role.REPORT)

    def with_rows(rows):
        return tick(before, replace(seen, scorecard=replace(seen.scorecard, verdicts=rows)), of)

    assert with_rows((*told, *without)) == with_rows(without)


@given(st.text(max_size=64).filter(lambda text: text != HASH))
def test_law_10_an_approval_of_another_revision_of_the_plan_counts_for_nothing(other):
    bare = state(Phase.SHADOW)
    before = asked(bare, world(bare))
    yes = answer(before.asked)
    assert decide(before, PLAN, world(before, approvals=(yes,)), HASH).move is Move.ADVANCE
    assert decide(before, PLAN, world(before, approvals=(yes,)), other).move is Move.HOLD
    stale = world(before, approvals=(replace(yes, plan_hash=other),))
    assert decide(before, PLAN, stale, HASH).move is Move.HOLD


@given(cases(without=(Verb.ABORT, Verb.ROLLBACK)))
def test_law_12_a_plane_off_the_record_leaves_the_lower_share_and_an_operator(case):
    before, seen, of = case
    assume(seen.lease and failing(seen.scorecard) is None)
    seen = replace(seen, plane=PlaneView.DISAGREES, observed_share_bp=seen.observed_share_bp or 0)
    decision, after = tick(before, seen, of)
    assert (decision.move, decision.waiting_for[0]) == (Move.PAUSE, Waiting.OPERATOR)
    assert after.share_bp == min(before.share_bp, seen.observed_share_bp)
    assert after.generation > max(before.generation, seen.observed_generation or 0)
    assert after.paused is not None


@given(cases(), st.sampled_from([PlaneView.BEHIND, PlaneView.UNREACHABLE]))
def test_law_12_an_unfinished_write_is_never_advanced_on(case, view):
    before, seen, of = case
    decision, after = tick(before, replace(seen, plane=view, observed_share_bp=None), of)
    assert decision.move not in UP
    assert after.outcome is not Outcome.PROMOTED
    assert after.share_bp <= before.share_bp


@given(live_states(), st.sampled_from(["step_back", "freeze"]), st.integers(0, 100))
def test_law_13_stepping_back_and_freezing_are_as_safe_as_rolling_back(before, way, hours):
    of, now = PLANS[way], APRIL + 21 * DAY
    harm = card(failed="quality")
    _, after = tick(before, world(before, now, scorecard=harm), of)
    assert after.share_bp < before.share_bp or after.share_bp == 0
    # Whatever comes next: no share rises before the plane confirmed, the dwell passed and a gate proved it.
    if after.phase in LIVE:
        later = now + hours * HOUR
        resume = (order(Verb.RESUME),)
        _, then = tick(after, world(after, later, confirmed_at=None, orders=resume), of)
        assert then.share_bp <= after.share_bp
        _, then = tick(after, world(after, later, scorecard=harm, orders=resume), of)
        assert then.share_bp == 0


@given(cases())
def test_law_14_the_same_state_and_world_give_the_same_decision(case):
    before, seen, of = case
    assert tick(before, seen, of) == tick(before, seen, of)
    settled = settle(before, seen)
    assert tick(settled, seen, of) == tick(before, seen, of)


@given(cases())
def test_every_hold_says_what_for_and_a_due_time_is_still_to_come(case):
    before, seen, of = case
    decision, after = tick(before, seen, of)
    assert decision.reasons
    assert decision.move is not Move.HOLD or decision.waiting_for
    assert decision.due is None or decision.due > seen.now
    assert after.waiting_for == decision.waiting_for
