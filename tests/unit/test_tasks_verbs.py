"""Taking a promotion back, trying again, and who is told what is allowed instead."""

from __future__ import annotations

from datetime import timedelta

import pytest

from headgate.adapters import store
from headgate.errors import IllegalTransition, InputError
from headgate.rollout.state import Outcome, Phase, Verb
from tasks import verbs
from tasks.ledger import case_of, take_case
from tests.builders import APRIL, plan
from tests.integration.stores import OPENED_BY, tick

SERVICE = "flight-delays"
LATER = APRIL + timedelta(days=30)
WHO_AND_WHY = ("chief@example.org", "it is slower than we thought", LATER)


def ended(wired, outcome=Outcome.PROMOTED, **changes):
    """A rollout that is over, with its share at the candidate if it was promoted."""
    rollout = store.open_rollout(wired.engine, plan(**changes), APRIL, OPENED_BY)
    promoted = outcome is Outcome.PROMOTED
    over = tick(
        rollout, phase=Phase.DONE, outcome=outcome, share_bp=10_000 if promoted else 0,
        step=3 if promoted else 0, generation=5, versions=("logistic-1", "gbm-2"),
    )  # fmt: skip
    return store.record(wired.engine, rollout, over)


# ---------------------------------------------------------------- undo


def test_an_undo_opens_the_rollout_again_with_a_higher_token_and_its_order(wired):
    promoted = ended(wired)
    assert verbs.undo(SERVICE, *WHO_AND_WHY) == promoted.id
    again = store.holder(wired.engine, SERVICE)
    assert (again.id, again.done, again.token) == (promoted.id, False, promoted.token + 1)
    (order,) = store.open_orders(wired.engine, promoted.id)
    assert (order.verb, order.by, order.reason) == (Verb.UNDO, *WHO_AND_WHY[:2])
    case = take_case.fn(SERVICE, LATER)
    assert [one.state.outcome for one in case.each_open()] == [Outcome.PROMOTED]


def test_undoing_twice_is_once(wired):
    promoted = ended(wired)
    verbs.undo(SERVICE, *WHO_AND_WHY)
    verbs.undo(SERVICE, *WHO_AND_WHY)
    assert store.holder(wired.engine, SERVICE).token == promoted.token + 1
    assert len(store.open_orders(wired.engine, promoted.id)) == 2


@pytest.mark.parametrize("phase", [Phase.PREFLIGHT, Phase.RAMP])
def test_a_promotion_is_not_taken_back_from_under_the_rollout_that_came_after_it(wired, phase):
    promoted = ended(wired)
    new = store.open_rollout(wired.engine, plan(name="next"), LATER, OPENED_BY)
    store.record(wired.engine, new, tick(new, phase=phase))
    allowed = {Phase.PREFLIGHT: "allowed now: abort", Phase.RAMP: "allowed now: rollback, abort, pause"}
    with pytest.raises(IllegalTransition, match=f"undo: next-1 is in .*{allowed[phase]}"):
        verbs.undo(SERVICE, *WHO_AND_WHY)
    with pytest.raises(IllegalTransition, match="next-1 holds flight-delays now; roll that one back"):
        store.reopen(wired.engine, promoted.id, *WHO_AND_WHY)
    assert store.orders(wired.engine, promoted.id) == ()


def test_a_rollout_that_reached_the_plane_ends_the_time_in_which_the_one_before_can_be_undone(wired):
    promoted = ended(wired)
    new = store.open_rollout(wired.engine, plan(name="next"), LATER, OPENED_BY)
    store.record(wired.engine, new, tick(new, phase=Phase.DONE, outcome=Outcome.ABORTED, generation=2))
    with pytest.raises(IllegalTransition, match=r"next-1 is done \(aborted\); allowed now: retry"):
        verbs.undo(SERVICE, *WHO_AND_WHY)
    with pytest.raises(IllegalTransition, match="next-1 moved the traffic"):
        store.reopen(wired.engine, promoted.id, *WHO_AND_WHY)
    assert store.holder(wired.engine, SERVICE) is None
    assert store.orders(wired.engine, promoted.id) == ()


def test_a_rollout_that_never_reached_the_plane_does_not_stand_in_the_way_of_an_undo(wired):
    promoted = ended(wired)
    new = store.open_rollout(wired.engine, plan(name="next"), LATER, OPENED_BY)
    store.record(wired.engine, new, tick(new, phase=Phase.DONE, outcome=Outcome.REJECTED))
    assert verbs.undo(SERVICE, *WHO_AND_WHY) == promoted.id
    assert store.holder(wired.engine, SERVICE).token == promoted.token + 2


