"""The upper panel of a gate's chart: its two e-processes against what they are held to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from headgate.report.canvas import BLUE, GREEN, INK, MUTED, ORANGE, moments
from headgate.report.formats import e_value, log10, short_day, superscript
from headgate.report.panel import End, Row, head, label_ends, line, say_no_data
from headgate.report.story import Story
from headgate.verdicts import GateVerdict, Role, Verdict

_LN10 = float(np.log(10))


def draw_evidence(
    axes: Axes, story: Story, series: dict[str | None, tuple[Row, ...]], restarts: frozenset[int]
) -> None:
    """Draw both e-processes of a gate (log10 E), their thresholds and the first pass and fail.

    ``series`` is the gate's verdicts by segment; at ``restarts`` (ticks) what advances starts afresh.
    """
    head(axes, "evidence E, log scale", pad=14)  # above the shares that stand on the panel's edge
    rows = series[None]
    if not any(v.samples for _, v in rows):
        say_no_data(axes)
        return
    thresholds = (log10(rows[-1][1].log_threshold_advance), log10(rows[-1][1].log_threshold_rollback))
    low, high = _evidence_range(rows, thresholds)
    axes.set_ylim(low, high)
    ticks = [t for t in range(-6, 13, 1 if high - low <= 5 else 2) if low <= t <= high]
    axes.set_yticks(ticks, [_power(t) for t in ticks])
    axes.grid(axis="y", color="white", lw=0.8)
    ends = _draw_lines(axes, series, restarts)
    if rows[-1][1].role is Role.GUARDRAIL:
        ends += _draw_total(axes, story)
    ends += _draw_thresholds(axes, thresholds)
    label_ends(axes, ends)
    _mark_turns(axes, rows, low, high)


def _draw_lines(axes: Axes, series: dict[str | None, tuple[Row, ...]], restarts: frozenset[int]) -> list[End]:
    ends: list[End] = []
    for read, colour, word in ((_advance, BLUE, "to advance"), (_harm, ORANGE, "harm")):
        for segment, part in reversed(list(series.items())):
            # Harm runs over the whole rollout; what advances starts afresh where the gate says so.
            times, values = line(part, read, frozenset() if read is _harm else restarts)
            if segment is None:
                axes.plot(times, values, color=colour, lw=2.2, marker="o", ms=3.2)
                ends += [(float(v), word, colour) for v in values[np.isfinite(values)][-1:]]
            else:
                axes.plot(times, values, color=colour, lw=0.8, alpha=0.6)
    return ends


def _advance(v: GateVerdict) -> float:
    return log10(v.log_e_advance) if v.applies and v.samples else np.nan


def _harm(v: GateVerdict) -> float:
    if v.role is Role.GUARDRAIL:
        return log10(v.log_e_rollback + np.log(v.weight)) if v.weight > 0 else np.nan
    return log10(v.log_e_rollback)


def _evidence_range(rows: Sequence[Row], thresholds: tuple[float, float]) -> tuple[float, float]:
    """Return limits that show both thresholds and the fight around them, not every order of magnitude."""
    seen = np.concatenate([line(rows, _advance)[1], line(rows, _harm)[1]])
    seen = seen[np.isfinite(seen)]
    shown = [t for t in thresholds if np.isfinite(t)] or [1.5]
    top = max(shown)
    high = min(max([*seen, top]), 2.6 * top) + 0.4
    low = max(min([*seen, -1.0]), -3.0)
    return low - 0.14 * (high - low), high  # room for the dates at the foot


def _draw_total(axes: Axes, story: Story) -> list[End]:
    judged = [t for t in story.ticks if t.verdicts and np.isfinite(t.log_harm)]
    if not judged:
        return []
    values = [log10(t.log_harm) for t in judged]
    axes.plot(moments([t.at for t in judged]), values, color=MUTED, lw=1.3, ls=(0, (1, 2)))
    return [(values[-1], "all guardrails", MUTED)]


def _draw_thresholds(axes: Axes, thresholds: tuple[float, float]) -> list[End]:
    advance, rollback = thresholds
    lines = [(advance, BLUE, "needs"), (rollback, ORANGE, "needs")]
    if advance == rollback:
        lines = [(advance, INK, "both need")]
    shown = [(value, colour, word) for value, colour, word in lines if np.isfinite(value)]
    for value, colour, _ in shown:
        axes.axhline(value, color=colour, lw=1.1, ls=(0, (5, 3)), zorder=2.5)
    return [(value, f"{word} {e_value(value * _LN10)}", colour) for value, colour, word in shown]


def _mark_turns(axes: Axes, rows: Sequence[Row], low: float, high: float) -> None:
    """Mark where the verdict first became pass and where it became fail."""
    for verdict, word, colour, read in (
        (Verdict.PASS, "first passed", GREEN, _advance),
        (Verdict.FAIL, "failed", ORANGE, _harm),
    ):
        first = next((row for row in rows if row[1].verdict is verdict and row[1].applies), None)
        if first is None:
            continue
        (x,) = moments([first[0].at])
        value = read(first[1])
        y = float(np.clip(value, low, high)) if np.isfinite(value) else low
        axes.axvline(x, color=colour, lw=1, ls=(0, (2, 2)), zorder=2)
        axes.plot([x], [y], "o", ms=9, mfc="none", mec=colour, mew=2, zorder=6, clip_on=False)
        left, right = axes.get_xlim()
        late = (x - left) / (right - left) > 0.6
        axes.annotate(
            f"{word} {short_day(first[0].at)}",
            (x, 0.03),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if late else 4, 0),
            textcoords="offset points",
            ha="right" if late else "left",
            color=colour,
            weight="bold",
            fontsize=9,
        )


def _power(exponent: int) -> str:
    return f"{10.0**exponent:g}" if -3 <= exponent <= 3 else f"10{superscript(exponent)}"
