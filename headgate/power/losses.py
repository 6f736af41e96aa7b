"""Paired losses, drawn: blocks that share their shocks, or single requests."""

from __future__ import annotations

from datetime import timedelta
from math import ceil, sqrt

import numpy as np
from scipy.special import ndtri

from headgate.gates.questions import Question
from headgate.plan.applies import label_chance
from headgate.plan.model import Metric, Plan
from headgate.power.assumptions import Assumptions
from headgate.power.course import HOURS_A_DAY, Course, Runs
from headgate.power.derived import GUESSED_WITHIN, cap_of, request_sd, segment_shares
from headgate.power.worlds import World, true_difference
from headgate.stats.betting import Batches, FloatArray
from headgate.stats.blocks import FEWEST_BLOCKS
from headgate.stats.paired import Design, advance_evidence, rollback_evidence

HOUR = timedelta(hours=1)
#: Blocks that history must have before their own values are drawn from.
FEWEST_MEASURED = 10
#: A block's value is clipped to this part of the range, unless the plan says to what.
_BLOCK_BOUND = 0.2
#: The normal distribution as this many equally likely values.
_GRID = 2_001


def block_course(
    question: Question, plan: Plan, known: Assumptions, world: World, runs: Runs, hours: float
) -> Course:
    """Return the course of a paired loss in blocks over so many hours.

    Block values are drawn from history's own, moved to the mean of this world, or from a normal
    distribution where there is no history. Blocks are drawn independently.
    """
    design = design_of(question, plan, known)
    span, n = _block_hours(plan), _requests(question, plan, known)
    batches = max(ceil(hours / span), 1)
    mean = true_difference(question.gate, design.margin, world)
    sample = moved(noise(question, plan, known), mean, design.limit)
    dice = runs.dice("blocks", question.name, world, n)
    drawn = sample[dice.integers(0, len(sample), (runs.count, batches))]
    bounded = _unknown(question, plan, known)
    worst, best = (np.clip(drawn + side * bounded, -design.limit, design.limit) for side in (1, -1))
    return Course(
        advance=advance_evidence(Batches.single(worst), design),
        harm=rollback_evidence(Batches.single(best), design) if world is World.AT_MARGIN else None,
        units=np.arange(1.0, batches + 1)[np.newaxis],
        unit="blocks",
        span=span,
        lag=plan.outcomes.maturity / HOUR,
    )


def request_course(
    question: Question, plan: Plan, known: Assumptions, world: World, runs: Runs, hours: float
) -> Course:
    """Return the course of a paired loss whose requests are units (``block: none``), by the hour."""
    gate = question.gate
    design = design_of(question, plan, known)
    batches = max(ceil(hours), 1)
    mean = true_difference(gate, design.margin, world)
    dice = runs.dice("requests", question.name, world)
    hourly = _requests(question, plan, known) / HOURS_A_DAY
    values, chances = _values(question, plan, known, mean)
    counts = np.stack([dice.poisson(hourly * chance, (runs.count, batches)) for chance in chances])
    bounded = _unknown(question, plan, known)
    worst, best = (
        np.clip(np.asarray(values) + side * bounded, -design.limit, design.limit) for side in (1, -1)
    )
    column = np.ones(counts.shape)
    shaped = [Batches(side[:, None, None] * column, counts.astype(np.float64)) for side in (worst, best)]
    # Whether single requests are independent is not known before five days have been seen.
    wait = 0.0 if plan.unit.independent else FEWEST_BLOCKS * HOURS_A_DAY
    advance = advance_evidence(shaped[0], design)
    advance[:, : int(wait)] = 0.0
    return Course(
        advance=advance,
        harm=rollback_evidence(shaped[1], design) if world is World.AT_MARGIN else None,
        units=np.cumsum(counts.sum(axis=0), axis=-1).astype(np.float64),
        unit="requests",
        span=1.0,
        lag=plan.outcomes.maturity / HOUR,
    )


def design_of(question: Question, plan: Plan, known: Assumptions) -> Design:
    """Return the design that the judge will bet by."""
    gate, margin = question.gate, question.limit or 0.0
    limit = limit_of(question, plan, known)
    if plan.unit.block == "none" and gate.variance is not None:
        return Design(margin, limit, gate.expect, gate.harm, gate.variance, 2 * limit * limit / gate.variance)
    return Design(margin, limit, gate.expect, gate.harm, gate.variance)


