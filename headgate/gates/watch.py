"""The watch after the last step: a signal for harm that begins late, beside every guardrail.

What it controls, and what not, is said in `headgate.stats.watch`. Each gate's alarm is its own: among
G watched gates some false alarm comes up to G times as often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from math import exp

import numpy as np

from headgate.errors import EvidenceError
from headgate.evidence import WATCH, BlockSum, EvidenceRow, RateSum, Standing
from headgate.gates.finding import Finding
from headgate.gates.operation import column
from headgate.gates.questions import Question, last_restart
from headgate.gates.rates import ceiling_of
from headgate.gates.rows import Grouped, merged
from headgate.plan.applies import RATES, is_paired_loss
from headgate.plan.model import Plan
from headgate.stats import rates
from headgate.stats.betting import FloatArray
from headgate.stats.hours import held, shocks
from headgate.stats.watch import RUN_LENGTH, e_cusum, log_alarm, onset
from headgate.verdicts import GateVerdict, Role, Verdict


def watch_verdicts(
    plan: Plan,
    questions: Sequence[Question],
    findings: Sequence[Finding],
    grouped: Grouped,
    standing: Standing,
) -> tuple[GateVerdict, ...]:
    """Return one row per guardrail that is watched on the last step: an alarm or not, never a pass.

    Parameters
    ----------
    plan
        Its guardrails on a paired loss or a rate are watched, over all requests.
    questions, findings
        What was asked and found, one for one.
    grouped
        All closed evidence of the rollout, as `headgate.gates.rows.gather` returns it.
    standing
        The detector looks at what came since this stay was confirmed, or since it was resumed.

    Returns
    -------
    tuple of GateVerdict
        Signals that never count towards advancing. ``log_e_rollback`` is the log of the largest
        statistic so far: an alarm stays until somebody resumes. Empty before the last step.
    """
    if standing.step < len(plan.steps) - 1 or standing.confirmed_at is None:
        return ()
    return tuple(
        _verdict(question, _watched(question, finding, plan, grouped, standing), standing)
        for question, finding in zip(questions, findings, strict=True)
        if question.segment is None
        and question.applies
        and question.gate.role is Role.GUARDRAIL
        and (question.gate.metric in RATES or is_paired_loss(question.gate, plan))
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    """The detector after each of W batches since the watch began.

    Attributes
    ----------
    log_m
        Its statistic, shape (W,).
    wealth
        Log-capital of the bets behind it, shape (K, W).
    at
        Start of each batch; W of them.
    unit
        What a batch is.
    fault
        Why nothing can be said; empty where something can.
    """

    log_m: FloatArray
    wealth: FloatArray
    at: tuple[datetime, ...]
    unit: str
    fault: str = ""

    @property
    def peak(self) -> float:
        """Largest statistic so far, 0 without data: nothing was bet."""
        return max(float(np.max(self.log_m)), 0.0) if self.log_m.size else 0.0

    def began(self, alarm: float) -> datetime:
        """Return when the harm began that first raised the alarm."""
        return self.at[onset(self.wealth, int(np.argmax(self.log_m >= alarm)))]


def _watched(
    question: Question, finding: Finding, plan: Plan, grouped: Grouped, standing: Standing
) -> _Watched:
    gate = question.gate
    rows = grouped.get((gate.name, None), ())
    unit = "hours" if gate.metric in RATES or plan.unit.block == "none" else "blocks"
    fault = finding.fault or finding.wait
    if not fault:
        try:
            if gate.metric in RATES:
                return _rate(question, rows, standing, unit)
            return _paired(question, finding, rows, standing, unit)
        except EvidenceError as err:
            fault = str(err)
    return _Watched(np.zeros(0), np.zeros((1, 0)), (), unit, fault)


def _paired(
    question: Question, finding: Finding, rows: Sequence[EvidenceRow], standing: Standing, unit: str
) -> _Watched:
    """Both sides were scored off the answer path all along: only time says what the watch has seen."""
    began = [time for time in (standing.confirmed_at, _anew(question, standing)) if time is not None]
    kept = [
        row.batch
        for row, sums in merged(rows, type(rows[0].sums) if rows else BlockSum)
        if not isinstance(sums, BlockSum) or sums.entities or sums.missing
    ]
    wealth = np.zeros((1, 0)) if finding.rollback.wealth is None else finding.rollback.wealth
    if wealth.shape[-1] != len(kept):
        raise EvidenceError(f"{len(kept)} batches were kept and {wealth.shape[-1]} were judged")
    here = [start >= max(began) for start in kept]
    watched = _of(here, wealth)
    return _Watched(e_cusum(watched), watched, tuple(compress(kept, here)), unit)


def _rate(question: Question, rows: Sequence[EvidenceRow], standing: Standing, unit: str) -> _Watched:
    """By requests, unless those of one hour fail together: `headgate.stats.hours` holds here as well."""
    gate, anew = question.gate, _anew(question, standing)
    hours = merged(rows, RateSum)
    # An hour belongs to the stay its requests came in, even where the share changed within it.
    here = [row.entry == standing.entry and (anew is None or row.batch >= anew) for row, _ in hours]
    x, n = (column([sums for _, sums in hours], name) for name in ("x", "n"))
    ceiling, seen = ceiling_of(gate, question.limit), rates.hours(x, n)
    by_request, by_hour = rates.rollback_bets(x, n, ceiling, gate.harm), rates.hourly_bets(seen, ceiling)
    requests, hourly = ((_of(here, wealth), capital) for wealth, capital in (by_request, by_hour))
    log_m = held(e_cusum(*requests), e_cusum(*hourly), shocks(seen).now(), harm=True)
    at = tuple(row.batch for row, _ in compress(hours, here))
    return _Watched(log_m, requests[0], at, unit)


def _anew(question: Question, standing: Standing) -> datetime | None:
    """Return since when the detector looks anew: resumed after an alarm, or another incumbent."""
    resumed, _ = last_restart(WATCH + question.gate.name, standing)
    return max((time for time in (standing.fresh_since, resumed) if time is not None), default=None)


def _of(watched: Sequence[bool], wealth: FloatArray) -> FloatArray:
    """Return the log-capital won in the watched batches alone: (K, T) becomes (K, W)."""
    steps = np.diff(wealth, axis=-1, prepend=0.0)
    return np.cumsum(steps[:, np.array(watched, dtype=np.bool_)], axis=-1)


def _verdict(question: Question, found: _Watched, standing: Standing) -> GateVerdict:
    name = WATCH + question.gate.name
    _, level = last_restart(name, standing)
    alarm = log_alarm(RUN_LENGTH, level)
    harmful = found.peak >= alarm
    return GateVerdict(
        gate=name,
        segment=None,
        role=Role.SIGNAL,
        verdict=Verdict.FAIL if harmful else Verdict.INCONCLUSIVE,
        applies=False,
        estimate=None,
        lower=None,
        upper=None,
        log_e_advance=0.0,
        log_e_rollback=found.peak,
        log_threshold_advance=question.log_advance,
        log_threshold_rollback=alarm,
        weight=0.0,
        samples=len(found.at),
        needed=None,
        unit=found.unit,
        reason=f"{name}: {_told(found, alarm)}",
    )


def _told(found: _Watched, alarm: float) -> str:
    if found.fault:
        return f"not watched: {found.fault}"
    if not found.at:
        return "nothing seen since the last step was confirmed"
    often = f"a fine candidate goes {exp(alarm):.0f} {found.unit} or more without an alarm, in the mean"
    if found.peak < alarm:
        return (
            f"no sign of late harm in {len(found.at)} {found.unit}: log M {found.peak:.1f}, "
            f"alarm at {alarm:.1f}; {often}"
        )
    began = found.began(alarm)
    return (
        f"alarm: harm seems to have begun about {began:%Y-%m-%d %H:%M}: log M {found.peak:.1f}, "
        f"alarm at {alarm:.1f}; {often}"
    )
