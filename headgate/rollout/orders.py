"""An operator's buttons: which are allowed where, and which one counts."""

from __future__ import annotations

from headgate.rollout.state import LIVE, Order, Outcome, Phase, PlaneView, State, Verb, World
from headgate.verdicts import Role, Scorecard, Verdict

#: Outcomes after which the same frozen plan may be tried again, as a rollout of its own.
TRIED = frozenset({Outcome.ROLLED_BACK, Outcome.REJECTED, Outcome.ABORTED, Outcome.EXPIRED})


def legal(verb: Verb, state: State) -> str | None:
    """Return None where the verb is allowed, else why not and what is allowed instead.

    Rolling back a rollout that is rolling back is allowed and changes nothing: twice is once.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> at = datetime(2013, 4, 1, tzinfo=UTC)
    >>> legal(Verb.RESUME, State("flights-gbm-1", Phase.SHADOW, at, at))
    'resume: flights-gbm-1 is in shadow and not paused; allowed now: rollback, abort, pause'
    """
    return None if verb in _allowed(state) else f"{verb}: {whereabouts(state)}"


def whereabouts(state: State) -> str:
    """Return where a rollout stands and what is allowed there, as a refusal says it.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> at = datetime(2013, 4, 1, tzinfo=UTC)
    >>> whereabouts(State("flights-gbm-1", Phase.DONE, at, at, outcome=Outcome.EXPIRED))
    'flights-gbm-1 is done (expired); allowed now: retry, which opens a new rollout'
    """
    where = {
        Phase.DONE: f"is done ({state.outcome})",
        Phase.ROLLING_BACK: f"is rolling back already (it will end {state.outcome})",
    }.get(state.phase, f"is in {state.phase}")
    if state.phase in LIVE:
        where += " and paused" if state.paused else " and not paused"
    left = "retry, which opens a new rollout" if state.outcome in TRIED else "nothing"
    return f"{state.rollout} {where}; allowed now: {', '.join(_allowed(state)) or left}"


def _allowed(state: State) -> tuple[Verb, ...]:
    match state.phase:
        case Phase.QUEUED | Phase.PREFLIGHT:
            return (Verb.ABORT,)
        case Phase.SHADOW | Phase.RAMP | Phase.WATCH:
            return (Verb.ROLLBACK, Verb.ABORT, Verb.RESUME if state.paused else Verb.PAUSE)
        case Phase.ROLLING_BACK:
            return (Verb.ROLLBACK,)
        case Phase.DONE:
            return (Verb.UNDO,) if state.outcome is Outcome.PROMOTED else ()


def pressed(world: World, *verbs: Verb) -> Order | None:
    """Return the latest order with one of these verbs."""
    orders = [order for order in world.orders if order.verb in verbs]
    return max(orders, key=lambda order: order.id, default=None)


def pausing(state: State, world: World) -> Order | None:
    """Return the order that pauses the rollout now, if any; a later resume takes it back."""
    last = pressed(world, Verb.PAUSE, Verb.RESUME)
    wanted = last is not None and last.verb is Verb.PAUSE
    return last if wanted and state.phase in LIVE and state.paused is None else None


def resuming(state: State, world: World) -> Order | None:
    """Return the order that ends the pause now, if any.

    A failed guardrail, a plane that is not where the record says, and an incumbent that changed just
    now are stronger than the operator's wish: they would pause it again in the same tick.
    """
    last = pressed(world, Verb.PAUSE, Verb.RESUME)
    if last is None or last.verb is not Verb.RESUME or state.phase not in LIVE or state.paused is None:
        return None
    stronger = (
        failing(world.scorecard) is not None
        or world.plane is PlaneView.DISAGREES
        or new_incumbent(state, world) is not None
        or world.steps_changed[0] is not None
    )
    return None if stronger else last


def new_incumbent(state: State, world: World) -> str | None:
    """Return the incumbent's version if it is not the one this rollout is measured against."""
    version = world.versions[0]
    return version if state.versions and version not in (None, state.versions[0]) else None


def changed_just_now(state: State, world: World) -> bool:
    """Return whether the incumbent's preprocessing changed, and no pause has told of it yet."""
    changed = world.steps_changed[0]
    return changed is not None and (state.paused is None or changed not in state.paused.reason)


def failing(scorecard: Scorecard) -> str | None:
    """Return the guardrail that failed, or None.

    A guardrail whose own row says ``fail`` counts even if the scorecard named none: a fail beats every
    other verdict beside it.
    """
    rows = (
        f"{v.gate}[{v.segment}]" if v.segment else v.gate
        for v in scorecard.deciding()
        if v.role is Role.GUARDRAIL and v.verdict is Verdict.FAIL
    )
    return scorecard.failed or next(rows, None)


def unheeded(state: State, world: World) -> tuple[str, ...]:
    """Return a sentence for each order that this tick cannot act on: the tick spends it all the same."""
    sentences = []
    for order in world.orders:
        why = legal(order.verb, state)
        if order.verb is Verb.RESUME and why is None and resuming(state, world) is None:
            why = "resume: something stronger keeps it paused; press it again when that is settled"
        if why is not None:
            sentences.append(f"order {order.id} of {order.by} had no effect ({why})")
    return tuple(sentences)
