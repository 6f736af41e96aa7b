"""A retraining up to the judgement: what is learned from, the trainer, the comparison."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
from prefect import get_run_logger
from prefect.exceptions import MissingContextError

from headgate import training
from headgate.adapters import store, trainer
from headgate.plan.where import read_where
from headgate.rollout.state import Outcome, Phase
from headgate.training.guards import told as left_out
from headgate.training.window import told as span_told
from tasks import wiring
from tasks.direct import task
from tasks.ledger import case_of
from tasks.opponents import opponents
from tasks.retrainings import Order
from tasks.retrying import ONCE, OUTSIDE
from tasks.stays import stays


@dataclass(frozen=True)
class Data:
    """What may be learned from, in three parts: see `headgate.training.guards.Usable.learned_by`."""

    usable: training.Usable
    first: pa.Table
    held: pa.Table
    whole: pa.Table


@dataclass(frozen=True)
class Result:
    """The new model, held against the others, and what is thought of it."""

    fitted: trainer.Fitted
    held: tuple[training.Against, ...]
    judged: training.Judged


@task(name="gather what may be learned from", **OUTSIDE)
def gather(order: Order) -> Data:
    """Read the window, leave out what must not be learned from, and say what that was.

    Raises
    ------
    InputError
        If the logs are not as the plan says, or too little is left.
    """
    plan, span, lake = order.plan, order.span, wiring.build().lake
    besides = read_where(plan.retrain.leave_out).columns if plan.retrain and plan.retrain.leave_out else ()
    requests = lake.read_requests(plan, span.since, span.now, besides)
    outcomes = lake.read_outcomes(plan, known_before=span.now, known_after=span.since)
    usable = training.usable(plan, requests, outcomes, span, _pasts(order))
    first, held, whole = usable.learned_by(span)
    told = "; ".join(left_out(usable.counts)) or "nothing"
    _say(f"{span_told(span)}: {usable.counts['used']:,} requests to learn from; left out: {told}")
    training.enough(plan, first, held, usable.counts)
    return Data(usable, first, held, whole)


@task(name="train", task_run_name="train {order.version}", **ONCE)
def train(order: Order, data: Data) -> trainer.Fitted:
    """Let the plan's trainer make the model, in a process of its own.

    Raises
    ------
    TrainingError
        If it does not.
    """
    features = list(data.usable.features)
    job = trainer.Job(order.plan, order.version, data.first, data.held.select(features), data.whole)
    home = wiring.build().settings.home
    fitted = trainer.train(job, order.folder, _tell, home=home)
    _say(f"trained {order.version} in {fitted.seconds:.1f} s with {fitted.memory / 1e6:.0f} MB")
    return fitted


@task(name="hold against the models that there are", **OUTSIDE)
def hold(order: Order, data: Data, fitted: trainer.Fitted) -> Result:
    """Hold the new model against the one that serves, and the other of the last plan, on held-out requests.

    Raises
    ------
    ModelUnavailable
        If the model that serves does not answer: nothing is judged without it.
    """
    segments = training.above_the_floor(order.plan, data.held)
    held = []
    for opponent in opponents(order.standing, data.held, data.usable.features):
        one = training.hold_against(order.plan, order.span, data.held, fitted.first, opponent, segments)
        if one.pairs or one.role == training.SERVING:
            held.append(one)
        else:
            _say(f"{one.version} does not answer: {order.version} is not held against it")
    again = training.Opponent(training.BESIDE, f"{order.version} without the held-out days", fitted.first)
    itself = training.hold_against(order.plan, order.span, data.held, fitted.whole, again, segments)
    judged = training.judged(held)
    if (
        judged.accepted and itself.worse
    ):  # it has seen these days: it cannot be worse there, unless it is broken
        judged = training.Judged(accepted=False, reason="; ".join(itself.worse))
    _say(judged.reason)
    return Result(fitted, tuple(held), judged)


def _pasts(order: Order) -> list[training.Past]:
    """Return who decided, where that matters."""
    if not order.plan.outcomes.depends_on_decision:
        return []
    engine, found = wiring.build().engine, []
    for rollout in store.rollouts(engine, order.claim.service):
        case = case_of(rollout)
        for tick in (case.last, *case.beside):
            done = tick.state.phase is Phase.DONE
            found.append(
                training.Past(
                    plan=case.plan,
                    slice=tick.state.slice,
                    salt=rollout.salt,
                    entries=stays(rollout.id, tick.state.slice),
                    until=tick.at if done else None,
                    promoted=tick.state.outcome is Outcome.PROMOTED,
                )
            )
    return found


def _tell(seconds: float, memory: int) -> None:
    _say(f"training: {seconds:.0f} s, {memory / 1e6:.0f} MB")


def _say(text: str) -> None:
    with suppress(MissingContextError):  # called without Prefect there is nobody to hear it
        get_run_logger().info(text)
