"""Cost and value by column, drawn by the hour: both sides' amounts for the same request."""

from __future__ import annotations

from math import ceil

import numpy as np

from headgate.gates.questions import Question
from headgate.plan.model import Metric, Plan
from headgate.power.assumptions import Assumptions
from headgate.power.course import HOURS_A_DAY, Course, Runs
from headgate.power.derived import cap_of, request_sd
from headgate.power.worlds import World, true_difference
from headgate.stats import amounts
from headgate.stats.betting import Batches
from headgate.stats.hours import held, shocks
from headgate.stats.paired import Design, advance_evidence, rollback_evidence


def money_course(
    question: Question, plan: Plan, known: Assumptions, world: World, runs: Runs, hours: float
) -> Course:
    """Return the course of a paired cost or value over so many hours; requests are independent."""
    gate, margin = question.gate, question.limit or 0.0
    cap, deviation = cap_of(gate, plan, known), request_sd(gate, plan, known)
    limit = 2 * cap if gate.metric is Metric.VALUE else cap
    trust = 2.0 if gate.variance is None else 2 * limit * limit / gate.variance
    design = Design(margin, limit, gate.expect, gate.harm, gate.variance, trust)
    mean = true_difference(gate, margin, world)
    away = min(deviation, limit - abs(mean))
    shape = runs.count, max(ceil(hours), 1)
    dice = runs.dice("money", question.name, world)
    counts = dice.poisson(known.rate / HOURS_A_DAY / 2, (2, *shape)).astype(np.float64)
    values = np.stack([np.full(shape, mean + away), np.full(shape, mean - away)])
    seen = Batches(values, counts)
    found = amounts.hours(seen)
    shown = shocks(found)
    advance = advance_evidence(seen, design)
    advance = held(advance, amounts.hourly(found, margin, limit, harm=False), shown, harm=False)
    harm = None
    if world is World.AT_MARGIN:
        harm = rollback_evidence(seen, design)
        harm = held(harm, amounts.hourly(found, margin, limit, harm=True), shown, harm=True)
    return Course(advance, harm, np.cumsum(seen.units(), axis=-1), "requests", span=1.0)
