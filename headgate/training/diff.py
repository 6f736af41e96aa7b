"""What is different about a new version: data, metrics, slices. For whoever decides about its rollout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headgate.profile import ColumnComparison, Comparison
from headgate.report.formats import number
from headgate.training.compared import Against

#: Columns of the data that are told, those that moved most first.
_MOST_COLUMNS = 10


def diff_of(
    held: Sequence[Against],
    data: Comparison | None,
    before: Mapping[str, Any] | None,
    training: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the differences as plain JSON.

    Parameters
    ----------
    data
        The training data of the model that serves, beside the new model's; None where no reference of it is
        kept.
    before
        The card of the model that serves; None where it has none.
    training
        The new model's training window, as its card has it.
    """
    moved = sorted(data.columns, key=_moved, reverse=True) if data else []
    return {
        "data": {
            "window": dict(training),
            "window_before": dict(before["training"]) if before and before.get("training") else None,
            "rows": data.rows_current if data else training.get("rows"),
            "rows_before": data.rows_reference if data else None,
            "columns": [_column(one) for one in moved[:_MOST_COLUMNS]],
        },
        "metrics": [_metric(one, v) for one in held for v in one.verdicts if v.segment is None],
        "slices": [
            _metric(one, v) for one in held for v in one.verdicts if v.segment is not None and v.applies
        ],
    }


def told(diff: Mapping[str, Any]) -> list[str]:
    """Return the differences in sentences, the first things first."""
    lines = [
        f"{row['gate']} {number(row['difference'], signed=True)} against {row['against']} on held-out "
        "requests"
        for row in diff["metrics"]
        if row["difference"] is not None
    ]
    slices = [row for row in diff["slices"] if row["difference"] is not None]
    if slices:
        each = ", ".join(
            f"{row['segment']} {number(row['difference'], signed=True)} against {row['against']}"
            for row in slices
        )
        lines.append(f"by segment: {each}")
    data = diff["data"]
    if data["window_before"]:
        until = str(data["window_before"].get("until"))[:10]
        lines.append(f"trained on data until {str(data['window'].get('until'))[:10]}, before until {until}")
    moved = [row for row in data["columns"] if row["psi"] is not None]
    if moved:
        most = ", ".join(f"{row['name']} (PSI {number(row['psi'])})" for row in moved[:3])
        lines.append(f"what moved most in the training data: {most}")
    return lines


def _moved(one: ColumnComparison) -> float:
    if one.changed:
        return float("inf")
    return one.psi if one.psi is not None else -1.0


def _column(one: ColumnComparison) -> dict[str, Any]:
    return {
        "name": one.name,
        "psi": one.psi,
        "js": one.js,
        "missing_before": one.missing_reference,
        "missing": one.missing_current,
        "mean_before": one.mean_reference,
        "mean": one.mean_current,
        "changed": one.changed,
    }


def _metric(one: Against, verdict: Any) -> dict[str, Any]:
    mine, theirs = one.losses.get((verdict.gate, verdict.segment or ""), (None, None))
    return {
        "gate": verdict.gate,
        "segment": verdict.segment,
        "against": one.version,
        "difference": verdict.estimate,
        "lower": verdict.lower,
        "upper": verdict.upper,
        "loss": mine,
        "loss_before": theirs,
    }
