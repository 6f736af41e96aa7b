r"""What every step of the ramp takes: requests under way, instances, failures per day.

Little's law [1]_: the mean number of requests under way is their rate times the mean time each of them
takes, :math:`L = \lambda W`, whatever the arrivals and the service look like.

At the highest rate :math:`\lambda^*` that the tested servers kept up, :math:`\lambda^* W` of them were being
served at once, with W as it is without a queue: that many slots they have. A step with
:math:`L` under way needs so many servers that no more than 70 % of the slots are taken, as waiting times
grow without bound when all of them are.

References
----------
.. [1] J. D. C. Little, "A Proof for the Queuing Formula: L = λW", Operations Research 9(3), 1961.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from headgate.capacity.climb import Climb
from headgate.capacity.failures import Failures, PerDay, people_verdict, per_day
from headgate.capacity.volume import Volume
from headgate.plan.model import Plan

#: Part of the slots that may be taken in the busiest hour.
UTILISATION = 0.7


@dataclass(frozen=True, slots=True)
class StepLoad:
    """What one step of the ramp takes.

    Attributes
    ----------
    percent
        The candidate's share.
    per_second, per_day
        The candidate's requests in the busiest hour, and on an average day.
    in_flight
        Requests under way in the busiest hour; None without a load test.
    instances
        Servers needed for the busiest hour; None where no rate was kept up.
    at_most
        The candidate's limit was not reached: fewer servers may do.
    failures
        Failures per day; None where none was counted.
    handled
        Whether people can handle them; None: cannot be told, or the plan does not say how many they can.
    """

    percent: float
    per_second: float
    per_day: float
    in_flight: float | None
    instances: int | None
    at_most: bool
    failures: PerDay | None
    handled: bool | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of one ramp; ``kinds`` are the failures it counts."""

    volume: Volume
    steps: tuple[StepLoad, ...]
    kinds: tuple[Failures, ...]
    can_handle: float | None


def forecast(plan: Plan, volume: Volume, climb: Climb | None, kinds: Sequence[Failures]) -> Forecast:
    """Return what the steps of a plan take; of slices the one that climbs furthest counts.

    Examples
    --------
    >>> from headgate.capacity.stage import Stage
    >>> kept = Stage(100.0, 10.0, 1_000, service_ms=20.0)
    >>> slots_of(Climb(kept, (kept,), 100.0, 130.0), 1)
    2.0
    """
    load = plan.load
    instances = load.instances if load else 1
    can_handle = load.failures_per_day if load else None
    shares = sorted({s.percent for part in (plan.steps, *(s.steps for s in plan.slices)) for s in part})
    steps = tuple(
        _step(share, volume, climb, tuple(kinds), instances, can_handle) for share in shares if share > 0
    )
    return Forecast(volume, steps, tuple(kinds), can_handle)


def slots_of(climb: Climb, instances: int) -> float | None:
    """Return how many requests one server can have under way without a queue; None where none was kept."""
    calm = service_s(climb)
    if climb.kept is None or calm is None:
        return None
    return climb.kept * calm / instances


def service_s(climb: Climb) -> float | None:
    """Return the mean time of an answer without a queue, seconds: that of the calmest stage."""
    times = [stage.service_ms for stage in climb.stages if stage.service_ms is not None]
    return min(times) / 1e3 if times else None


def _step(
    percent: float,
    volume: Volume,
    climb: Climb | None,
    kinds: tuple[Failures, ...],
    instances: int,
    can_handle: float | None,
) -> StepLoad:
    share = percent / 100
    calm = service_s(climb) if climb else None
    slots = slots_of(climb, instances) if climb else None
    flight = None if calm is None else volume.peak * share * calm
    failures = per_day(kinds, volume.per_day * share)
    return StepLoad(
        percent=percent,
        per_second=volume.peak * share,
        per_day=volume.per_day * share,
        in_flight=flight,
        instances=max(1, math.ceil(flight / (slots * UTILISATION))) if flight is not None and slots else None,
        at_most=climb is not None and climb.broken is None,
        failures=failures,
        handled=None if failures is None or can_handle is None else people_verdict(failures, can_handle),
    )
