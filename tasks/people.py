"""What people say: buttons pressed and questions answered. Recorded here, acted on by a tick."""

from __future__ import annotations

from datetime import datetime

from headgate.adapters import store
from headgate.errors import IllegalTransition, InputError
from headgate.rollout import legal
from headgate.rollout.state import Answer, Approval, Verb
from tasks import wiring


def press(service: str, verb: Verb, by: str, reason: str, now: datetime) -> str:
    """Record an operator's order on the rollout that holds the service; return its id.

    Raises
    ------
    InputError
        If no rollout of the service is open, or nobody or no reason is named.
    IllegalTransition
        If the rollout's state does not allow this verb; the message says which states do.
    """
    engine = wiring.build().engine
    rollout = holding(service, verb)
    last = store.last_tick(engine, rollout.id)
    refused = legal(verb, last.state) if last else None
    if refused:
        raise IllegalTransition(refused)
    store.press(engine, rollout.id, verb, by, reason, now)
    return rollout.id


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


def answer(rollout_id: str, said: Answer, approver: str, comment: str, now: datetime) -> Approval:
    """Record one person's answer to the question a rollout has open.

    Raises
    ------
    InputError
        If there is no open question, it has expired, the person is the author or answered before.
    """
    engine = wiring.build().engine
    rollout = store.get(engine, rollout_id)
    last = store.last_tick(engine, rollout_id)
    asked = last.state.asked if last else None
    if asked is None:
        raise InputError(f"asked to answer for {rollout_id}; no question is open; `headgate status` says why")
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
    return store.answer(engine, rollout_id, approval)
