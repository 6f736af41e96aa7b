"""An operator's buttons: recorded here, acted on by a tick. None of this needs a Prefect server."""

from __future__ import annotations

from datetime import datetime

from headgate.adapters import store
from headgate.errors import IllegalTransition, InputError
from headgate.plan.model import ALL
from headgate.rollout import legal
from headgate.rollout.orders import TRIED, whereabouts
from headgate.rollout.slices import outcome_of
from headgate.rollout.state import Phase, Verb
from tasks import wiring
from tasks.questions import states


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
    rollout = holding(service, verb)
    _refuse_unless_legal(verb, rollout.id, slice_)
    store.press(wiring.build().engine, rollout.id, verb, by, reason, now, slice_)
    return rollout.id


def undo(service: str, by: str, reason: str, now: datetime, slice_: str = ALL) -> str:
    """Take the service's last promotion back, of one slice or of all; return the rollout's id.

    The rollout is open again with a new lease, and the next tick rolls it back. Twice is once.

    Raises
    ------
    InputError
        If the service never had a rollout, it has no such slice, or nobody or no reason is named.
    IllegalTransition
        If another rollout holds the service, or the last one was not promoted; the message says what is
        allowed.
    """
    engine = wiring.build().engine
    held = store.holder(engine, service)
    rollout = held or last_in_force(service)
    if rollout is None:
        raise InputError(
            f"asked to undo the last promotion of {service!r}; it never had a rollout; services: {_known()}"
        )
    _refuse_unless_legal(Verb.UNDO, rollout.id, slice_)
    if held is None:
        store.reopen(engine, rollout.id, by, reason, now, slice_)
    else:  # it is open again already, by an undo that no tick has acted on yet
        store.press(engine, rollout.id, Verb.UNDO, by, reason, now, slice_)
    return rollout.id


def retry(rollout_or_service: str, by: str, reason: str, now: datetime) -> str:
    """Open a rollout anew that ended without a promotion, with the same frozen plan; return the new id.

    Of a service its newest rollout is meant. It queues where another one holds the service.

    Raises
    ------
    InputError
        If there is no such rollout or service, a rollout of the same plan is not done, or nobody or no
        reason is named.
    IllegalTransition
        If it is not done, or was promoted or superseded; the message says what is allowed.
    """
    for what, given in (("who presses it", by), ("a reason", reason)):
        if not given.strip():
            raise InputError(f"asked {what} for retry of {rollout_or_service}; found nothing; give one")
    engine = wiring.build().engine
    rollout = _meant(rollout_or_service)
    stood = states(rollout.id, None)
    ended = outcome_of(stood)
    if ended not in TRIED:
        first = next((state for state in stood if state.phase is not Phase.DONE), stood[0])
        raise IllegalTransition(
            f"retry: {whereabouts(first)}; only what ended {', '.join(sorted(TRIED))} is tried again"
        )
    plan = store.plan_of(engine, rollout.plan_hash)
    because = f"{by.strip()} tries {rollout.id} again, which ended {ended}: {reason.strip()}"
    return store.open_rollout(engine, plan, now, by, because).id


def holding(service: str, verb: Verb) -> store.Rollout:
    """Return the rollout that holds the service, which the verb is meant for.

    Raises
    ------
    InputError
        If there is none; the message names the services there are.
    """
    rollout = store.holder(wiring.build().engine, service)
    if rollout is None:
        raise InputError(
            f"asked to {verb.value} the rollout of {service!r}; no rollout of it is open; "
            f"services: {_known()}"
        )
    return rollout


def last_in_force(service: str) -> store.Rollout | None:
    """Return the rollout of a service that the plane heard of last, whether or not it is done.

    Where it heard of none, the one that held the lease last.
    """
    held = [one for one in store.rollouts(wiring.build().engine, service) if one.token is not None]
    held.sort(key=lambda one: one.token or 0, reverse=True)
    heard = (one for one in held if any(state.generation for state in states(one.id, None)))
    return next(heard, next(iter(held), None))


def queued_behind(rollout_id: str) -> str | None:
    """Return the rollout that holds the service while this one waits for its turn; None: it is its turn."""
    engine = wiring.build().engine
    rollout = store.get(engine, rollout_id)
    ahead = store.holder(engine, rollout.service)
    return None if rollout.token is not None or ahead is None else ahead.id


def _meant(rollout_or_service: str) -> store.Rollout:
    engine = wiring.build().engine
    of_service = store.rollouts(engine, rollout_or_service)
    return of_service[-1] if of_service else store.get(engine, rollout_or_service)


def _refuse_unless_legal(verb: Verb, rollout_id: str, slice_: str) -> None:
    asked = states(rollout_id, None if slice_ == ALL else slice_)
    refused = [why for state in asked if (why := legal(verb, state))]
    if len(refused) == len(asked):
        raise IllegalTransition(refused[0])


def _known() -> str:
    return ", ".join(store.services(wiring.build().engine)) or "none"
