"""Rates and latency, drawn by the hour: what callers would get at one share."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from headgate.compare.latency import needed
from headgate.gates.questions import Question
from headgate.plan.model import Applies, Gate, Metric
from headgate.power.assumptions import Assumptions
from headgate.power.course import HOURS_A_DAY, Course, Runs
from headgate.power.derived import ceiling_of
from headgate.power.worlds import World, slow_shares, true_rate
from headgate.routing import FULL_BP
from headgate.stats import latency, rates
from headgate.stats.betting import FloatArray
from headgate.stats.hours import Hours, held, shocks

Ints = NDArray[np.int64]

#: Rates that both sides' scored exchanges tell at any share; the others are told by who was served.
_SCORED = frozenset({Metric.DISAGREEMENT, Metric.REJECT_RATE, Metric.CAPPED_RATE})


def rate_course(
    question: Question, known: Assumptions, world: World, runs: Runs, hours: float, share_bp: int
) -> Course:
    """Return the course of a rate against its ceiling at one share, over so many hours."""
    gate, ceiling = question.gate, ceiling_of(question.gate)
    hourly = requests_per_day(gate, known, share_bp) / HOURS_A_DAY
    dice = runs.dice("rate", question.name, world, share_bp)
    n = _requests(dice, hourly, runs, hours)
    x = dice.binomial(n.astype(np.int64), true_rate(gate, world, known)).astype(np.float64)
    seen = rates.hours(x, n)
    found = shocks(seen)
    advance = rates.advance_evidence(x, n, ceiling, gate.expect)
    advance = held(advance, rates.hourly(seen, ceiling, harm=False), found, harm=False)
    harm = None
    if world is World.AT_MARGIN:
        harm = rates.rollback_evidence(x, n, ceiling, gate.harm)
        harm = held(harm, rates.hourly(seen, ceiling, harm=True), found, harm=True)
    return Course(advance, harm, np.cumsum(n, axis=-1), "requests", span=1.0)


def requests_per_day(gate: Gate, known: Assumptions, share_bp: int) -> float:
    """Return the requests a day that a rate is counted on: all of them, or those of the candidate."""
    everyone = share_bp == 0 or gate.metric in _SCORED
    return known.rate * (1.0 if everyone else share_bp / FULL_BP)


def latency_course(
    question: Question, known: Assumptions, world: World, runs: Runs, hours: float, share_bp: int
) -> Course:
    """Return the course of a latency quantile: from the mirror in shadow, from two arms in a split.

    The first requests of the incumbent freeze tau and are not judged: in shadow that delays the start.
    """
    gate = question.gate
    quantile = latency.Quantile(gate.quantile or 0.5, gate.ratio or 2.0, gate.tolerate)
    hourly = known.rate / HOURS_A_DAY
    dice = runs.dice("latency", question.name, world, share_bp)
    n = _requests(dice, hourly, runs, hours)
    slow_adv, slow_rb = slow_shares(gate, world, known)
    by_request, by_hour, seen = _bets(dice, gate, quantile, n, slow_adv, share_bp, harm=False)
    shown, harm = shocks(seen), None
    if world is World.AT_MARGIN:
        harm, harm_by_hour, seen = _bets(dice, gate, quantile, n, slow_rb, share_bp, harm=True)
        shown = shocks(seen)  # of the harm bet's hours, as the judge does
        harm = held(harm, harm_by_hour, shown, harm=True)
    advance = held(by_request, by_hour, shown, harm=False)
    course = Course(advance, harm, np.cumsum(n, axis=-1), "requests", span=1.0)
    mirrored = gate.applies is Applies.SHADOW
    return replace(course, delay=needed(quantile.p) / hourly) if mirrored else course


def _bets(
    dice: np.random.Generator,
    gate: Gate,
    quantile: latency.Quantile,
    n: FloatArray,
    slow: float,
    share_bp: int,
    *,
    harm: bool,
) -> tuple[FloatArray, FloatArray, Hours]:
    """Return log E by request, by hour, and the hours, of ``n`` requests per hour, shape (R, T)."""
    total = n.astype(np.int64)
    if gate.applies is Applies.SHADOW:
        pairs = _mirror(dice, total, slow, quantile.exceeding)
        seen = latency.pair_hours(pairs)
        by_request = latency.pair_evidence(pairs, quantile, harm=harm, variance=gate.variance)
    else:
        split = _arms(dice, total, slow, quantile.exceeding, share_bp / FULL_BP)
        seen = latency.split_hours(split)
        by_request = latency.split_evidence(split, quantile, harm=harm, variance=gate.variance)
    return by_request, latency.hourly(seen, harm=harm), seen


def _mirror(dice: np.random.Generator, n: Ints, slow: float, above: float) -> latency.Pairs:
    """Return mirrored pairs whose sides are slow independently of each other."""
    candidate = dice.binomial(n, slow * (1 - above))
    incumbent = dice.binomial(n - candidate, above * (1 - slow) / max(1 - slow * (1 - above), 1e-12))
    return latency.Pairs(*(one.astype(np.float64) for one in (n, candidate, incumbent)))


def _arms(dice: np.random.Generator, n: Ints, slow: float, above: float, share: float) -> latency.Split:
    """Return the two arms of a split."""
    n1 = dice.binomial(n, share)
    drawn = (n1, dice.binomial(n1, slow), n - n1, dice.binomial(n - n1, above))
    ours, slow1, theirs, slow0 = (one.astype(np.float64) for one in drawn)
    return latency.Split(ours, slow1, theirs, slow0, np.full(n.shape, share))


def _requests(dice: np.random.Generator, hourly: float, runs: Runs, hours: float) -> FloatArray:
    return dice.poisson(hourly, (runs.count, max(ceil(hours), 1))).astype(np.float64)
