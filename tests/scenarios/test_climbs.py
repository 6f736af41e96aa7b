"""Whole climbs: what it takes to get to full traffic, and what never does."""

from __future__ import annotations

import itertools

import pytest

from flows.buttons import rollback
from headgate.adapters import store
from headgate.gates import judge
from headgate.rollout import confirmed, standing
from headgate.rollout.state import Answer, Move, Outcome, Phase, Waiting
from headgate.verdicts import Verdict
from tests.scenarios.small import DAY, HOUR, logs, permuted, worse
from tests.scenarios.world import SERVICE, told, world

pytestmark = [pytest.mark.prefect]


def test_a_better_model_climbs_to_promotion_through_an_approval_that_was_asked_and_replays_bit_for_bit(story):
    """M1, M3, M13, law 14."""
    small = story("promoted")
    ticks = store.ticks(small.engine, small.rollout)

    climb = [tick.state.share_bp for tick in ticks]
    assert climb == sorted(climb)
    assert list(dict.fromkeys(climb)) == [0, 1000, 5000, 10_000]
    assert ticks[-1].state.outcome is Outcome.PROMOTED
    assert small.plane.observe().share_bp == 10_000
    ask = next(i for i, tick in enumerate(ticks) if tick.decision.move is Move.ASK)
    assert ticks[ask + 1].decision.move is Move.ADVANCE
    assert "approved by chief@example.org" in ticks[ask + 1].decision.reason
    assert [a.approver for a in store.approvals(small.engine, small.rollout)] == ["chief@example.org"]

    # Shadow came first, every request was scored by both sides, and there is no window twice.
    windows = store.windows(small.engine, small.rollout)
    assert len(windows) >= 20
    assert {window.counts["read"] for window in windows} == {24}
    assert all(w.counts["incumbent_ok"] == w.counts["candidate_ok"] == 24 for w in windows)
    assert all(a.end == b.start for a, b in itertools.pairwise(windows))
    assert ticks[ask].state.phase is Phase.SHADOW

    _replays(small, ticks)


def _replays(small, ticks):
    """Judge the evidence up to each row's mark again, and expect what was recorded, to the last bit."""
    rollout = store.get(small.engine, small.rollout)
    plan = store.plan_of(small.engine, rollout.plan_hash)
    segments = {k: tuple(v) for k, v in store.facts(small.engine, rollout.id)["segments"].items()}
    seen = {c.generation: c.at for c in store.confirmations(small.engine, rollout.id)}
    judged = 0
    for before, tick in itertools.pairwise(ticks):
        at = seen.get(before.state.generation)
        state = confirmed(before.state, at if at and at <= tick.at else None)
        known = segments if state.phase not in (Phase.QUEUED, Phase.PREFLIGHT) else None
        rows = store.evidence(small.engine, rollout.id, up_to=tick.evidence_mark)
        card = judge(plan, rows[::-1], standing(state, tick.at, rollout.attempt, known))
        assert card.verdicts == tick.verdicts, told(tick)
        assert (card.log_harm, card.log_harm_threshold) == (tick.log_harm, tick.log_harm_threshold)
        judged += any(v.verdict is Verdict.PASS for v in card.verdicts)
    assert judged >= 5


def test_a_model_that_is_worse_never_leaves_shadow(small):
    """M3."""
    small.candidate.answer = worse
    small.open()
    small.tick()
    last = small.until(Phase.DONE)
    assert last.state.outcome is Outcome.ROLLED_BACK
    assert last.decision.reason.startswith("guardrail quality")
    assert set(small.shares) == {0}


def test_a_model_that_turns_worse_on_the_ramp_falls_back_to_zero_and_never_exceeded_its_step(story):
    """M3: the proof it carried from shadow does not save it."""
    small = story("ramp")
    small.candidate.answer = worse
    small.until(Move.ROLL_BACK, hours=11)  # an hour short of the dwell: it must not slip up a step meanwhile
    last = small.until(Phase.DONE, hours=1)
    assert last.state.outcome is Outcome.ROLLED_BACK
    assert max(small.shares) == 1000
    assert small.plane.observe().share_bp == 0


