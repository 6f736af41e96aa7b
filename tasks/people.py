"""What people say: buttons pressed and questions answered. Recorded here, acted on by a tick."""

from __future__ import annotations

from datetime import datetime

from headgate.adapters import store
from headgate.errors import IllegalTransition, InputError
from headgate.plan.model import ALL
from headgate.rollout import legal
from headgate.rollout.state import Answer, Approval, State, Verb
from tasks import wiring


def press(service: str, verb: Verb, by: str, reason: str, now: datetime, slice_: str = ALL) -> str:
    """Record an operator's order on the rollout that holds the service; return its id.

    The order is meant for one slice, or for all of them.

    Raises
    ------
    InputError
        If no rollout of the service is open, it has no such slice, or nobody or no reason is named.
    IllegalTransition
        If the state of the slice, or of every slice, does not allow this verb; the message says which do.
    """
    engine = wiring.build().engine
    rollout = holding(service, verb)
    asked = _states(rollout.id, None if slice_ == ALL else slice_)
    refused = [why for state in asked if (why := legal(verb, state))]
    if len(refused) == len(asked):
        raise IllegalTransition(refused[0])
    store.press(engine, rollout.id, verb, by, reason, now, slice_)
    return rollout.id


def _states(rollout_id: str, slice_: str | None) -> list[State]:
    """Return where a slice stands, or every one where none is named; the plan need not be readable.

    Raises
    ------
    InputError
        If the rollout has no such slice.
    """
    engine = wiring.build().engine
    names = store.slice_names(engine, rollout_id)
    asked = names if slice_ is None else [name for name in names if name == slice_]
    if not asked:
        raise InputError(
            f"asked the slice {slice_!r} of {rollout_id}; it has {', '.join(names)}; name one of them"
        )
    ticks = (store.last_tick(engine, rollout_id, name) for name in asked)
    return [tick.state for tick in ticks if tick is not None]


def holding(service: str, verb: Verb) -> store.Rollout:
    """Return the rollout that holds the service, which the verb is meant for.

    Raises
    ------
    InputError
        If there is none; the message names the services there are.
    """
    engine = wiring.build().engine
    rollout = store.holder(engine, service)
    if rollout is None:
        known = ", ".join(store.services(engine)) or "none"
        raise InputError(
            f"asked to {verb.value} the rollout of {service!r}; no rollout of it is open; services: {known}"
        )
    return rollout


def answer(
    rollout_id: str, said: Answer, approver: str, comment: str, now: datetime, slice_: str | None = None
) -> Approval:
    """Record one person's answer to the question a rollout has open.

    ``slice_`` says which slice's question it answers; None: the only one that is open.

    Raises
    ------
    InputError
        If there is no open question, there are several and no slice is named, it has expired, the person
        is the author or answered before.
    """
    engine = wiring.build().engine
    rollout = store.get(engine, rollout_id)
    states = _states(rollout_id, slice_)
    asking = [(state.slice, state.asked) for state in states if state.asked is not None]
    if not asking:
        raise InputError(f"asked to answer for {rollout_id}; no question is open; `headgate status` says why")
    if len(asking) > 1:
        names = ", ".join(name for name, _ in asking)
        raise InputError(f"asked to answer for {rollout_id}; slices {names} have a question open; name one")
    ((whose, asked),) = asking
    approval = Approval(
        step=asked.step,
        attempt=asked.attempt,
        digest=asked.digest,
        plan_hash=rollout.plan_hash,
        approver=approver,
        answer=said,
        comment=comment,
        at=now,
    )
    return store.answer(engine, rollout_id, approval, whose)
