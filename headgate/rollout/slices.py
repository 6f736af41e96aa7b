"""What the slices of one rollout have in common: how it ends, and one write to the plane."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from headgate.rollout.state import Decision, Move, Outcome, Phase, State

#: Worst first: what a person should hear about.
_WORST = (
    Outcome.ABORTED,
    Outcome.ROLLED_BACK,
    Outcome.REJECTED,
    Outcome.EXPIRED,
    Outcome.SUPERSEDED,
    Outcome.PROMOTED,
)
#: What a tick did, the weightiest first.
_WEIGHT = (
    Move.ABORT,
    Move.ROLL_BACK,
    Move.EXPIRE,
    Move.FREEZE,
    Move.STEP_BACK,
    Move.PAUSE,
    Move.FINISH,
    Move.ADVANCE,
    Move.ASK,
    Move.HOLD,
)


def outcome_of(states: Iterable[State]) -> Outcome | None:
    """Return how a rollout ended: promoted if every slice is, else as its worst slice; None before.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> at = datetime(2013, 4, 1, tzinfo=UTC)
    >>> jfk = State("gbm-1", Phase.DONE, at, at, "jfk", outcome=Outcome.PROMOTED)
    >>> lga = State("gbm-1", Phase.DONE, at, at, "lga", outcome=Outcome.ROLLED_BACK)
    >>> outcome_of([jfk, lga]).value, outcome_of([jfk, replace(lga, phase=Phase.ROLLING_BACK)])
    ('rolled_back', None)
    """
    every = tuple(states)
    ended = {state.outcome for state in every if state.phase is Phase.DONE}
    if not every or any(state.phase is not Phase.DONE for state in every):
        return None
    return next((outcome for outcome in _WORST if outcome in ended), None)


def one_write(
    before: Sequence[State], after: Sequence[State], observed_generation: int | None
) -> tuple[State, ...]:
    """Return the states after a tick, with one generation for all that changed the plane.

    A plane takes the whole route at once: the stays that begin in one tick begin with one write, newer
    than every write of any slice and than what the plane holds.

    Parameters
    ----------
    before
        States of all slices before the tick, done ones included.
    after
        Of those that the tick decided.
    observed_generation
        The generation the plane itself reports for this rollout, None if none.
    """
    known = {state.slice: state.generation for state in before}
    newest = max([*known.values(), observed_generation or 0]) + 1
    return tuple(
        replace(state, generation=newest) if state.generation != known[state.slice] else state
        for state in after
    )


def weightiest(decisions: Sequence[Decision]) -> Decision:
    """Return the decision that a person should hear of first; of equals the first slice's."""
    return min(decisions, key=lambda decision: _WEIGHT.index(decision.move))
