"""Rates and latency: what callers really got, by the hour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headgate.errors import EvidenceError
from headgate.evidence import EvidenceRow, LatencyPairSum, LatencySplitSum, RateSum
from headgate.gates.finding import Finding, Trail
from headgate.gates.questions import Question
from headgate.gates.rows import merged
from headgate.plan.model import Applies, Gate, Metric
from headgate.routing import FULL_BP
from headgate.stats import latency, rates
from headgate.stats.betting import FloatArray
from headgate.stats.display import ALPHA, difference, rate_interval


def judge_rate(question: Question, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]) -> Finding:
    """Return the finding of a rate against its ceiling; coverage is 1 - its rate of misses.

    ``expect`` is the rate of events that is expected (for coverage: of misses), ``harm`` the excess
    over the ceiling that is to be found fast.
    """
    gate = question.gate
    if question.limit is None:
        raise EvidenceError(f"the gate needs a ceiling or a floor; {gate.metric.value} has none")
    covers = gate.metric is Metric.COVERAGE
    ceiling = 1 - question.limit if covers else question.limit
    hours = [sums for _, sums in merged(rows, RateSum)]
    now = [sums for _, sums in merged(fresh, RateSum)]
    n, x = sum(s.n for s in hours), sum(s.x for s in hours)
    if not n:
        return Finding()
    advance = rates.advance_evidence(_column(now, "x"), _column(now, "n"), ceiling, gate.expect)
    rollback = rates.rollback_evidence(_column(hours, "x"), _column(hours, "n"), ceiling, gate.harm)
    shown = now if sum(s.n for s in now) else hours
    n, x = sum(s.n for s in shown), sum(s.x for s in shown)
    lower, upper = rate_interval(n, x)
    estimate = x / n
    if covers:
        estimate, lower, upper = 1 - estimate, 1 - upper, 1 - lower
    word, against = ("coverage", "floor") if covers else ("error rate", "ceiling")
    return Finding(
        Trail(advance, np.cumsum(_column(now, "n"))),
        Trail(rollback, np.cumsum(_column(hours, "n"))),
        estimate,
        lower,
        upper,
        seen=f"{word} {_percent(estimate)} (95 % {_percent(lower)}..{_percent(upper)}; {x} of {n} requests "
        f"{'not covered' if covers else 'failed'}), {against} {_percent(question.limit)}",
    )


def judge_latency(question: Question, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]) -> Finding:
    """Return the finding of a latency quantile, from the mirror in shadow or from a live split."""
    gate = question.gate
    if gate.quantile is None or gate.ratio is None:
        raise EvidenceError("a latency gate needs quantile and ratio")
    quantile = latency.Quantile(gate.quantile, gate.ratio, gate.tolerate)
    match gate.applies:
        case Applies.SHADOW:
            return _mirror(gate, quantile, rows, fresh)
        case Applies.SPLIT:
            return _split(gate, quantile, rows, fresh)
        case _:
            raise EvidenceError("a latency gate must say where it applies: shadow (mirror) or split (live)")


def _mirror(
    gate: Gate, quantile: latency.Quantile, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]
) -> Finding:
    hours = [sums for _, sums in merged(rows, LatencyPairSum)]
    now = [sums for _, sums in merged(fresh, LatencyPairSum)]
    n = sum(s.n for s in hours)
    if not n:
        return Finding()
    advance = latency.Pairs(_column(now, "n"), _column(now, "adv_c"), _column(now, "adv_i"))
    harm = latency.Pairs(_column(hours, "n"), _column(hours, "rb_c"), _column(hours, "rb_i"))
    worse, better = sum(s.adv_c for s in hours), sum(s.adv_i for s in hours)
    lower, upper = difference(rate_interval(n, worse, ALPHA / 2), rate_interval(n, better, ALPHA / 2))
    estimate = (worse - better) / n
    return Finding(
        Trail(
            latency.pair_evidence(advance, quantile, harm=False, variance=gate.variance), np.cumsum(advance.n)
        ),
        Trail(latency.pair_evidence(harm, quantile, harm=True, variance=gate.variance), np.cumsum(harm.n)),
        estimate,
        lower,
        upper,
        seen=_seen(quantile, estimate, lower, upper, n),
    )


def _split(
    gate: Gate, quantile: latency.Quantile, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]
) -> Finding:
    hours, now = merged(rows, LatencySplitSum), merged(fresh, LatencySplitSum)
    sums = [s for _, s in hours]
    n1, n0 = sum(s.n1 for s in sums), sum(s.n0 for s in sums)
    if not n1 + n0:
        return Finding()
    advance, harm = _arms(now, "c_adv"), _arms(hours, "c_rb")
    trails = (
        Trail(
            latency.split_evidence(advance, quantile, harm=False, variance=gate.variance),
            np.cumsum(advance.n1 + advance.n0),
        ),
        Trail(
            latency.split_evidence(harm, quantile, harm=True, variance=gate.variance),
            np.cumsum(harm.n1 + harm.n0),
        ),
    )
    if not (n1 and n0):
        return Finding(*trails, seen=f"only one side has answered so far ({n1 + n0} requests)")
    slow, reference = sum(s.c_adv for s in sums), sum(s.i_tau for s in sums)
    lower, upper = difference(rate_interval(n1, slow, ALPHA / 2), rate_interval(n0, reference, ALPHA / 2))
    estimate = slow / n1 - reference / n0
    return Finding(*trails, estimate, lower, upper, seen=_seen(quantile, estimate, lower, upper, n1 + n0))


def _arms(hours: Sequence[tuple[EvidenceRow, LatencySplitSum]], slow: str) -> latency.Split:
    sums = [s for _, s in hours]
    share = np.array([row.share_bp / FULL_BP for row, _ in hours])
    return latency.Split(
        _column(sums, "n1"), _column(sums, slow), _column(sums, "n0"), _column(sums, "i_tau"), share
    )


def _column(sums: Sequence[object], name: str) -> FloatArray:
    return np.array([getattr(s, name) for s in sums], dtype=np.float64)


def _seen(quantile: latency.Quantile, estimate: float, lower: float, upper: float, n: int) -> str:
    return (
        f"candidate exceeds {quantile.ratio:g} x tau {abs(estimate):.1%} "
        f"{'less' if estimate <= 0 else 'more'} often than the incumbent exceeds tau, its "
        f"{quantile.p:.0%} quantile "
        f"(difference {estimate:+.1%}, 95 % {lower:+.1%}..{upper:+.1%}; {n} requests)"
    )


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f} %"
