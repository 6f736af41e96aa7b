"""All evidence of a rollout to one scorecard: each question judged, then all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from math import inf, log

import numpy as np

from headgate.errors import EvidenceError
from headgate.evidence import (
    SPLIT,
    BlockSum,
    CalibrationSum,
    EvidenceRow,
    SplitSum,
    Standing,
    UnpairedSum,
)
from headgate.gates import words
from headgate.gates.calibration import judge_calibration
from headgate.gates.finding import Finding
from headgate.gates.latency import judge_latency
from headgate.gates.money import judge_money
from headgate.gates.quality import judge_blocks, judge_units
from headgate.gates.questions import Question, ask, last_restart, log_threshold
from headgate.gates.rates import judge_rate
from headgate.gates.rows import Grouped, Kept, fresh, gather, merged
from headgate.gates.unpaired import judge_unpaired
from headgate.gates.watch import watch_verdicts
from headgate.plan.applies import MONEY, RATES, carries, is_loss, is_unpaired
from headgate.plan.model import Applies, Metric, Plan
from headgate.routing import FULL_BP
from headgate.stats import srm
from headgate.stats.segments import log_mean
from headgate.verdicts import GateVerdict, Role, Scorecard, Verdict


def judge(plan: Plan, rows: Sequence[EvidenceRow] | Kept, standing: Standing) -> Scorecard:
    """Judge every gate of a plan on all evidence so far.

    Pure: the same rows, in any order and cut into any parts, give the same bits.

    Parameters
    ----------
    plan
        The frozen plan.
    rows
        All evidence of the rollout, any order; parts of one hour are added up. Whoever judges again
        and again keeps it in a `Kept`.
    standing
        Step, entry, time and attempt the judgement is for.

    Returns
    -------
    Scorecard
        A gate whose rows cannot be judged has the verdict ``error``; the others are judged still.

    Raises
    ------
    EvidenceError
        If a row is there twice or belongs to no gate: then the store is not to be trusted.
    """
    grouped = gather(plan, rows, standing.now)
    alarm = _split_alarm(grouped, standing)
    questions = ask(plan, standing, grouped)
    findings = [_examine(question, plan, standing, grouped, alarm) for question in questions]
    log_harm, worst = _harm(questions, findings)
    threshold = log_threshold(plan.errors.roll_back_fine, standing.attempt)
    failed = worst if log_harm >= threshold else None
    verdicts = tuple(
        _verdict(question, finding, plan, proven=question is failed)
        for question, finding in zip(questions, findings, strict=True)
    )
    alarmed = [
        q.name
        for q, v in zip(questions, verdicts, strict=True)
        if q.gate.role is Role.SIGNAL and v.verdict is Verdict.FAIL
    ]
    watched = watch_verdicts(plan, questions, findings, grouped, standing)
    alarmed += [row.gate for row in watched if row.verdict is Verdict.FAIL]
    return Scorecard(
        verdicts + watched,
        log_harm,
        threshold,
        failed.name if failed else None,
        tuple(alarmed),
        alarm,
        _matured_through(plan, grouped),
    )


def _examine(
    question: Question, plan: Plan, standing: Standing, grouped: Grouped, split_alarm: bool
) -> Finding:
    gate = question.gate
    rows = grouped.get((gate.name, question.segment), ())
    carried = carries(gate, plan)
    advancing = fresh(rows, standing, carries=carried)
    since, _ = last_restart(gate.name, standing)
    if gate.role is not Role.GUARDRAIL and since is not None:
        rows = tuple(row for row in rows if row.batch >= since)
    two_arms = is_unpaired(gate, plan) or (gate.metric is Metric.LATENCY and gate.applies is Applies.SPLIT)
    if split_alarm and two_arms:
        return Finding(fault="void while the traffic split is not as configured")
    try:
        finding = _method(question, plan, rows, advancing)
    except EvidenceError as err:
        return Finding(fault=str(err))
    return _held_to_segments(question, plan, standing, finding)


def _held_to_segments(question: Question, plan: Plan, standing: Standing, finding: Finding) -> Finding:
    """Say where the overall evidence stands in for segments, and wait while they are not frozen."""
    if question.segment is not None or plan.segments is None:
        return finding
    if question.gate.name not in plan.segments.gates:
        return finding
    if standing.segments is None:
        return replace(finding, wait="its segments are not frozen yet")
    if not any(standing.segments.values()):
        return replace(finding, notes=(*finding.notes, "no segment is above the floor: all requests decide"))
    return finding


def _method(
    question: Question, plan: Plan, rows: Sequence[EvidenceRow], advancing: Sequence[EvidenceRow]
) -> Finding:
    gate = question.gate
    if is_unpaired(gate, plan):
        return judge_unpaired(question, plan, rows, advancing)
    if is_loss(gate):
        judged = judge_units if plan.unit.block == "none" else judge_blocks
        return judged(question, plan, rows, advancing)
    if gate.metric in MONEY:
        return judge_money(question, plan, rows, advancing)
    if gate.metric in RATES:
        return judge_rate(question, rows, advancing)
    if gate.metric is Metric.CALIBRATION:
        return judge_calibration(question, plan, rows)
    return judge_latency(question, rows, advancing)


def _harm(questions: Sequence[Question], findings: Sequence[Finding]) -> tuple[float, Question | None]:
    """Return log M, and the guardrail that contributes most to it."""
    weighed = [(q, f.rollback.now) for q, f in zip(questions, findings, strict=True) if q.weight > 0]
    if not weighed:
        return -inf, None
    shares = [q.weight for q, _ in weighed]
    total = log_mean(np.array([[log_e] for _, log_e in weighed]), shares)
    worst = max(weighed, key=lambda pair: log(pair[0].weight) + pair[1])
    return float(total[0]), worst[0]


def _verdict(question: Question, finding: Finding, plan: Plan, *, proven: bool) -> GateVerdict:
    gate, advance, rollback = question.gate, finding.advance, finding.rollback
    needed = advance.needed(question.log_advance, finding.fewest(gate.min_samples))
    verdict = _answer(question, finding, proven=proven)
    return GateVerdict(
        gate=gate.name,
        segment=question.segment,
        role=gate.role,
        verdict=verdict,
        applies=question.applies,
        estimate=finding.estimate,
        lower=finding.lower,
        upper=finding.upper,
        log_e_advance=advance.now,
        log_e_rollback=rollback.now,
        log_threshold_advance=question.log_advance,
        log_threshold_rollback=question.log_rollback,
        weight=question.weight,
        samples=advance.samples if question.applies else rollback.samples,
        needed=needed,
        unit=finding.unit,
        reason=words.reason(question, finding, verdict, plan.unit, needed),
        design_effect=finding.design_effect,
        autocorrelation=finding.autocorrelation,
    )


def _answer(question: Question, finding: Finding, *, proven: bool) -> Verdict:
    gate = question.gate
    alone = finding.rollback.now >= question.log_rollback and not question.exempt
    if gate.role is Role.GUARDRAIL:
        # One guardrail can be enough by itself and still not be the worst: it has failed as well.
        alone = question.weight > 0 and finding.rollback.now + log(question.weight) >= question.log_rollback
    if finding.fault:
        return Verdict.ERROR
    if proven or alone:
        return Verdict.FAIL
    if not finding.advance.samples:
        return Verdict.NO_DATA
    few = finding.advance.samples < finding.fewest(gate.min_samples)
    short = few or finding.advance.now < question.log_advance
    return Verdict.INCONCLUSIVE if short or finding.wait else Verdict.PASS


def _split_alarm(grouped: Grouped, standing: Standing) -> bool:
    """Say whether entities do not arrive as the split was configured, over all entries together."""
    since, level = last_restart(SPLIT, standing)
    entries: dict[tuple[int, int], tuple[int, int]] = {}
    for row, sums in merged(grouped.get((SPLIT, None), ()), SplitSum):
        if 0 < row.share_bp < FULL_BP and (since is None or row.batch >= since):
            n1, n0 = entries.get((row.entry, row.share_bp), (0, 0))
            entries[row.entry, row.share_bp] = n1 + sums.n1, n0 + sums.n0
    evidence = sum(
        srm.log_bayes_factor(n1, n0, share / FULL_BP) for (_, share), (n1, n0) in sorted(entries.items())
    )
    return evidence >= -log(srm.ALPHA * level)


def _matured_through(plan: Plan, grouped: Grouped) -> datetime | None:
    if plan.unit.block == "none":
        return None
    last = [rows[-1] for rows in grouped.values()]
    blocks = [row.batch for row in last if isinstance(row.sums, BlockSum | UnpairedSum | CalibrationSum)]
    return max(blocks) + plan.unit.block if blocks else None
