"""What an operator's button and a changed version lead to, and that twice is once."""

from __future__ import annotations

import itertools

import pytest

from flows.buttons import rollback
from headgate.adapters import store
from headgate.errors import IllegalTransition, InputError
from headgate.rollout.state import Move, Outcome, Phase, Verb, Waiting
from headgate.verdicts import Verdict
from tasks.verbs import press
from tests.scenarios.small import HOUR
from tests.scenarios.world import SERVICE

pytestmark = [pytest.mark.prefect]
OPERATOR = "operator@example.org"


# ---------------------------------------------------------------- the operator's button


@pytest.mark.parametrize(("stage", "share"), [("shadow", 0), ("ramp", 1000), ("watch", 10_000)])
def test_an_operator_rolls_back_with_a_reason_from(story, stage, share):
    """M13: who, why and when are on record, and the plane itself reports 0."""
    small = story(stage)
    assert small.plane.observe().share_bp == share
    rollback(SERVICE, "complaints from the desk", OPERATOR, now=small.now)
    assert small.plane.observe().share_bp == 0
    moved = small.last()
    assert moved.decision.move is Move.ROLL_BACK
    assert moved.decision.reason.startswith(f"{OPERATOR} ordered a rollback: complaints from the desk")
    if share:
        assert moved.state.phase is Phase.ROLLING_BACK
        small.now += HOUR
        small.tick()
    last = small.last()
    assert (last.state.phase, last.state.outcome) == (Phase.DONE, Outcome.ROLLED_BACK)
    assert not small.plane.observe().mirror
    pressed = store.orders(small.engine, small.rollout)
    assert [(order.verb, order.by, order.reason) for order in pressed] == [
        (Verb.ROLLBACK, OPERATOR, "complaints from the desk")
    ]
    assert store.open_orders(small.engine, small.rollout) == ()
    with pytest.raises(InputError, match="no rollout of it is open"):
        rollback(SERVICE, "once more", OPERATOR, now=small.now)


def test_rolling_back_twice_is_once(story):
    """Law 3."""
    small = story("ramp")
    rollback(SERVICE, "complaints", OPERATOR, now=small.now)
    rollback(SERVICE, "more complaints", OPERATOR, now=small.now)
    last = small.last()
    assert (last.state.phase, last.state.outcome) == (Phase.DONE, Outcome.ROLLED_BACK)
    assert small.plane.observe().share_bp == 0


def test_a_rollback_without_a_reason_is_refused_and_moves_nothing(story):
    """M13."""
    small = story("ramp")
    with pytest.raises(InputError, match="asked a reason"):
        rollback(SERVICE, "  ", OPERATOR, now=small.now)
    assert small.plane.observe().share_bp == 1000


def test_a_rollback_before_there_is_traffic_is_refused_and_says_what_is_allowed(small):
    small.open()
    with pytest.raises(IllegalTransition, match="allowed now: abort"):
        rollback(SERVICE, "too early", OPERATOR, now=small.now)


# ---------------------------------------------------------------- versions


@pytest.mark.parametrize("stage", ["shadow", "ramp", "watch"])
def test_a_candidate_whose_version_changes_is_rolled_back(story, stage):
    """What is served is not what was judged."""
    small = story(stage)
    small.candidate.version = "gbm-3"
    last = small.tick()
    assert last.decision.move is Move.ROLL_BACK
    assert last.decision.reason == "the candidate answers as version gbm-3; gbm-2 was judged"
    assert small.plane.observe().share_bp == 0
    small.now += HOUR
    if stage != "shadow":
        small.tick()
    assert small.last().state.outcome is Outcome.ROLLED_BACK


def test_an_incumbent_whose_version_changes_pauses_and_the_proof_starts_afresh(story):
    small = story("ramp")
    changed = small.now
    small.incumbent.version = "logistic-2"
    last = small.tick()
    assert last.decision.move is Move.PAUSE
    assert last.decision.waiting_for == (Waiting.OPERATOR,)
    assert "logistic-2, no longer logistic-1: evidence starts afresh" in last.decision.reason
    assert (last.state.versions, last.state.fresh_since) == (("logistic-2", "gbm-2"), changed)
    assert small.after(18).decision.move is Move.HOLD  # it would have gone to 50 % by now
    assert small.plane.observe().share_bp == 1000

    press(SERVICE, Verb.RESUME, OPERATOR, "logistic-2 is meant", small.now)
    last = small.tick()
    assert last.state.paused is None
    assert last.state.share_bp == 1000
    quality = last.verdicts[0]
    before = small.ticks[-3].verdicts[0]
    assert 0 < quality.samples < before.samples
    assert quality.log_threshold_advance > before.log_threshold_advance  # a further attempt
    assert quality.verdict is not Verdict.PASS


# ---------------------------------------------------------------- twice is once


def test_the_same_window_run_twice_counts_once_and_windows_of_another_length_go_on_from_there(story):
    small = story("shadow")
    small.now += 12 * HOUR
    assert small.shadow("8h") == 1
    calls, evidence = small.candidate.calls, small.evidence()
    windows = store.windows(small.engine, small.rollout)
    assert small.shadow("8h") == 0
    assert small.candidate.calls == calls
    assert small.evidence() == evidence
    assert small.shadow("4h") == 1
    assert store.windows(small.engine, small.rollout)[:-1] == windows
    ends = [(w.start, w.end) for w in store.windows(small.engine, small.rollout)]
    assert all(a[1] == b[0] for a, b in itertools.pairwise(ends))
    assert [w.counts["read"] for w in store.windows(small.engine, small.rollout)] == [24, 48, 24]


def test_a_tick_repeated_at_the_same_time_changes_nothing_but_the_ledger(story):
    small = story("ramp")
    first = small.tick()
    evidence = small.evidence()
    second = small.tick()
    assert second.tick == first.tick + 1
    assert second.state == first.state
    assert second.verdicts == first.verdicts
    assert small.evidence() == evidence
