"""What follows from the assumptions for one gate; where they are silent it is guessed, by fixed rules."""

from __future__ import annotations

from math import sqrt

from headgate.errors import InputError
from headgate.plan.applies import MONEY, loss_range
from headgate.plan.model import ColumnKind, Gate, Metric, Plan
from headgate.power.assumptions import Assumptions

#: Taken where nobody says better. Each is named as a guess wherever a forecast is shown.
GUESSED_DISAGREEMENT = 0.10
GUESSED_BASE_RATE = 0.20
GUESSED_WITHIN = 0.05
#: A candidate's rate as a part of its ceiling.
GUESSED_RATE = 0.2
#: E D^2 of a graded loss in [0, 1] per share of decisions that differ (flights: .009 at .08).
GRADED = 1 / 8
#: A cap in standard deviations of one request's difference.
_CAP = 10.0
#: Requests per entity per day, where nobody says.
_REQUESTS_PER_ENTITY = 5.0


def ceiling_of(gate: Gate) -> float:
    """Return the rate of events that a rate gate must stay below; coverage counts its misses."""
    if gate.metric is Metric.COVERAGE and gate.floor is not None:
        return 1 - gate.floor
    return gate.ceiling or 0.5


def known_rate(gate: Gate, known: Assumptions) -> float | None:
    """Return the candidate's rate of events where it was measured or given, else None."""
    seen = known.gates.get(gate.name)
    if seen is not None and seen.rate is not None:
        return seen.rate
    if gate.metric is Metric.DISAGREEMENT:
        return known.disagreement
    return None if gate.metric is Metric.CAPPED_RATE else known.error_rate


def event_rate(gate: Gate, known: Assumptions) -> float:
    """Return the rate of events of a candidate that is no worse than the incumbent, for a rate gate.

    Where nothing is known: what the plan expects, else a fifth of the ceiling.
    """
    found = known_rate(gate, known)
    if found is not None:
        return found
    if gate.expect > 0:
        return gate.expect
    return GUESSED_RATE * ceiling_of(gate)


def cap_of(gate: Gate, plan: Plan, known: Assumptions) -> float:
    """Return the largest loss that one request can count: its range, its cap, or a guess at the cap.

    Raises
    ------
    InputError
        If nothing says how large a loss of this metric is.
    """
    if (largest := loss_range(gate, plan)) < float("inf"):
        return largest
    seen = known.gates.get(gate.name)
    if gate.cap or (seen and seen.cap):
        return float(gate.cap or (seen.cap if seen else 0) or 0)
    return _CAP * request_sd(gate, plan, known)


def request_sd(gate: Gate, plan: Plan, known: Assumptions) -> float:
    """Return the standard deviation of one request's difference, in the metric's unit.

    Raises
    ------
    InputError
        If the metric has no range of its own and nobody says how much it varies.
    """
    given = known.cost_sd if gate.metric in MONEY else known.loss_sd
    if given is not None:
        return given
    seen = known.gates.get(gate.name)
    if seen is not None and seen.sd is not None:
        return seen.sd
    largest = loss_range(gate, plan)
    if largest == float("inf"):
        option = "--cost-sd" if gate.metric in MONEY else "--loss-sd"
        raise InputError(
            f"{gate.name}: asked how much {gate.metric.value} differs from request to request; found nothing "
            f"said, and a metric without a range cannot be guessed at; give {option}, or --exchanges and "
            "--outcomes"
        )
    differ = GUESSED_DISAGREEMENT if known.disagreement is None else known.disagreement
    two_valued = gate.metric in (Metric.ZERO_ONE, Metric.ACCURACY, Metric.VALUE)
    return largest * sqrt(max(differ * (1.0 if two_valued else GRADED), 1e-6))


def segment_shares(plan: Plan, known: Assumptions) -> dict[str, float]:
    """Return the share of each segment at or above the floor, ``column=value``.

    Where nobody says: a column whose values the input contract lists is split alike among them, any
    other has one segment just at the floor, the slowest to prove.
    """
    if plan.segments is None:
        return {}
    if known.segments:
        return {name: share for name, share in known.segments.items() if share >= plan.segments.floor}
    found: dict[str, float] = {}
    for column in plan.segments.by:
        contract = plan.input.columns.get(column) if plan.input else None
        values = contract.values if contract and contract.type is ColumnKind.CATEGORY else None
        if values and 1 / len(values) >= plan.segments.floor:
            found |= {f"{column}={value}": 1 / len(values) for value in values}
        else:
            found[f"{column}=?"] = plan.segments.floor
    return found


def entities_per_day(known: Assumptions) -> float:
    """Return how many entities are first seen per day; guessed as a fifth of the requests."""
    return known.rate / _REQUESTS_PER_ENTITY if known.entities is None else known.entities
