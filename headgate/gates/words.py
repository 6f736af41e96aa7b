"""The one sentence an operator reads at three in the morning."""

from __future__ import annotations

from datetime import timedelta

from headgate.gates.finding import Finding
from headgate.gates.questions import Question
from headgate.plan.durations import as_duration
from headgate.plan.model import Unit
from headgate.verdicts import Role, Verdict

_DAY = timedelta(days=1)


def reason(question: Question, finding: Finding, verdict: Verdict, unit: Unit, needed: int | None) -> str:
    """Return what was seen, what it is held against and what is still needed, in one sentence."""
    name = question.name
    if verdict is Verdict.ERROR:
        return f"{name}: cannot be judged: {finding.fault}"
    parts = [_seen(finding, unit)]
    if question.exempt:
        parts.append(f"exempt: {question.exempt}")
    elif not question.applies and verdict is not Verdict.FAIL:
        parts.append("does not count towards advancing at this share")
    else:
        parts.append(_conclusion(question, finding, verdict, unit, needed))
    return f"{name}: {'; '.join([*parts, *finding.notes])}"


def _seen(finding: Finding, unit: Unit) -> str:
    if not finding.seen:
        return "no data"
    if finding.unit != "blocks":
        return finding.seen
    return f"{finding.seen} after {_units(finding.rollback.samples, finding, unit)}"


def _conclusion(
    question: Question, finding: Finding, verdict: Verdict, unit: Unit, needed: int | None
) -> str:
    log_e = finding.advance.now
    held = f"log E {log_e:.1f}, needs {question.log_advance:.1f}"
    match verdict:
        case Verdict.FAIL:
            who = "the guardrails together reached" if question.gate.role is Role.GUARDRAIL else "reached"
            return f"harm is proven: log E {finding.rollback.now:.1f}; {who} {question.log_rollback:.1f}"
        case Verdict.NO_DATA:
            return "nothing that counts for this step yet"
        case Verdict.PASS:
            return f"proved: {held}"
        case _ if finding.wait:
            return finding.wait
        case _ if log_e >= question.log_advance:
            few = f"{finding.advance.samples} of at least {finding.fewest(question.gate.min_samples)}"
            return f"proved ({held}) but seen in only {few} {finding.unit}"
        case _ if needed is None:
            return f"needs log E {question.log_advance:.1f}, has {log_e:.1f} and does not grow"
        case _:
            more = _units(needed, finding, unit, "more ")
            return f"needs log E {question.log_advance:.1f}, has {log_e:.1f}; about {more}"


def _units(count: int, finding: Finding, unit: Unit, more: str = "") -> str:
    if finding.unit != "blocks":
        return f"{count} {more}{finding.unit}"
    if unit.block == _DAY:
        return f"{count} {more}{'day' if count == 1 else 'days'}"
    return f"{count} {more}blocks of {as_duration(unit.block)}"
