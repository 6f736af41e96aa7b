"""What is asked: every gate for all requests, and for each segment it is held to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import log, pi

from headgate.evidence import Standing
from headgate.plan.applies import LOSSES, MONEY, gate_applies
from headgate.plan.model import Gate, Metric, Plan
from headgate.stats.segments import weights
from headgate.verdicts import Role


@dataclass(frozen=True, slots=True)
class Question:
    """One gate asked of all requests or of one segment.

    Attributes
    ----------
    limit
        What the metric is held against: margin, ceiling or floor; a segment has its own. None for
        latency.
    weight
        In the mean of the guardrails' rollback e-values; 0 for everything else.
    log_rollback
        log(1 / beta) of this question alone, with a signal's restarts counted.
    exempt
        Why a segment is shown and neither advances nor rolls back; empty where it is judged.
    """

    gate: Gate
    segment: str | None
    limit: float | None
    weight: float
    applies: bool
    log_advance: float
    log_rollback: float
    exempt: str = ""

    @property
    def name(self) -> str:
        """``gate`` or ``gate[segment]``."""
        return f"{self.gate.name}[{self.segment}]" if self.segment else self.gate.name


def log_threshold(error: float, attempt: int) -> float:
    """Return log(1 / level) for the i-th attempt of a candidate: its level is error * 6 / (pi i)^2.

    Examples
    --------
    >>> round(log_threshold(0.05, attempt=1), 2)  # an e-value of 33
    3.49
    """
    return log((pi * attempt) ** 2 / 6 / error)


def ask(plan: Plan, standing: Standing, seen: Iterable[tuple[str, str | None]]) -> list[Question]:
    """Return all questions in the order of the plan, segments after their gate.

    Parameters
    ----------
    plan, standing
        The gates, and the segments frozen at preflight.
    seen
        (gate, segment) of all evidence; segments that are not on the frozen list are exempt.
    """
    listed = _listed(standing)
    held = set() if plan.segments is None else set(plan.segments.gates)
    shares = weights(
        {g.name: listed if g.name in held else () for g in plan.all_gates if g.role is Role.GUARDRAIL}
    )
    others = sorted({(gate, name) for gate, name in seen if name is not None and name not in listed})
    questions = []
    for gate in plan.all_gates:
        names: list[str | None] = [None]
        if gate.name in held:
            names += listed
        unlisted = [name for found, name in others if found == gate.name]
        for name in [*names, *unlisted]:
            exempt = "below the floor, or unknown when the list was frozen" if name in unlisted else ""
            questions.append(
                _question(plan, standing, gate, name, shares.get((gate.name, name), 0.0), exempt)
            )
    return questions


def _listed(standing: Standing) -> list[str]:
    columns = standing.segments or {}
    return [f"{column}={value}" for column in sorted(columns) for value in sorted(columns[column])]


def _question(
    plan: Plan, standing: Standing, gate: Gate, segment: str | None, weight: float, exempt: str
) -> Question:
    limit = _limit(gate)
    if segment is not None and plan.segments is not None:
        limit = plan.segments.gates.get(gate.name, limit)
    applies = gate_applies(gate, standing.share_bp, plan) and not exempt
    return Question(
        gate,
        segment,
        limit,
        weight,
        applies,
        log_threshold(plan.errors.promote_bad, standing.attempt),
        log_threshold(plan.errors.roll_back_fine * restarted(gate, standing), standing.attempt),
        exempt,
    )


def _limit(gate: Gate) -> float | None:
    if gate.metric in LOSSES or gate.metric in MONEY:
        return gate.margin
    if gate.metric is Metric.COVERAGE:
        return gate.floor
    return gate.ceiling


def restarted(gate: Gate, standing: Standing) -> float:
    """Return the factor that a resume put on a signal's error level; 1 without one."""
    if gate.role is Role.GUARDRAIL:
        return 1.0
    return last_restart(gate.name, standing)[1]


def last_restart(name: str, standing: Standing) -> tuple[datetime | None, float]:
    """Return when the e-process of a signal or the split last began anew (None: never), and its level."""
    found = [(since, level) for restarted_name, since, level in standing.restarts if restarted_name == name]
    return max(found, default=(None, 1.0))
