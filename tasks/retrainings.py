"""Who may begin a retraining, and what it is about: the same for every run that takes it up."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from headgate import training
from headgate.adapters import store
from headgate.adapters.store import retrainings
from headgate.errors import InputError, StandDown
from headgate.plan.model import Plan
from headgate.rollout.slices import outcome_of
from headgate.rollout.state import Outcome
from tasks import wiring
from tasks.direct import task
from tasks.ledger import Case, case_of
from tasks.retrying import OUTSIDE

#: What may ask for a retraining.
BUTTON, SCHEDULE, DRIFT = "button", "schedule", "drift"
#: After which a retraining that never ended is given up, where the plan does not say how long to wait.
_GIVEN_UP = timedelta(days=7)


@dataclass(frozen=True)
class Order:
    """A retraining that was begun, once, and what it is about.

    Attributes
    ----------
    standing
        The service's last plan, and who serves.
    under
        The rollout whose plan that is.
    version
        Of the model that is made.
    folder
        For this retraining alone: what the trainer gets, says and makes.
    """

    claim: retrainings.Claim
    standing: training.Standing
    under: str
    version: str
    span: training.Span
    folder: Path

    @property
    def plan(self) -> Plan:
        """The last plan: how to train, what worse means."""
        return self.standing.plan

    @property
    def opens(self) -> bool:
        """Whether an accepted model opens a rollout."""
        return self.plan.retrain is not None and self.plan.retrain.opens == "queued"


@task(name="begin a retraining", **OUTSIDE)
def begin(service: str, trigger: str, origin: str, now: datetime) -> Order | None:
    """Claim a retraining, or take up one that never ended; None where there is nothing to begin.

    The store decides: one claim per origin, and none within the plan's cooldown after the last. A button
    waits for no cooldown.

    Raises
    ------
    InputError
        If no rollout of the service was ever opened, or its plan says nothing of training.
    """
    engine = wiring.build().engine
    known = retrainings.all(engine, service)
    for one in known:
        if one.finished_at is None:
            order = _order(one.claim, [*known])
            if now - one.claim.at <= _patience(order.plan):
                return order
            reason = f"given up: begun at {one.claim.at:%Y-%m-%d %H:%M} and never ended"
            retrainings.finish(engine, one.claim, accepted=False, reason=reason, at=now)
    plan = standing_of(service, now)[0].plan
    training.span_of(plan, now)  # says what is missing before anything is claimed
    cooldown = plan.drift.cooldown if plan.drift and trigger != BUTTON else timedelta(0)
    claim = retrainings.claim(engine, service, trigger, origin, now, cooldown, owner=origin)
    return None if claim is None else _order(claim, known)


@contextmanager
def alone(order: Order) -> Iterator[None]:
    """Work on a retraining with nobody else at it on this machine.

    Raises
    ------
    StandDown
        If another run is at it.
    """
    order.folder.mkdir(parents=True, exist_ok=True)
    with (order.folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            raise StandDown(f"another run is at the retraining of {order.claim.service}") from err
        yield


def standing_of(service: str, before: datetime) -> tuple[training.Standing, str]:
    """Return the service's last plan as a retraining at this time finds it, and the rollout it is of.

    Rollouts that were opened at that time or later do not count: the retraining's own is one of them.

    Raises
    ------
    InputError
        If there is none.
    """
    engine = wiring.build().engine
    cases = [case_of(one) for one in store.rollouts(engine, service) if one.opened_at < before]
    if not cases:
        known = ", ".join(store.services(engine)) or "none"
        raise InputError(
            f"asked to train {service!r} anew; no rollout of it was opened before; there are: {known}; "
            "open one with `headgate start PLAN`: its plan says how to train"
        )
    promoted = [one for one in cases if _promoted(one)]
    last = (promoted or cases)[-1]
    return training.Standing(last.plan, bool(promoted)), last.rollout.id


def _order(claim: retrainings.Claim, known: list[retrainings.Retraining]) -> Order:
    """Return what a claim is about; the same claim is about the same whenever it is asked."""
    standing, under = standing_of(claim.service, claim.at)
    span = training.span_of(standing.plan, claim.at)
    settings = wiring.build().settings
    mark = hashlib.sha256(claim.origin.encode()).hexdigest()[:8]
    folder = settings.home / settings.retrainings / claim.service / f"{claim.id}-{mark}"
    return Order(claim, standing, under, _version(claim, standing, known), span, folder)


def _version(
    claim: retrainings.Claim, standing: training.Standing, known: list[retrainings.Retraining]
) -> str:
    wired, model = wiring.build(), standing.plan.candidate.model
    shelved = wired.shelf.all(model)
    asked = {"trigger": claim.trigger, "origin": claim.origin}
    for one in shelved:
        if one.card.get("made_for") == asked and one.card.get("service") == claim.service:
            return one.version
    seen = [one.version for one in shelved]
    seen += [one.version for one in known if one.claim.id < claim.id]
    seen += [
        one.candidate_version
        for one in store.rollouts(wired.engine, claim.service)
        if one.opened_at < claim.at
    ]
    return training.next_version(standing.plan.candidate.version, seen)


def _patience(plan: Plan) -> timedelta:
    return plan.drift.cooldown if plan.drift else _GIVEN_UP


def _promoted(case: Case) -> bool:
    return case.rollout.done and outcome_of(case.states) is Outcome.PROMOTED
