"""Rates and latency: what callers really got, by the hour.

Requests are counted, unless those of one hour fail together: `headgate.stats.hours` says when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from headgate.errors import EvidenceError
from headgate.evidence import EvidenceRow, LatencyPairSum, LatencySplitSum, RateSum
from headgate.gates.finding import Finding, Trail
from headgate.gates.questions import Question
from headgate.gates.rows import merged
from headgate.plan.model import Applies, Gate, Metric
from headgate.routing import FULL_BP
from headgate.stats import latency, rates
from headgate.stats.betting import Batches, FloatArray
from headgate.stats.blocks import autocorrelation
from headgate.stats.display import ALPHA, difference, mean_interval, rate_interval, share_interval
from headgate.stats.hours import FEWEST_EVENTS, FEWEST_HOURS, Hours, held, shocks


@dataclass(frozen=True, slots=True, eq=False)
class _Evidence:
    """One of the two e-processes: log E by requests and by the hour, and both units' counts."""

    by_request: FloatArray
    by_hour: FloatArray
    requests: FloatArray
    hours: Hours

    def trail(self, *, hourly: bool, log_e: FloatArray) -> Trail:
        return Trail(log_e, np.cumsum(self.hours.seen if hourly else self.requests).astype(np.float64))


def judge_rate(question: Question, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]) -> Finding:
    """Return the finding of a rate against its ceiling; coverage is 1 - its rate of misses.

    ``expect`` is the rate of events that is expected (for coverage: of misses), ``harm`` the excess
    over the ceiling that is to be found fast.
    """
    gate = question.gate
    if question.limit is None:
        raise EvidenceError(f"the gate needs a ceiling or a floor; {gate.metric.value} has none")
    ceiling = 1 - question.limit if gate.metric is Metric.COVERAGE else question.limit
    hours = [sums for _, sums in merged(rows, RateSum)]
    now = [sums for _, sums in merged(fresh, RateSum)]
    if not sum(s.n for s in hours):
        return Finding()
    advance, harm = (_rate(gate, ceiling, sums, harm=side) for side, sums in ((False, now), (True, hours)))
    finding = _by_unit(question, advance, harm)
    shown, seen = (now, advance) if sum(s.n for s in now) else (hours, harm)
    n, x = sum(s.n for s in shown), sum(s.x for s in shown)
    if finding.unit == "hours":
        each = seen.hours.value[seen.hours.seen]
        estimate, (lower, upper) = float(np.mean(each)), share_interval(each)
    else:
        estimate, (lower, upper) = x / n, rate_interval(n, x)
    if gate.metric is Metric.COVERAGE:
        estimate, lower, upper = 1 - estimate, 1 - upper, 1 - lower
    told = _rate_seen(gate.metric, (estimate, lower, upper), (x, n), question.limit)
    return replace(finding, estimate=estimate, lower=lower, upper=upper, seen=told)


def _rate(gate: Gate, ceiling: float, sums: Sequence[RateSum], *, harm: bool) -> _Evidence:
    x, n = _column(sums, "x"), _column(sums, "n")
    seen = rates.hours(x, n)
    by_request = (
        rates.rollback_evidence(x, n, ceiling, gate.harm)
        if harm
        else rates.advance_evidence(x, n, ceiling, gate.expect)
    )
    return _Evidence(by_request, rates.hourly(seen, ceiling, harm=harm), n, seen)


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
    finding = _by_unit(question, advance, harm)
    worse, better = sum(s.adv_c for s in hours), sum(s.adv_i for s in hours)
    estimate = (worse - better) / n
    limits = difference(rate_interval(n, worse, ALPHA / 2), rate_interval(n, better, ALPHA / 2))
    each = latency.pair_hours(_discordant(hours, "adv"))
    return _compared(finding, quantile, estimate, limits, each, n)


def _pairs(gate: Gate, quantile: latency.Quantile, sums: Sequence[LatencyPairSum], bet: str) -> _Evidence:
    pairs, harm = _discordant(sums, bet), bet == "rb"
    seen = latency.pair_hours(pairs)
    by_request = latency.pair_evidence(pairs, quantile, harm=harm, variance=gate.variance)
    return _Evidence(by_request, latency.hourly(seen, harm=harm), pairs.n, seen)


def _discordant(sums: Sequence[LatencyPairSum], bet: str) -> latency.Pairs:
    return latency.Pairs(_column(sums, "n"), _column(sums, f"{bet}_c"), _column(sums, f"{bet}_i"))


