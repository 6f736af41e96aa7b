"""Who stands in for an answer that did not come or does not stand, in the plan's order."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.guard.words import Failure, StandIn
from headgate.plan.guarding import SafeDefault, Unsure
from headgate.plan.model import Serving
from headgate.ports import Side


def plan_order(serving: Serving) -> tuple[StandIn, ...]:
    """Return the plan's ``fallback`` as stand-ins.

    Examples
    --------
    >>> [str(one) for one in plan_order(Serving(fallback=("incumbent", SafeDefault(safe_default=0.2))))]
    ['incumbent', 'safe_default']
    """
    return tuple(
        StandIn.SAFE_DEFAULT if isinstance(one, SafeDefault) else StandIn(one) for one in serving.fallback
    )


def stand_ins(serving: Serving, failure: Failure, side: Side | None) -> tuple[StandIn, ...]:
    """Return who may stand in after this failure, first one first; empty: nobody.

    Parameters
    ----------
    failure
        Why the answer does not stand.
    side
        Whose failure it is; None where nobody knows (the plane did not answer).

    Notes
    -----
    The incumbent does not stand in for itself. What was refused is not queued: it would be refused later
    as well. An unsure answer goes where ``confidence_below.then`` says, and if that cannot be had to
    whoever is named behind it; it is never queued, for the model would be as unsure later.

    Examples
    --------
    >>> serving = Serving(fallback=("incumbent", "review", "queue"))
    >>> [str(one) for one in stand_ins(serving, Failure.TIMEOUT, Side.INCUMBENT)]
    ['review', 'queue']
    """
    return tuple(_stand_ins(serving, failure, side))


def _stand_ins(serving: Serving, failure: Failure, side: Side | None) -> Iterator[StandIn]:
    order = plan_order(serving)
    if failure is Failure.UNSURE:
        order = _for_unsure(serving, order)
    for one in order:
        match one:
            case StandIn.INCUMBENT if side is Side.INCUMBENT:
                continue
            case StandIn.QUEUE if failure in (Failure.REFUSED, Failure.UNSURE):
                continue
            case _:
                yield one


def _for_unsure(serving: Serving, order: tuple[StandIn, ...]) -> tuple[StandIn, ...]:
    floor = serving.confidence_below
    if floor is None or floor.then is Unsure.FLAG:
        return ()
    first = StandIn(floor.then)
    # Whoever the plan names after it; a stand-in that is not in the list has all but the incumbent behind it.
    behind = order[order.index(first) + 1 :] if first in order else order
    return (first, *(one for one in behind if one is not StandIn.INCUMBENT and one is not first))
