"""How a tick ends in Prefect's list of runs: a state named by what was decided, with the reason in it.

The list shows names of states, not results. The type stays COMPLETED, so nothing that Prefect does
depends on it; only events are named by it (``prefect.flow-run.Held``): automations match by type.
"""

from __future__ import annotations

from typing import cast

from prefect.client.schemas.objects import State
from prefect.states import Completed

from headgate.report.words import OUTCOMES, waiting_sentence
from headgate.rollout.state import Decision, Move

#: Never Prefect's own words: "Paused" would stand in the queue of runs that wait for an answer.
_NAMES = {
    Move.HOLD: "Held",
    Move.ASK: "Asked",
    Move.ADVANCE: "Advanced",
    Move.PAUSE: "Rollout paused",
    Move.STEP_BACK: "Stepped back",
    Move.FREEZE: "Frozen",
    Move.ROLL_BACK: "Rolling back",
    Move.ABORT: "Aborted",
    Move.FINISH: "Finished",
    Move.EXPIRE: "Expired",
}
#: Characters of a message; the ledger has the rest.
_LONGEST = 500


def ended(decision: Decision | None) -> Decision | None:
    """Return the state a tick ends with: to whoever calls the flow it is the decision, as the type says."""
    if decision is None:
        return _as_result(
            Completed(name="Nothing to do", message="no rollout is open, or another tick owns the step")
        )
    name = _NAMES[decision.move]
    if decision.move is Move.FINISH and decision.outcome is not None:
        name = OUTCOMES[decision.outcome].capitalize()
    why = "; ".join(filter(None, (waiting_sentence(decision.waiting_for), decision.reason)))
    message = why if len(why) <= _LONGEST else why[: _LONGEST - 1] + "…"
    return _as_result(Completed(name=name, message=message, data=decision))


def _as_result(state: State[Decision]) -> Decision | None:
    # Prefect hands a returned state's data to the caller; no type checker knows that.
    return cast("Decision | None", state)
