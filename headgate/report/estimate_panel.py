"""The lower panel of a gate's chart: the estimate in its always-valid band, with the plan's own lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from headgate.plan.model import Gate, Metric
from headgate.report.canvas import BLUE, MUTED, ORANGE
from headgate.report.formats import PERCENT, number
from headgate.report.metric_words import margin_shown, title
from headgate.report.panel import End, Floats, Row, head, label_ends, line, say_no_data


def draw_estimate(axes: Axes, rows: Sequence[Row], gate: Gate | None, restarts: frozenset[int]) -> None:
    """Draw the estimate in the unit of its title, its band, and the margin, ceiling or floor."""
    head(axes, title(gate) if gate else "estimate")
    factor = 100.0 if gate is not None and gate.metric in PERCENT else 1.0
    times, middle = line(rows, lambda v: np.nan if v.estimate is None else factor * v.estimate, restarts)
    _, lower = line(rows, lambda v: np.nan if v.lower is None else factor * v.lower, restarts)
    _, upper = line(rows, lambda v: np.nan if v.upper is None else factor * v.upper, restarts)
    if not np.isfinite(middle).any():
        say_no_data(axes)
        return
    lines = [(factor * value, word, colour) for value, word, colour in _references(gate)]
    axes.fill_between(times, lower, upper, color=BLUE, alpha=0.18, lw=0)
    axes.plot(times, middle, color=BLUE, lw=2, marker="o", ms=3)
    for value, word, colour in lines:
        axes.axhline(value, color=colour, lw=1.1, ls=(0, (5, 3)) if word else "-")
    axes.set_ylim(*_estimate_range(middle, lower, upper, [value for value, *_ in lines]))
    axes.locator_params(axis="y", nbins=4)
    label_ends(axes, [(value, word, colour) for value, word, colour in lines if word])


def _references(gate: Gate | None) -> list[End]:
    """Return the plan's own lines: (value in the metric's unit, label, colour)."""
    if gate is None:
        return []
    lines: list[End] = []
    if gate.metric is Metric.LATENCY:
        lines.append((0.0, "", MUTED))
    margin = margin_shown(gate)
    if margin is not None:
        lines += [(0.0, "", MUTED), (margin, f"margin {number(margin, signed=True)}", ORANGE)]
    if gate.ceiling is not None:
        lines.append((gate.ceiling, f"ceiling {number(100 * gate.ceiling)} %", ORANGE))
    if gate.floor is not None:
        lines.append((gate.floor, f"floor {number(100 * gate.floor)} %", ORANGE))
    return lines


def _estimate_range(
    middle: Floats, lower: Floats, upper: Floats, lines: Sequence[float]
) -> tuple[float, float]:
    """Return limits around estimates and plan lines; the first bands are so wide that they hide all."""
    ends = [band[np.isfinite(band)] for band in (lower, upper)]
    shown = np.concatenate(
        [middle[np.isfinite(middle)], lines, *(end[-max(1, end.size // 2) :] for end in ends)]
    )
    low, high = float(shown.min()), float(shown.max())
    pad = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
    return low - pad, high + pad
