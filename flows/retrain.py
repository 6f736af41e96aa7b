"""Trains a service's model anew, holds it against the one that serves, and opens its rollout."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from prefect import flow
from prefect.runtime import flow_run

from headgate.errors import InputError, StandDown, TrainingError
from headgate.training import Judged
from tasks.clock import the_time
from tasks.retrained import Told, ended, stood_down
from tasks.retrainings import Order, alone, begin
from tasks.shelving import close, open_its_rollout, shelve, write_card
from tasks.training import gather, hold, train


@flow(name="retrain", flow_run_name="retrain {service} ({trigger})")
def retrain(
    service: str,
    trigger: Literal["button", "schedule", "drift"] = "button",
    origin: str | None = None,
    now: datetime | None = None,
) -> Told | None:
    """Train the service's model anew as its plan says; return how that ended, None if nothing was to be done.

    One retraining per origin, and none within the plan's cooldown after the last but by the button. A run
    that was cut off is taken up by the next, whatever asks for that. A model that is not worse than those
    there are opens a rollout, which waits its turn: its gates decide, nothing is served before them.

    Args:
        service: Whose model is trained anew.
        trigger: What asks for it.
        origin: The one event, day or click that asks; the same asks once. Empty: this flow run.
        now: The time this is held to be at, in UTC; requests from then on are not known. Empty: the clock.
    """
    now = the_time(now)
    order = begin(service, trigger, origin or f"flow run {flow_run.id}", now)
    if order is None:
        return stood_down(f"{trigger} had its retraining, or the last one is younger than the cooldown")
    try:
        with alone(order):
            return ended(_story(order, now))
    except StandDown as err:
        return stood_down(str(err))
    except (TrainingError, InputError) as err:
        close(order, Judged(accepted=False, reason=str(err)), now)
        raise


def _story(order: Order, now: datetime) -> Told:
    """Go from the window to the end. Cut off anywhere, the next run takes it up and ends the same."""
    data = gather(order)
    fitted = train(order, data)
    result = hold(order, data, fitted)
    card = write_card(order, data, result)
    rollout = ""
    if result.judged.accepted:
        shelve(order, data, result, card)
        if order.opens:
            rollout = open_its_rollout(order, result, card, now)
    return Told(close(order, result.judged, now, card=card, rollout=rollout), order.folder)
