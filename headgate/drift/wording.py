"""Drift in words that a person can act on."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING

from headgate.drift.effects import Aspect
from headgate.drift.policy import Policy
from headgate.profile import ColumnComparison, Comparison, Kind

if TYPE_CHECKING:
    from headgate.drift.classifier import ToldApart

NOTHING_SEEN = "not judged: too few rows in the samples, or none"
_TEN = log10(2.718281828459045)


def too_few(column: ColumnComparison, between: Comparison, policy: Policy) -> str:
    """Say why a column is not judged."""
    if not between.rows_current or not between.rows_reference:
        side = "current" if not between.rows_current else "reference"
        return f"too few: the {side} window is empty"
    fewest = min(between.rows_reference, between.rows_current)
    if fewest < policy.fewest:
        return f"too few: {fewest:,} rows, judged from {policy.fewest:,} on"
    match column.kind:
        case Kind.TIMESTAMP:
            return "a time: told, not judged"
        case Kind.OPAQUE:
            return "not of a type that is judged"
        case Kind.CATEGORY:
            return "hardly a category: no value is frequent enough to compare"
        case Kind.NUMBER | Kind.BOOLEAN:
            return f"too few: {min(column.n_reference, column.n_current):,} values"


def drift_of_column(
    column: ColumnComparison, aspect: Aspect, size: float, log_e: float, needed: float
) -> str:
    """Say what moved, by how much, and how sure that is."""
    return f"{_moved(column, aspect)}; effect {size:.2g}, evidence {_odds(log_e)} (asked {_odds(needed)})"


def quiet_column(size: float, log_e: float, needed: float, policy: Policy) -> str:
    """Say why a column is not named: too small, or not sure enough."""
    if size < policy.matters:
        return f"effect {size:.2g}, matters from {policy.matters:g} on"
    return f"effect {size:.2g} is what windows do: evidence {_odds(log_e)} of {_odds(needed)} asked"


def drift_together(told: ToldApart, tolerated: float) -> str:
    """Say that rows can be told apart, and by which columns."""
    by = f", most by {', '.join(told.most)}" if told.most else ""
    return f"rows are told apart with AUC {told.auc:.2f}, tolerated {tolerated:.2f}{by}"


def quiet_together(told: ToldApart, tolerated: float, needed: float) -> str:
    """Say that rows look alike."""
    told_apart = f"rows are told apart with AUC {told.auc:.2f}"
    return f"{told_apart}; tolerated {tolerated:.2f}, matters from {needed:.2f} on"


def _moved(column: ColumnComparison, aspect: Aspect) -> str:
    match aspect:
        case Aspect.MISSING:
            return f"missing {_share(column.missing_reference)} -> {_share(column.missing_current)}"
        case Aspect.RISE | Aspect.FALL | Aspect.VALUES | Aspect.BURST | Aspect.TOGETHER:
            pass
    if column.kind is Kind.NUMBER and column.mean_reference is not None and column.mean_current is not None:
        before = f"{column.mean_reference:.4g} +- {column.spread_reference or 0:.3g}"
        stays = {Aspect.RISE: ", stays raised", Aspect.FALL: ", stays lowered"}.get(aspect, "")
        return f"mean {before} -> {column.mean_current:.4g} +- {column.spread_current or 0:.3g}{stays}"
    if column.unseen_share:
        return f"{_share(column.unseen_share)} of values never seen before"
    if column.moved is not None:
        return f"the share of {column.moved!r} moved most"
    if column.mean_reference is not None and column.mean_current is not None:
        return f"true {_share(column.mean_reference)} -> {_share(column.mean_current)}"
    return "values moved"


def _share(part: float | None) -> str:
    return "unknown" if part is None else f"{100 * part:.2g} %"


def _odds(log_e: float) -> str:
    """Return evidence as a number a person can read."""
    ten = log_e * _TEN
    return f"{10**ten:,.3g}" if -2 < ten < 4 else "0" if ten <= -2 else f"1e{ten:.0f}"
