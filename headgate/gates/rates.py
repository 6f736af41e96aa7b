"""A rate against its ceiling: errors, fallbacks, rejects, overrides, misses, disagreement, capped losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from headgate.errors import EvidenceError
from headgate.evidence import EvidenceRow, RateSum
from headgate.gates.finding import Finding
from headgate.gates.operation import Evidence, by_unit, column
from headgate.gates.questions import Question
from headgate.gates.rows import merged
from headgate.plan.model import Gate, Metric
from headgate.stats import rates
from headgate.stats.display import rate_interval, share_interval


@dataclass(frozen=True, slots=True)
class _Words:
    """How a rate is told: its name, and what happened to x of n of what."""

    name: str
    events: str
    of: str = "requests"
    limit: str = "ceiling"


_WORDS = {
    Metric.ERROR_RATE: _Words("error rate", "failed"),
    Metric.FALLBACK_RATE: _Words("fallback rate", "fell back to the incumbent"),
    Metric.REJECT_RATE: _Words("reject rate", "were refused"),
    Metric.COVERAGE: _Words("coverage", "not covered", limit="floor"),
    Metric.OVERRIDE_RATE: _Words("override rate", "were overruled by a person", "answers"),
    Metric.DISAGREEMENT: _Words(
        "disagreement", "got two different answers", "requests that both sides answered"
    ),
    Metric.CAPPED_RATE: _Words("rate above the cap", "were above it", "losses"),
}
#: Counted when labels are in, so a batch is a block.
_BY_BLOCK = frozenset({Metric.OVERRIDE_RATE, Metric.CAPPED_RATE})


def ceiling_of(gate: Gate, limit: float | None) -> float:
    """Return the rate of events that must not be reached; coverage is 1 - its rate of misses.

    Raises
    ------
    EvidenceError
        If the gate has neither ceiling nor floor.
    """
    if limit is None:
        raise EvidenceError(f"the gate needs a ceiling or a floor; {gate.metric.value} has none")
    return 1 - limit if gate.metric is Metric.COVERAGE else limit


def judge_rate(question: Question, rows: Sequence[EvidenceRow], fresh: Sequence[EvidenceRow]) -> Finding:
    """Return the finding of a rate against its ceiling.

    ``expect`` is the rate of events that is expected (for coverage: of misses), ``harm`` the excess
    over the ceiling that is to be found fast.
    """
    gate = question.gate
    ceiling = ceiling_of(gate, question.limit)
    hours = [sums for _, sums in merged(rows, RateSum)]
    now = [sums for _, sums in merged(fresh, RateSum)]
    if not sum(s.n for s in hours):
        return Finding()
    advance, harm = (_rate(gate, ceiling, sums, harm=side) for side, sums in ((False, now), (True, hours)))
    finding = by_unit(question, advance, harm, "batch" if gate.metric in _BY_BLOCK else "hour")
    shown, seen = (now, advance) if sum(s.n for s in now) else (hours, harm)
    n, x = sum(s.n for s in shown), sum(s.x for s in shown)
    if finding.unit != "requests":
        each = seen.hours.value[seen.hours.seen]
        estimate, (lower, upper) = float(np.mean(each)), share_interval(each)
    else:
        estimate, (lower, upper) = x / n, rate_interval(n, x)
    if gate.metric is Metric.COVERAGE:
        estimate, lower, upper = 1 - estimate, 1 - upper, 1 - lower
    told = _seen(gate.metric, (estimate, lower, upper), (x, n), ceiling)
    notes = (*_certificate(question, finding, ceiling, x), *finding.notes)
    return replace(finding, estimate=estimate, lower=lower, upper=upper, seen=told, notes=notes)


def _rate(gate: Gate, ceiling: float, sums: Sequence[RateSum], *, harm: bool) -> Evidence:
    x, n = column(sums, "x"), column(sums, "n")
    seen = rates.hours(x, n)
    by_request = (
        rates.rollback_evidence(x, n, ceiling, gate.harm)
        if harm
        else rates.advance_evidence(x, n, ceiling, gate.expect)
    )
    return Evidence(by_request, rates.hourly(seen, ceiling, harm=harm), n, seen)


def _certificate(question: Question, finding: Finding, ceiling: float, x: int) -> tuple[str, ...]:
    """Say what a proof about disagreement is worth: where the sides agree, neither is wrong alone."""
    if question.gate.metric is not Metric.DISAGREEMENT:
        return ()
    margin = f"a margin of {_percent(ceiling)} on wrong answers (0/1 loss)"
    if finding.advance.now >= question.log_advance:
        told = f"certifies without any label that the candidate is not worse by {margin}"
    else:
        told = f"proved below its ceiling this certifies {margin}, without any label"
    return (told,) if x else (told, "the sides agree on everything, which is a certificate and no fault")


def _seen(metric: Metric, shown: tuple[float, float, float], counts: tuple[int, int], ceiling: float) -> str:
    (estimate, lower, upper), (x, n) = shown, counts
    words, limit = _WORDS[metric], 1 - ceiling if metric is Metric.COVERAGE else ceiling
    return (
        f"{words.name} {_percent(estimate)} (95 % {_percent(lower)}..{_percent(upper)}; {x} of {n} "
        f"{words.of} {words.events}), {words.limit} {_percent(limit)}"
    )


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f} %"
