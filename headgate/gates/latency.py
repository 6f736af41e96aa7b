"""A latency quantile, from the mirror in shadow or from a live split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from headgate.errors import EvidenceError
from headgate.evidence import EvidenceRow, LatencyPairSum, LatencySplitSum
from headgate.gates.finding import Finding
from headgate.gates.operation import Evidence, by_unit, column
from headgate.gates.questions import Question
from headgate.gates.rows import merged
from headgate.plan.model import Applies, Gate
from headgate.routing import FULL_BP
from headgate.stats import latency
from headgate.stats.betting import Batches
from headgate.stats.display import ALPHA, difference, mean_interval, rate_interval
from headgate.stats.hours import Hours

Hour = tuple[EvidenceRow, LatencySplitSum]
_ALIKE = "are slow together"


def judge_latency(question: Question, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]) -> Finding:
    """Return the finding of a latency quantile, from the mirror in shadow or from a live split."""
    gate = question.gate
    if gate.quantile is None or gate.ratio is None:
        raise EvidenceError("a latency gate needs quantile and ratio")
    quantile = latency.Quantile(gate.quantile, gate.ratio, gate.tolerate)
    match gate.applies:
        case Applies.SHADOW:
            return _mirror(question, quantile, rows, fresh)
        case Applies.SPLIT:
            return _split(question, quantile, rows, fresh)
        case _:
            raise EvidenceError("a latency gate must say where it applies: shadow (mirror) or split (live)")


def _mirror(
    question: Question, quantile: latency.Quantile, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]
) -> Finding:
    hours = [sums for _, sums in merged(rows, LatencyPairSum)]
    now = [sums for _, sums in merged(fresh, LatencyPairSum)]
    n = sum(s.n for s in hours)
    if not n:
        return Finding()
    advance, harm = (
        _pairs(question.gate, quantile, sums, bet) for sums, bet in ((now, "adv"), (hours, "rb"))
    )
    finding = by_unit(question, advance, harm, alike=_ALIKE)
    worse, better = sum(s.adv_c for s in hours), sum(s.adv_i for s in hours)
    estimate = (worse - better) / n
    limits = difference(rate_interval(n, worse, ALPHA / 2), rate_interval(n, better, ALPHA / 2))
    each = latency.pair_hours(_discordant(hours, "adv"))
    return _compared(finding, quantile, estimate, limits, each, n)


def _pairs(gate: Gate, quantile: latency.Quantile, sums: Sequence[LatencyPairSum], bet: str) -> Evidence:
    pairs, harm = _discordant(sums, bet), bet == "rb"
    seen = latency.pair_hours(pairs)
    by_request = latency.pair_evidence(pairs, quantile, harm=harm, variance=gate.variance)
    return Evidence(by_request, latency.hourly(seen, harm=harm), pairs.n, seen)


def _discordant(sums: Sequence[LatencyPairSum], bet: str) -> latency.Pairs:
    return latency.Pairs(column(sums, "n"), column(sums, f"{bet}_c"), column(sums, f"{bet}_i"))


def _split(
    question: Question, quantile: latency.Quantile, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]
) -> Finding:
    hours, now = merged(rows, LatencySplitSum), merged(fresh, LatencySplitSum)
    if not any(s.n1 + s.n0 for _, s in hours):
        return Finding()
    finding = by_unit(
        question,
        _arms(question.gate, quantile, now, "c_adv"),
        _arms(question.gate, quantile, hours, "c_rb"),
        alike=_ALIKE,
    )
    sums = _shown(hours, now)
    n1, n0 = sum(s.n1 for s in sums), sum(s.n0 for s in sums)
    if not (n1 and n0):
        return replace(finding, seen=f"only one side has answered so far ({n1 + n0} requests)")
    slow, reference = sum(s.c_adv for s in sums), sum(s.i_tau for s in sums)
    estimate = slow / n1 - reference / n0
    limits = difference(rate_interval(n1, slow, ALPHA / 2), rate_interval(n0, reference, ALPHA / 2))
    return _compared(
        finding, quantile, estimate, limits, latency.split_hours(_sides(hours, "c_adv")), n1 + n0
    )


def _shown(hours: Sequence[Hour], now: Sequence[Hour]) -> list[LatencySplitSum]:
    """Return the hours an estimate over requests is of: at the last share, on this step where it has any.

    Arms are never added up over a ramp: what changed in time would look like a difference of sides.
    """
    last = (now or hours)[-1][0]
    return [sums for row, sums in now or hours if (row.entry, row.share_bp) == (last.entry, last.share_bp)]


def _arms(gate: Gate, quantile: latency.Quantile, hours: Sequence[Hour], slow: str) -> Evidence:
    split, harm = _sides(hours, slow), slow == "c_rb"
    seen = latency.split_hours(split)
    by_request = latency.split_evidence(split, quantile, harm=harm, variance=gate.variance)
    return Evidence(by_request, latency.hourly(seen, harm=harm), split.n1 + split.n0, seen)


def _sides(hours: Sequence[Hour], slow: str) -> latency.Split:
    sums = [s for _, s in hours]
    share = np.array([row.share_bp / FULL_BP for row, _ in hours])
    return latency.Split(
        column(sums, "n1"), column(sums, slow), column(sums, "n0"), column(sums, "i_tau"), share
    )


def _compared(
    finding: Finding,
    quantile: latency.Quantile,
    estimate: float,
    limits: tuple[float, float],
    each: Hours,
    n: int,
) -> Finding:
    """Return the finding with its estimate, which is a mean of hours where hours are counted."""
    if finding.unit == "hours":
        values = Batches.single(each.value[each.seen])
        estimate, limits = float(np.mean(values.values)), mean_interval(values, values, 1.0)
    lower, upper = limits
    told = _latency_seen(quantile, estimate, lower, upper, n)
    return replace(finding, estimate=estimate, lower=lower, upper=upper, seen=told)


def _latency_seen(quantile: latency.Quantile, estimate: float, lower: float, upper: float, n: int) -> str:
    return (
        f"candidate exceeds {quantile.ratio:g} x tau {abs(estimate):.1%} "
        f"{'less' if estimate <= 0 else 'more'} often than the incumbent exceeds tau, its "
        f"{quantile.p:.0%} quantile "
        f"(difference {estimate:+.1%}, 95 % {lower:+.1%}..{upper:+.1%}; {n} requests)"
    )
