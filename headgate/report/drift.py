"""Drift as tables on the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.markup import escape
from rich.text import Text

from headgate.drift.asking import Answer
from headgate.drift.report import ColumnVerdict, Report
from headgate.report.terminal import plain_table


def tables(answer: Answer) -> Group:
    """Return what was found: a sentence, the columns (drifted first), all together, and each group."""
    report = answer.report
    parts: list[object] = [Text(headline(report), style="bold red" if report.drifted else "bold")]
    if answer.blocks:
        parts.append(Text(f"held against how {answer.blocks} parts of the reference differ among themselves"))
    parts.append(_columns(report))
    parts.append(Text(f"all columns together: {report.together.reason}"))
    parts += [Text(f"{finding.cause.value}: {finding.said}") for finding in report.findings]
    if answer.groups:
        parts.append(_groups(answer))
    return Group(*parts)  # type: ignore[arg-type]  # texts and tables


def headline(report: Report) -> str:
    """Return the answer in a sentence."""
    rows = f"{report.rows_current:,} rows against {report.rows_reference:,}"
    if not report.judged:
        return f"TOO FEW to judge: {rows}"
    judged = sum(one.judged for one in report.columns)
    if not report.drifted and not report.together.drifted:
        return f"no drift in {judged} columns: {rows}"
    what = f"{len(report.drifted)} of {judged} columns" if report.drifted else "columns together"
    matters = "" if report.alarm else "; none that matters to what the model says"
    return f"DRIFT of {what}: {rows}{matters}"


def _columns(report: Report) -> object:
    order = sorted(report.columns, key=lambda one: (not one.drifted, not one.judged, -(one.effect or 0)))
    table = plain_table(
        "column", "kind", "verdict", "psi", "missing", "why", names=[one.name for one in order]
    )
    for one in order:
        c = one.comparison
        missing = _percent(c.missing_current)
        table.add_row(
            escape(one.name), c.kind.value, _word(one), _number(c.psi), missing,
            escape(one.reason),
        )  # fmt: skip
    return table


def _groups(answer: Answer) -> object:
    table = plain_table("group", "rows", "drifted", title="within groups", names=list(answer.groups))
    for value, group in answer.groups.items():
        names = ", ".join(one.name for one in group.drifted)
        told = names or ("nothing" if group.judged else "too few")
        table.add_row(escape(value), f"{group.rows_current:,} / {group.rows_reference:,}", escape(told))
    return table


def _word(one: ColumnVerdict) -> str:
    if not one.judged:
        return "not judged"
    return "[red]DRIFT[/red]" if one.drifted else "same"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.1f} %"
