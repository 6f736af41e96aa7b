"""Every button is an order on record and a tick at once; a promotion can be taken back and tried again."""

from __future__ import annotations

import pytest

from flows.buttons import abort, pause, resume, retry, undo
from headgate.adapters import store
from headgate.errors import IllegalTransition
from headgate.rollout.state import Move, Outcome, Phase, Verb, Waiting
from tasks.killing import kill
from tests.scenarios.small import HOUR
from tests.scenarios.world import SERVICE

pytestmark = [pytest.mark.prefect]
OPERATOR = "operator@example.org"


def test_a_promotion_is_taken_back_and_the_same_plan_tried_again(story):
    small = story("promoted")
    evidence, first = small.evidence(), small.last()
    assert (first.state.outcome, small.plane.observe().share_bp) == (Outcome.PROMOTED, 10_000)
    small.now += HOUR
    small.live(small.now - HOUR, small.now)
    assert undo(SERVICE, "the desk complains", OPERATOR, now=small.now) == small.rollout
    back = small.last()
    assert (back.decision.move, back.state.phase) == (Move.ROLL_BACK, Phase.ROLLING_BACK)
    assert back.decision.reason.startswith(f"{OPERATOR} took the promotion back: the desk complains")
    assert small.plane.observe().share_bp == 0
    assert small.evidence() == evidence, "what came after the end changes nothing of it"
    small.now += HOUR
    over = small.tick()
    assert (over.state.phase, over.state.outcome) == (Phase.DONE, Outcome.ROLLED_BACK)
    with pytest.raises(IllegalTransition, match=r"is done \(rolled_back\); allowed now: retry"):
        undo(SERVICE, "again", OPERATOR, now=small.now)

    old, small.rollout = small.rollout, retry(small.rollout, "the desk was wrong", OPERATOR, now=small.now)
    assert small.rollout != old
    assert small.tick().state.phase is Phase.SHADOW
    frozen = {store.get(small.engine, one).plan_hash for one in (old, small.rollout)}
    assert len(frozen) == 1


def test_pause_resume_and_abort_act_at_once(story):
    small = story("ramp")
    pause(SERVICE, "looking into it", OPERATOR, now=small.now)
    assert (small.last().decision.move, small.last().state.share_bp) == (Move.PAUSE, 1000)
    small.now += HOUR
    resume(SERVICE, "all is well", OPERATOR, now=small.now)
    assert small.last().state.paused is None
    abort(SERVICE, "not today", OPERATOR, now=small.now)
    assert (small.last().state.outcome, small.plane.observe().share_bp) == (Outcome.ABORTED, 0)
    assert [order.verb for order in store.orders(small.engine, small.rollout)] == [
        Verb.PAUSE,
        Verb.RESUME,
        Verb.ABORT,
    ]


def test_after_a_kill_that_nobody_wrote_down_the_next_tick_waits_for_an_operator(story):
    """Law 12: the store was away, the share stays 0, and a person decides."""
    small = story("ramp")
    kill(SERVICE, OPERATOR, "the store is gone", small.now, unrecorded=True)
    assert small.plane.observe().share_bp == 0
    small.now += HOUR
    found = small.tick()
    assert (found.decision.move, found.decision.waiting_for) == (Move.PAUSE, (Waiting.OPERATOR,))
    assert (found.state.share_bp, small.plane.observe().share_bp) == (0, 0)
    assert [one.kind for one in store.incidents(small.engine, small.rollout)] == ["plane disagrees"]
    assert small.after(18).state.share_bp == 0