def test_an_undo_needs_a_service_a_reason_and_a_person_and_leaves_all_closed_without(wired):
    promoted = ended(wired)
    with pytest.raises(InputError, match="'fraud'; it never had a rollout; services: flight-delays"):
        verbs.undo("fraud", *WHO_AND_WHY)
    with pytest.raises(InputError, match="asked a reason"):
        verbs.undo(SERVICE, "chief@example.org", " ", LATER)
    with pytest.raises(InputError, match="asked the slice 'west'"):
        verbs.undo(SERVICE, *WHO_AND_WHY, "west")
    assert store.get(wired.engine, promoted.id) == promoted
    assert store.holder(wired.engine, SERVICE) is None


def test_a_queued_rollout_waits_for_an_undo_to_end(wired):
    ended(wired)
    verbs.undo(SERVICE, *WHO_AND_WHY)
    queued = store.open_rollout(wired.engine, plan(name="next"), LATER, OPENED_BY)
    assert verbs.queued_behind(queued.id) == "flights-gbm-1"
    assert store.promote_queue(wired.engine, SERVICE, LATER) is None


# ---------------------------------------------------------------- retry


@pytest.mark.parametrize("outcome", [Outcome.ROLLED_BACK, Outcome.REJECTED, Outcome.ABORTED, Outcome.EXPIRED])
@pytest.mark.parametrize("named", ["flights-gbm-1", SERVICE])
def test_what_ended_without_a_promotion_is_tried_again_with_the_same_frozen_plan(wired, outcome, named):
    first = ended(wired, outcome)
    new = store.get(wired.engine, verbs.retry(named, *WHO_AND_WHY))
    assert (new.id, new.plan_hash, new.attempt) == ("flights-gbm-2", first.plan_hash, 2)
    assert new.token == first.token + 1
    row = store.last_tick(wired.engine, new.id)
    assert row.state.phase is Phase.PREFLIGHT
    assert row.decision.reasons[0] == (
        f"chief@example.org tries flights-gbm-1 again, which ended {outcome}: it is slower than we thought"
    )
    assert store.get(wired.engine, first.id) == first
    assert case_of(store.get(wired.engine, first.id)).state.outcome is outcome


def test_what_runs_or_was_promoted_is_not_tried_again_and_says_what_is_allowed(wired):
    promoted = ended(wired)
    with pytest.raises(
        IllegalTransition, match=r"retry: flights-gbm-1 is done \(promoted\); allowed now: undo"
    ):
        verbs.retry(promoted.id, *WHO_AND_WHY)
    running = store.open_rollout(wired.engine, plan(name="next"), LATER, OPENED_BY)
    with pytest.raises(IllegalTransition, match="retry: next-1 is in preflight; allowed now: abort"):
        verbs.retry(running.id, *WHO_AND_WHY)
    with pytest.raises(InputError, match="asked the rollout 'fraud'"):
        verbs.retry("fraud", *WHO_AND_WHY)
    assert len(store.rollouts(wired.engine)) == 2


def test_a_retry_queues_behind_the_rollout_that_holds_the_service(wired):
    first = ended(wired, Outcome.EXPIRED)
    running = store.open_rollout(wired.engine, plan(name="next"), LATER, OPENED_BY)
    new = verbs.retry(first.id, *WHO_AND_WHY)
    assert verbs.queued_behind(new) == running.id
    assert verbs.queued_behind(running.id) is None
    with pytest.raises(InputError, match="its rollout flights-gbm-2 is not done"):
        verbs.retry(first.id, *WHO_AND_WHY)


# ---------------------------------------------------------------- plans edited meanwhile


def test_a_plan_edited_under_its_running_rollout_is_refused_and_another_candidate_queues(wired):
    running = store.open_rollout(wired.engine, plan(), APRIL, OPENED_BY)
    with pytest.raises(
        InputError, match=r"flights-gbm-1 is not done and keeps the plan as it was frozen.*abort"
    ):
        store.open_rollout(wired.engine, plan(watch="9d"), LATER, OPENED_BY)
    newer = {**plan().canonical()["candidate"], "version": "gbm-3"}
    queued = store.open_rollout(wired.engine, plan(candidate=newer), LATER, OPENED_BY)
    assert verbs.queued_behind(queued.id) == running.id
    running = store.get(wired.engine, running.id)
    store.record(wired.engine, running, tick(running, phase=Phase.DONE, outcome=Outcome.ABORTED))
    assert store.open_rollout(wired.engine, plan(watch="9d"), LATER, OPENED_BY).id == "flights-gbm-3"
