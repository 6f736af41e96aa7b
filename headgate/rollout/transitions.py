"""Which moves are possible from where, whatever a rule says."""

from __future__ import annotations

from headgate.errors import IllegalTransition
from headgate.plan.model import Plan
from headgate.rollout.moment import at_zero
from headgate.rollout.state import LIVE, Decision, Move, Outcome, Phase, State, Verb, World

_ENDING = frozenset({Move.ROLL_BACK, Move.ABORT, Move.EXPIRE})
_MOVES: dict[Phase, frozenset[Move]] = {
    Phase.QUEUED: frozenset({Move.HOLD, Move.ADVANCE, Move.ABORT, Move.EXPIRE, Move.FINISH}),
    Phase.PREFLIGHT: frozenset({Move.HOLD, Move.ADVANCE, Move.ABORT, Move.EXPIRE, Move.FINISH}),
    Phase.SHADOW: frozenset(Move),
    Phase.RAMP: frozenset(Move),
    Phase.WATCH: frozenset(Move) - {Move.ADVANCE, Move.ASK},
    Phase.ROLLING_BACK: frozenset({Move.HOLD, Move.FINISH}) | _ENDING,
    Phase.DONE: frozenset({Move.HOLD}),
}


def refuse_impossible(state: State, decision: Decision, plan: Plan, world: World) -> None:
    """Raise `IllegalTransition` where the move is impossible from this state.

    Written apart from the rules on purpose: a rule that goes wrong is stopped here.
    """
    move, outcome = decision.move, decision.outcome
    why = None
    possible = _MOVES[state.phase] | _by_undo(state, world)
    if move not in possible:
        why = f"from {state.phase} only {', '.join(sorted(possible))}"
    elif move is Move.ASK and decision.asked is None:
        why = "there is no question in it"
    elif move in (Move.PAUSE, Move.FREEZE) and decision.pause is None:
        why = "there is no pause in it"
    elif move in _ENDING | {Move.FINISH} and outcome is None:
        why = "it does not say how the rollout ends"
    elif move is Move.STEP_BACK and (state.step == 0 or state.step_backs):
        why = "it is in shadow or stepped back once already: roll back"
    elif move is Move.ADVANCE or outcome is Outcome.PROMOTED:
        why = _why_not_up(state, move, outcome)
    elif move is Move.FINISH:
        why = _why_not_over(state, outcome, world)
    if why is not None:
        raise IllegalTransition(f"{state.rollout}: cannot {move} at step {state.step} of {plan.name}: {why}")


def _by_undo(state: State, world: World) -> frozenset[Move]:
    """Return what an undo makes possible: a promotion can be taken back, and nothing else that is done."""
    undone = world.lease and any(order.verb is Verb.UNDO for order in world.orders)
    promoted = state.phase is Phase.DONE and state.outcome is Outcome.PROMOTED
    return frozenset({Move.ROLL_BACK}) if undone and promoted else frozenset()


def _why_not_up(state: State, move: Move, outcome: Outcome | None) -> str | None:
    if outcome is Outcome.PROMOTED and (move is not Move.FINISH or state.phase is not Phase.WATCH):
        return "only a watch that is over promotes"
    if state.phase not in LIVE:
        return None
    if state.paused is not None:
        return f"it is paused ({state.paused.reason}): resume it first"
    if state.confirmed_at is None:
        return f"the plane has not confirmed {state.share_bp} basis points yet"
    return None


def _why_not_over(state: State, outcome: Outcome | None, world: World) -> str | None:
    if state.phase is Phase.ROLLING_BACK and outcome is not state.outcome:
        return f"its outcome was decided on entry: {state.outcome}"
    if not at_zero(state, world):
        return "the plane does not report share 0 yet"
    return None