@pytest.mark.usefixtures("prefect")
@pytest.mark.parametrize("shuffled", [False, True])
def test_nothing_is_promoted_on_permuted_outcomes(tmp_path, models, shuffled):
    """M27, with a look every twelve hours: what the true labels prove, labels of other requests do not."""
    asked = {"margin": -0.01, "expect": -0.12, "harm": 0.1}
    outcomes = permuted(logs()[1]) if shuffled else logs()[1]
    with world(tmp_path / "world", models, outcomes=outcomes) as small:
        gates = [small.body()["gates"][0] | asked, small.body()["gates"][1]]
        # Half as bold as the truth: better by 0.12 with the true labels, and hardly worse with shuffled ones.
        small.candidate.answer = lambda columns: [0.5 + (value - 0.5) / 2 for value in columns["signal"]]
        small.open(gates=gates, segments=None, deadline={"step": "4d", "rollout": "5d"}, watch="1h")
        small.tick()
        last = small.until(Move.ASK, Phase.DONE, hours=12, most=9)
        assert set(small.shares) == {0}
        if not shuffled:
            assert last.decision.move is Move.ASK
            return
        assert last.state.outcome in (Outcome.EXPIRED, Outcome.ROLLED_BACK)
        quality = last.verdicts[0]
        assert quality.samples >= 20
        assert quality.log_e_advance < 0


@pytest.mark.usefixtures("prefect")
def test_without_labels_it_holds_and_expires_at_the_deadline(tmp_path, models):
    """M26: silence is no proof, and time that is up is none either."""
    with world(tmp_path / "world", models, outcomes=logs()[1].slice(0, 0)) as small:
        small.open(deadline={"step": "3d", "rollout": "20d"})
        small.tick()
        last = small.until(Phase.DONE)
        assert last.state.outcome is Outcome.EXPIRED
        assert last.at >= small.ticks[0].at + 3 * DAY
        held = small.ticks[1:-1]
        assert {tick.decision.move for tick in held} == {Move.HOLD}
        assert Waiting.SAMPLES in held[-1].decision.waiting_for
        assert held[-1].verdicts[0].verdict is Verdict.INCONCLUSIVE
        assert set(small.shares) == {0}
        assert not small.plane.observe().mirror


def test_a_question_nobody_answers_expires_is_asked_again_and_never_promotes(story):
    """M3: silence is no yes."""
    small = story("asked")
    first = small.ticks[-1].decision.asked
    assert small.after(8).decision.waiting_for == (Waiting.APPROVAL,)
    second = small.until(Move.ASK).decision.asked
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.at >= first.expires_at
    last = small.until(Phase.DONE, hours=48)
    assert last.state.outcome is Outcome.EXPIRED
    assert set(small.shares) == {0}


def test_an_approval_is_void_once_the_evidence_is_another(story):
    """M3: what was approved is not what would be promoted."""
    small = story("asked")
    small.approve()
    # Before the next tick a day of wrong answers is scored: quality no longer passes.
    small.candidate.answer = worse
    last = small.after(19)
    assert last.decision.move is not Move.ADVANCE
    assert last.state.asked is None
    assert set(small.shares) == {0}


def test_a_rejected_question_ends_the_rollout_before_any_traffic(story):
    """M3."""
    small = story("asked")
    small.approve(said=Answer.REJECT)
    last = small.tick()
    assert (last.state.phase, last.state.outcome) == (Phase.DONE, Outcome.REJECTED)
    assert not small.plane.observe().mirror


def test_a_second_rollout_of_the_service_queues_and_opens_when_the_first_is_done(small):
    """M3: one rollout per service moves its traffic."""
    first = small.open()
    small.tick()
    second = small.open(name="flights-other")
    queued = store.last_tick(small.engine, second)
    assert queued.state.phase is Phase.QUEUED
    small.after(4)
    assert store.last_tick(small.engine, second).tick == 0
    assert small.shadow() == 0

    rollback(SERVICE, "another one is more urgent", "operator@example.org", now=small.now)
    assert store.get(small.engine, first).done
    small.rollout = second
    small.now += HOUR
    phases = [small.tick().state.phase, small.tick().state.phase]
    assert phases == [Phase.PREFLIGHT, Phase.SHADOW]
    assert small.plane.observe().rollout == second
    assert store.get(small.engine, second).token > store.get(small.engine, first).token
    assert small.shadow() > 0
    assert store.windows(small.engine, second)[0].start == queued.at
    assert not store.windows(small.engine, first)[1:]  # the first one's windows stay as they were
