"""Judges a window: which columns drifted, whether that matters, and what it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log

from headgate.drift.attribution import broken, findings
from headgate.drift.classifier import ToldApart
from headgate.drift.effects import Aspect
from headgate.drift.evidence import asked, named
from headgate.drift.looking import TOGETHER, Look, Looked, Window
from headgate.drift.policy import ANSWERS, Policy, Role
from headgate.drift.report import ColumnVerdict, Report, Together
from headgate.drift.state import State
from headgate.drift.wording import (
    NOTHING_SEEN,
    drift_of_column,
    drift_together,
    quiet_column,
    quiet_together,
    too_few,
)
from headgate.profile import ColumnComparison, Comparison


@dataclass(frozen=True, slots=True)
class _Named:
    """Columns that e-BH names, and the log evidence it asks of each."""

    names: frozenset[str]
    asked: Mapping[str, float]


def judge(
    comparison: Comparison,
    policy: Policy,
    history: State | None = None,
    *,
    together: ToldApart | None = None,
    window: Window | None = None,
) -> Report:
    """Return the verdicts on one window.

    Parameters
    ----------
    comparison
        The reference and the window beside each other.
    policy
        What counts as drift.
    history
        The state that the last window's report carries (``report.state``), a fresh `State` for the first;
        None judges the window for itself, at one look.
    together
        What the domain classifier says; None leaves it out.
    window
        Its span of time. Windows with a history come in order of time, each once.

    Notes
    -----
    A column is named when its effect is at least ``policy.matters`` and e-BH over all columns names it. If
    nothing drifts, the chance that a column is ever named within a year of windows is at most
    ``policy.false_alarms``; at any time the expected share of false names is too. What "nothing drifts"
    means: see `headgate.drift.evidence` and `headgate.drift.levels`.

    Raises
    ------
    EvidenceError
        If the window is not after the last one that the state was carried over.
    """
    look = Look.of(policy, history, window)
    looked = look.at(comparison, together)
    sure = _named(looked, policy)
    report = Report(
        tuple(_column(column, comparison, policy, looked, sure) for column in comparison.columns),
        _together(look, together, looked, sure),
        comparison.rows_reference,
        comparison.rows_current,
        state=None if history is None else looked.state,
    )
    return replace(report, findings=findings(report), alarming=alarming(report, policy))


def _named(looked: Looked, policy: Policy) -> _Named:
    columns = tuple(name for name in looked.log_e if name != TOGETHER)
    weights = {**policy.weights(columns), TOGETHER: 1.0}
    names = named(looked.log_e, weights, policy.false_alarms)
    needed = asked(len(looked.log_e), max(1, len(names)), policy.false_alarms)
    return _Named(names, {name: needed - log(weight) for name, weight in weights.items()})


def _column(
    column: ColumnComparison, between: Comparison, policy: Policy, looked: Looked, sure: _Named
) -> ColumnVerdict:
    role, name = policy.role(column.name), column.name
    untold = _untold(column, between, policy, looked)
    if untold:
        return ColumnVerdict(column, role, judged=False, drifted=False, reason=untold)
    if column.changed is not None:
        said = f"the column itself changed: {column.changed}"
        return ColumnVerdict(column, role, judged=True, drifted=True, reason=said, broken=said)
    sizes = looked.sizes[name]
    largest = max(sizes, key=lambda aspect: sizes[aspect])
    size, evidence = sizes[largest], looked.log_e[name]
    if name not in sure.names or size < policy.matters:
        reason = quiet_column(size, evidence, sure.asked[name], policy)
        return ColumnVerdict(
            column, role, judged=True, drifted=False, reason=reason, effect=size, log_e=evidence
        )
    return ColumnVerdict(
        column,
        role,
        judged=True,
        drifted=True,
        reason=drift_of_column(column, largest, size, evidence, sure.asked[name]),
        effect=size,
        log_e=evidence,
        since=looked.since[name].get(largest),
        broken=broken(column, largest),
    )


def _untold(column: ColumnComparison, between: Comparison, policy: Policy, looked: Looked) -> str:
    """Say why a column is not judged; empty if it is."""
    if policy.role(column.name) is Role.IGNORED:
        return "ignored"
    if column.changed == "new":
        return "new: the reference does not have it"
    if column.changed is None and not looked.sizes[column.name]:
        return too_few(column, between, policy)
    return ""


def _together(look: Look, together: ToldApart | None, looked: Looked, sure: _Named) -> Together:
    if together is None:
        return Together(judged=False, drifted=False, reason=NOTHING_SEEN)
    tolerated, policy = look.tolerated(together), look.policy
    needed = max(policy.auc_matters, tolerated + policy.auc_matters - policy.auc_tolerated)
    drifted = TOGETHER in sure.names and together.auc >= needed
    said = drift_together(together, tolerated) if drifted else quiet_together(together, tolerated, needed)
    return Together(
        judged=True,
        drifted=drifted,
        reason=said,
        auc=together.auc,
        tolerated=tolerated,
        rows_reference=together.rows_reference,
        rows_current=together.rows_current,
        log_e=looked.log_e[TOGETHER],
        since=looked.since[TOGETHER].get(Aspect.TOGETHER) if drifted else None,
    )


def alarming(report: Report, policy: Policy) -> tuple[str, ...]:
    """Return what drifted and matters: answers, important inputs, what broke; all if no answer is watched."""
    watched = any(one.role in ANSWERS and one.judged for one in report.columns)
    columns = [one.name for one in report.drifted if policy.alarms(one.name) or one.broken or not watched]
    return (*columns, TOGETHER) if report.together.drifted and not watched else tuple(columns)