def _split(
    question: Question, quantile: latency.Quantile, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]
) -> Finding:
    hours, now = merged(rows, LatencySplitSum), merged(fresh, LatencySplitSum)
    sums = [s for _, s in hours]
    n1, n0 = sum(s.n1 for s in sums), sum(s.n0 for s in sums)
    if not n1 + n0:
        return Finding()
    finding = _by_unit(
        question,
        _arms(question.gate, quantile, now, "c_adv"),
        _arms(question.gate, quantile, hours, "c_rb"),
    )
    if not (n1 and n0):
        return replace(finding, seen=f"only one side has answered so far ({n1 + n0} requests)")
    slow, reference = sum(s.c_adv for s in sums), sum(s.i_tau for s in sums)
    estimate = slow / n1 - reference / n0
    limits = difference(rate_interval(n1, slow, ALPHA / 2), rate_interval(n0, reference, ALPHA / 2))
    return _compared(
        finding, quantile, estimate, limits, latency.split_hours(_sides(hours, "c_adv")), n1 + n0
    )


def _arms(
    gate: Gate, quantile: latency.Quantile, hours: Sequence[tuple[EvidenceRow, LatencySplitSum]], slow: str
) -> _Evidence:
    split, harm = _sides(hours, slow), slow == "c_rb"
    seen = latency.split_hours(split)
    by_request = latency.split_evidence(split, quantile, harm=harm, variance=gate.variance)
    return _Evidence(by_request, latency.hourly(seen, harm=harm), split.n1 + split.n0, seen)


def _sides(hours: Sequence[tuple[EvidenceRow, LatencySplitSum]], slow: str) -> latency.Split:
    sums = [s for _, s in hours]
    share = np.array([row.share_bp / FULL_BP for row, _ in hours])
    return latency.Split(
        _column(sums, "n1"), _column(sums, slow), _column(sums, "n0"), _column(sums, "i_tau"), share
    )


def _by_unit(question: Question, advance: _Evidence, harm: _Evidence) -> Finding:
    """Return both trails in the unit that counts, and say which and why.

    The design effect is that of all the rollout's hours, for both: how requests hang together is no
    news of this step. All hours are judged as it is now.
    """
    found = shocks(harm.hours).now()
    known, hourly = bool(found.known[0]), bool(found.shared[0])
    log_advance = held(advance.by_request, advance.by_hour, found, harm=False)
    log_harm = held(harm.by_request, harm.by_hour, found, harm=True)
    notes = []
    if hourly:
        notes.append(
            f"counts hours: requests of one hour fail together, design effect {float(found.effect[0]):.1f}"
        )
    elif not known and harm.by_request[-1] >= question.log_rollback > log_harm[-1]:
        notes.append(
            f"by requests harm has log E {harm.by_request[-1]:.1f}, by the hour {log_harm[-1]:.1f}: both "
            f"must show it until {FEWEST_HOURS} hours and {FEWEST_EVENTS} events tell whether requests of "
            "one hour fail together"
        )
    return Finding(
        advance.trail(hourly=hourly, log_e=log_advance),
        harm.trail(hourly=hourly, log_e=log_harm),
        unit="hours" if hourly else "requests",
        requests=int(np.sum(advance.requests)),
        notes=tuple(notes),
        design_effect=float(found.effect[0]) if known else None,
        autocorrelation=autocorrelation(harm.hours.value[harm.hours.seen].tolist()) if known else None,
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


def _column(sums: Sequence[object], name: str) -> FloatArray:
    return np.array([getattr(s, name) for s in sums], dtype=np.float64)


def _rate_seen(
    metric: Metric, shown: tuple[float, float, float], counts: tuple[int, int], limit: float
) -> str:
    (estimate, lower, upper), (x, n) = shown, counts
    covers = metric is Metric.COVERAGE
    word, against = ("coverage", "floor") if covers else ("error rate", "ceiling")
    return (
        f"{word} {_percent(estimate)} (95 % {_percent(lower)}..{_percent(upper)}; {x} of {n} requests "
        f"{'not covered' if covers else 'failed'}), {against} {_percent(limit)}"
    )


def _latency_seen(quantile: latency.Quantile, estimate: float, lower: float, upper: float, n: int) -> str:
    return (
        f"candidate exceeds {quantile.ratio:g} x tau {abs(estimate):.1%} "
        f"{'less' if estimate <= 0 else 'more'} often than the incumbent exceeds tau, its "
        f"{quantile.p:.0%} quantile "
        f"(difference {estimate:+.1%}, 95 % {lower:+.1%}..{upper:+.1%}; {n} requests)"
    )


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f} %"
