"""Losses of which each entity shows one side's alone, drawn: the two arms of a live split."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

import numpy as np

from headgate.gates.questions import Question
from headgate.plan.applies import loss_range, needs_labels
from headgate.plan.model import Metric, Plan
from headgate.power.assumptions import Assumptions
from headgate.power.course import HOURS_A_DAY, Course, Runs
from headgate.power.derived import GUESSED_BASE_RATE, cap_of, entities_per_day, request_sd
from headgate.power.worlds import World, true_difference
from headgate.routing import FULL_BP
from headgate.stats import ratio
from headgate.stats.betting import Batches, FloatArray
from headgate.stats.blocks import FEWEST_BLOCKS
from headgate.stats.unpaired import Arms, Design, block_evidence, unit_evidence

HOUR = timedelta(hours=1)


def arms_course(
    question: Question,
    plan: Plan,
    known: Assumptions,
    world: World,
    runs: Runs,
    hours: float,
    share_bp: int,
) -> Course:
    """Return the course of an unpaired loss at one share: new entities by the block, or by the hour.

    An entity's loss is 0 or one larger value, with the mean assumed; what the entities of a block share
    is taken to strike both sides alike, and then cancels.
    """
    gate, share = question.gate, share_bp / FULL_BP
    span = 1.0 if plan.unit.block == "none" else plan.unit.block / HOUR
    shape = runs.count, max(ceil(hours / span), 1)
    per_batch = entities_per_day(known) * span / HOURS_A_DAY
    dice = runs.dice("arms", question.name, world, share_bp)
    n1, n0 = (dice.poisson(per_batch * part, shape) for part in (share, 1 - share))
    high, mean = incumbent_loss(question, plan, known)
    margin = mean * ((gate.ratio or 1) - 1) if question.limit is None else question.limit
    theirs = mean / high
    ours = float(np.clip((mean + true_difference(gate, margin, world)) / high, 0, 1))
    e1, e0 = dice.binomial(n1, ours), dice.binomial(n0, theirs)
    counts = [one.astype(np.float64) for one in (n1, e1, n0, e0)]
    evidence = [
        _evidence(question, plan, known, counts, high, harm=harm)
        for harm in (False, True)[: 2 if world is World.AT_MARGIN else 1]
    ]
    blocks = plan.unit.block != "none" and gate.ratio is None
    if plan.unit.block == "none" and not plan.unit.independent and gate.ratio is None:
        # Whether single entities are independent is not known before five days have been seen.
        evidence[0][:, : int(FEWEST_BLOCKS * HOURS_A_DAY)] = 0.0
    entities = np.cumsum(n1 + n0, axis=-1).astype(np.float64)
    return Course(
        advance=evidence[0],
        harm=evidence[1] if len(evidence) > 1 else None,
        units=np.arange(1.0, shape[1] + 1)[np.newaxis] if blocks else entities,
        unit="blocks" if blocks else "entities",
        span=span,
        lag=plan.outcomes.maturity / HOUR if needs_labels(gate) else 0.0,
    )


def incumbent_loss(question: Question, plan: Plan, known: Assumptions) -> tuple[float, float]:
    """Return the larger of an entity's two losses, and the incumbent's mean loss.

    Without a word the incumbent does no better than guessing the base rate.
    """
    gate = question.gate
    base = GUESSED_BASE_RATE if known.base_rate is None else known.base_rate
    base = min(max(base, 1e-4), 1 - 1e-4)
    if gate.metric in (Metric.ZERO_ONE, Metric.ACCURACY):
        return 1.0, min(base, 1 - base)
    if loss_range(gate, plan) == 1.0:
        return min(2 * base * (1 - base), 1.0), base * (1 - base)
    deviation = request_sd(gate, plan, known)
    return 2 * deviation, deviation


def _evidence(
    question: Question,
    plan: Plan,
    known: Assumptions,
    counts: list[FloatArray],
    high: float,
    *,
    harm: bool,
) -> FloatArray:
    gate, (n1, e1, n0, e0) = question.gate, counts
    if gate.ratio is not None:
        events = ratio.Events(n1, e1, n0, e0)
        return (ratio.rollback_evidence if harm else ratio.advance_evidence)(events, gate.ratio)
    values = np.stack([np.zeros_like(n1), np.full_like(n1, high)])
    arms = Arms(Batches(values, np.stack([n1 - e1, e1])), Batches(values, np.stack([n0 - e0, e0])))
    design = Design(
        question.limit or 0.0, gate.expect, gate.harm, gate.variance, 0.0, cap_of(gate, plan, known)
    )
    judged = unit_evidence if plan.unit.block == "none" else block_evidence
    return judged(arms, design, harm=harm)
