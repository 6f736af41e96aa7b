"""M19: what happens when a server keeps its version and does something else with a request."""

import pytest

from headgate.rollout.state import Move, Outcome, Phase, Verb, Waiting
from tests.rollouts import ends, order, paused, state, tick, world

CANDIDATE = (None, "gbm-2 tells steps 1111; with steps 2222 it was judged")
INCUMBENT = ("step minutes is dropped", None)


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.RAMP, Phase.WATCH])
@pytest.mark.parametrize("pause", [None, paused()])
def test_a_candidate_whose_steps_changed_is_rolled_back_from_every_live_phase_paused_or_not(phase, pause):
    before = state(phase, paused=pause)
    decision, after = tick(before, world(before, steps_changed=CANDIDATE))
    assert decision.move is Move.ROLL_BACK
    assert decision.reason == f"the candidate's preprocessing changed under its version: {CANDIDATE[1]}"
    done = Phase.ROLLING_BACK if before.share_bp else Phase.DONE
    assert ends(done, Outcome.ROLLED_BACK, after)


def test_an_abort_still_beats_it_and_in_preflight_there_is_nothing_to_roll_back():
    before = state(Phase.RAMP)
    assert (
        tick(before, world(before, steps_changed=CANDIDATE, orders=(order(Verb.ABORT),)))[0].move
        is Move.ABORT
    )
    early = state(Phase.PREFLIGHT)
    assert tick(early, world(early, steps_changed=CANDIDATE))[0].move is Move.ADVANCE


def test_an_incumbent_whose_steps_changed_pauses_and_starts_fresh_evidence_once():
    for before in (state(), state(paused=paused())):
        seen = world(before, steps_changed=INCUMBENT, orders=(order(Verb.RESUME),))
        decision, after = tick(before, seen)
        assert (decision.move, decision.waiting_for) == (Move.PAUSE, (Waiting.OPERATOR,))
        assert "step minutes is dropped: evidence starts afresh" in after.paused.reason
        assert (after.fresh_since, after.reentries) == (seen.now, before.reentries + 1)
        again = tick(after, world(after, steps_changed=INCUMBENT))[1]
        assert again == after
        # Whoever resumes has seen it: from then on the tick no longer reports it.
        resumed = tick(after, world(after, orders=(order(Verb.RESUME),)))[1]
        assert (resumed.paused, resumed.fresh_since) == (None, seen.now)
