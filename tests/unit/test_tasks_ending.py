"""What Prefect's list of runs says of a tick."""

import pytest

from headgate.rollout.state import Decision, Move, Outcome, Waiting
from tasks.ending import ended

PREFECTS_OWN = {
    "Completed",
    "Cancelled",
    "Crashed",
    "Failed",
    "Late",
    "Paused",
    "Pending",
    "Running",
    "Suspended",
}


@pytest.mark.parametrize("move", list(Move))
def test_every_move_has_a_name_of_its_own_and_is_a_success_to_prefect(move):
    state = ended(Decision(move, ("why",)))
    assert state.is_completed()
    assert state.name not in PREFECTS_OWN
    assert state.data == Decision(move, ("why",))


def test_a_state_says_what_is_waited_for_and_how_it_ended():
    held = ended(Decision(Move.HOLD, ("quality: 3 of 28 blocks",), (Waiting.SAMPLES,)))
    assert (held.name, held.message) == ("Held", "waiting for more evidence; quality: 3 of 28 blocks")
    assert ended(Decision(Move.FINISH, ("over",), outcome=Outcome.PROMOTED)).name == "Promoted"
    assert ended(None).data is None
    assert len(ended(Decision(Move.HOLD, ("x" * 9_000,))).message) == 500