def limit_of(question: Question, plan: Plan, known: Assumptions) -> float:
    """Return the largest value that is bet on, as `headgate.gates.quality` has it.

    A block's value is clipped to the plan's bound, else to a fifth of the range or cap; single requests
    and audited ones are bounded by the range (over the chance of the audit).
    """
    largest = cap_of(question.gate, plan, known)
    if plan.unit.block == "none" or label_chance(plan) < 1:
        return largest / label_chance(plan)
    return min(plan.unit.block_bound or _BLOCK_BOUND * largest, largest)


def noise(question: Question, plan: Plan, known: Assumptions) -> FloatArray:
    """Return equally likely values of a block around its mean, shape (m,), that sum to 0."""
    seen = known.gates.get(question.gate.name)
    blocks = seen.blocks.get(question.segment, ()) if seen else ()
    if len(blocks) >= FEWEST_MEASURED:
        found = np.asarray(blocks, dtype=np.float64)
        return np.asarray(found - found.mean())
    return np.asarray(ndtri((np.arange(_GRID) + 0.5) / _GRID) * block_sd(question, plan, known))


def block_sd(question: Question, plan: Plan, known: Assumptions) -> float:
    """Return the standard deviation of a block's value, in the metric's unit.

    Given, or of what the plan's ``variance`` expects, or of n requests that share their shocks:
    s^2 (1 + (n - 1) rho) / n. An audit adds the noise of its lottery.
    """
    gate, n = question.gate, _requests(question, plan, known)
    within = GUESSED_WITHIN if known.within is None else known.within
    shared = _shared(n, within)
    if known.block_sd is not None:
        variance = known.block_sd**2 * shared / _shared(known.rate * _block_hours(plan) / 24, within)
    elif gate.variance is not None and known.loss_sd is None:
        all_requests = max(gate.variance - gate.expect**2, 0.1 * gate.variance)
        variance = all_requests * shared / _shared(known.rate * _block_hours(plan) / 24, within)
    else:
        variance = request_sd(gate, plan, known) ** 2 * shared
    if (q := label_chance(plan)) < 1:
        variance += request_sd(gate, plan, known) ** 2 * (1 / q - 1) / max(n, 1)
    return sqrt(variance)


def moved(sample: FloatArray, mean: float, limit: float) -> FloatArray:
    """Return the sample moved so that, clipped to ``limit``, its mean is ``mean``; what is judged is clipped.

    Examples
    --------
    >>> moved(np.array([-3.0, 0.0, 3.0]), 0.2, limit=1.0)
    array([-1. ,  0.6,  1. ])
    """
    low, high = -limit - float(sample.max()), limit - float(sample.min())
    for _ in range(60):
        middle = (low + high) / 2
        if float(np.clip(sample + middle, -limit, limit).mean()) < mean:
            low = middle
        else:
            high = middle
    return np.clip(sample + high, -limit, limit)


def _shared(n: float, within: float) -> float:
    n = max(n, 1.0)
    return (1 + (n - 1) * within) / n


def _block_hours(plan: Plan) -> float:
    return 1.0 if plan.unit.block == "none" else plan.unit.block / HOUR


def _requests(question: Question, plan: Plan, known: Assumptions) -> float:
    """Return the requests of this question in one block (in one day under ``block: none``)."""
    share = segment_shares(plan, known).get(question.segment, 1.0) if question.segment else 1.0
    days = 1.0 if plan.unit.block == "none" else _block_hours(plan) / HOURS_A_DAY
    return known.rate * share * days


def _unknown(question: Question, plan: Plan, known: Assumptions) -> float:
    """Return how far missing labels move a mean from what was observed, one way and the other."""
    if plan.outcomes.missing != "bound" or not known.missing:
        return 0.0
    return known.missing * request_sd(question.gate, plan, known)


def _values(
    question: Question, plan: Plan, known: Assumptions, mean: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return values of one request's D and their chances, with this mean and the second moment assumed."""
    gate, q = question.gate, label_chance(plan)
    largest, deviation = cap_of(gate, plan, known), request_sd(gate, plan, known)
    if gate.metric in (Metric.ZERO_ONE, Metric.ACCURACY):
        differ = min(max(deviation**2, abs(mean)), 1.0)
        values, chances = (1.0, -1.0), ((differ + mean) / 2, (differ - mean) / 2)
    else:
        away = min(deviation, largest - abs(mean))
        values, chances = (mean + away, mean - away), (0.5, 0.5)
    # An audit weighs the requests it draws by 1 / q, and the others by nothing.
    drawn = tuple(chance * q for chance in chances)
    return (*(value / q for value in values), 0.0), (*drawn, max(1 - sum(drawn), 0.0))
