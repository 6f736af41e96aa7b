"""What one tick has to tell, from where a slice stood, what was seen and what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from headgate.alerts.alert import Alert
from headgate.alerts.incidents import break_glass, incidents
from headgate.alerts.masking import Mask, masked_route
from headgate.alerts.moves import of_move
from headgate.alerts.waits import escalations, holds
from headgate.plan.model import Plan
from headgate.rollout.state import Decision, State, Tick, World


def alerts_of(
    plan: Plan,
    before: State,
    world: World,
    decision: Decision,
    after: State,
    *,
    beside: Sequence[State] = (),
    earlier: Tick | None = None,
) -> tuple[Alert, ...]:
    """Return everything to be told about one slice after one tick, masked.

    Told again by later ticks, an alert has the same key; whoever keeps them keeps one.

    Parameters
    ----------
    plan
        As the slice lives it (`Plan.of_slice`).
    before, after
        Where the slice stood, and stands now.
    beside
        Where the other slices stand, those that are done included.
    earlier
        The slice's row that was in force a while ago (`waits.PATIENCE`), if any: what it waited for then
        and still waits for is no hiccup.
    """
    found = (
        *of_move(plan, before, world, decision, after, beside),
        *break_glass(plan, before, world, decision, after),
        *incidents(plan, before, world, decision, after),
        *holds(plan, world, decision, after, earlier),
        *escalations(plan, world, after),
    )
    return tuple(_masked(found, plan))


def _masked(alerts: Iterable[Alert], plan: Plan) -> Iterable[Alert]:
    for alert in alerts:
        mask = Mask.of(plan, alert.to)
        yield replace(
            alert,
            subject=mask(alert.subject),
            text=mask(alert.text),
            to=tuple(masked_route(to) for to in alert.to),
            facts=tuple((name, mask(value)) for name, value in alert.facts),
        )
