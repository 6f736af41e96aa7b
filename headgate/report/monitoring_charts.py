"""The monitoring page's charts: how good the answers are, and how requests fare, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from headgate.performance.course import blocks_of
from headgate.report.canvas import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    RULE,
    figure,
    look,
    moments,
    time_axis,
    to_svg,
)
from headgate.report.monitoring import Watch
from headgate.report.panel import End, head, label_ends, say_no_data

#: The same on every chart of the page, so that they line up: left, right, top, bottom.
MARGINS = (120.0, 90.0, 22.0, 30.0)
_BEFORE, _SILENT = "#eceff3", "#fbe3d4"
_WEEK, _DAY = timedelta(days=7), timedelta(days=1)
_Told = Sequence[tuple[datetime, Mapping[str, Any]]]
_Steps = Sequence[tuple[datetime, datetime, float | None]]


def performance_chart(watch: Watch, *, width: int = 1080) -> str:
    """Return realised and estimated loss over time as SVG."""
    blocks = blocks_of(one.body for one in watch.cohorts)
    told = [
        (one.since + (one.until - one.since) / 2, found)
        for one in watch.windows
        if (found := one.body.get("estimate")) and found["loss"] is not None
    ]
    with look():
        drawn = figure(width, 310, margins=MARGINS)
        axes = drawn.subplots()
        if not blocks and not told:
            return nothing(drawn, watch, "performance", "no labels are mature, and nothing is estimated")
        head(axes, f"{watch.metric}, smaller is better")
        span(axes, watch)
        ends = [*_estimated(axes, told), *_realised(axes, blocks), *_level(axes, watch)]
        axes.grid(axis="y", color=RULE, lw=0.6)
        label_ends(axes, ends)
        return to_svg(drawn, salt=f"{watch.service} performance", label=_words(watch, blocks))


def requests_chart(watch: Watch, *, width: int = 1080) -> str:
    """Return requests, failures, confidence, cost and latency over time as SVG, one above the other."""
    seen = [one for one in watch.windows if one.body.get("sums")]
    panels: list[tuple[str, _Steps, bool]] = [
        (
            "requests a day",
            [(w.since, w.until, _a_day(w.since, w.until, w.body["rows"])) for w in watch.windows],
            True,
        ),
        ("not answered, %", [(w.since, w.until, _unanswered(w.body["sums"])) for w in seen], True),
        ("confidence, mean", [(w.since, w.until, w.body["sums"]["confidence"]) for w in seen], False),
    ]
    if any(w.body["sums"]["cost"] is not None for w in seen):
        panels.append(("cost per request", [(w.since, w.until, w.body["sums"]["cost"]) for w in seen], True))
    panels.append(("latency of callers, 95 %, ms", _latency(watch), True))
    with look():
        drawn = figure(width, 55 + 88 * len(panels), margins=MARGINS)
        drawn.subplots_adjust(hspace=0.5)
        for axes, (title, values, zero) in zip(
            drawn.subplots(len(panels), 1, sharex=True), panels, strict=True
        ):
            head(axes, title, pad=4)
            _steps(axes, values, zero=zero)
            span(axes, watch)
        return to_svg(
            drawn, salt=f"{watch.service} requests", label=f"Requests of {watch.service} over time."
        )


def span(axes: Axes, watch: Watch) -> None:
    """Draw the time axis; tint what came before the model served alone and silence; mark retrainings."""
    found = (*watch.windows, *watch.cohorts)
    begin, end = (
        min((o.since for o in found), default=watch.since),
        max((o.until for o in found), default=watch.now),
    )
    time_axis(axes, begin, end)
    if begin < watch.since:
        axes.axvspan(*moments([begin, min(end, watch.since)]), color=_BEFORE, lw=0, zorder=0)
    for one in watch.windows:
        if not one.body["rows"]:
            axes.axvspan(*moments([one.since, one.until]), color=_SILENT, lw=0, zorder=0)
    for retrained in watch.retrainings:
        if begin <= retrained.at <= end:
            axes.axvline(moments([retrained.at])[0], color=GREEN, lw=1.2, zorder=1)


def nothing(drawn: Figure, watch: Watch, what: str, why: str) -> str:
    """Return a chart that says why there is nothing to see."""
    axes = drawn.axes[0]
    axes.set_axis_off()
    axes.text(0.5, 0.5, f"no data: {why}", transform=axes.transAxes, ha="center", color=MUTED)
    return to_svg(drawn, salt=f"{watch.service} {what}", label=f"{what} of {watch.service}: no data, {why}")


def _estimated(axes: Axes, told: _Told) -> list[End]:
    if not told:
        return []
    banded = [(at, found) for at, found in told if found["low"] is not None]
    low, high = ([found[key] for _, found in banded] for key in ("low", "high"))
    axes.fill_between(moments([at for at, _ in banded]), low, high, color=ORANGE, alpha=0.13, lw=0)
    losses = [found["loss"] for _, found in told]
    axes.plot(moments([at for at, _ in told]), losses, color=ORANGE, lw=1.5, ls=(0, (4, 2)))
    return [(losses[-1], "estimated", ORANGE)]


def _realised(axes: Axes, blocks: Sequence[tuple[datetime, float]]) -> list[End]:
    if not blocks:
        return []
    axes.plot(
        moments([at for at, _ in blocks]), [loss for _, loss in blocks], ".", color=BLUE, ms=3.5, alpha=0.45
    )
    smooth = []
    for at, _ in blocks:
        week = [loss for then, loss in blocks if timedelta(0) <= at - then < _WEEK]
        smooth.append((at, float(np.mean(week))))
    axes.plot(moments([at for at, _ in smooth]), [loss for _, loss in smooth], color=BLUE, lw=2)
    return [(smooth[-1][1], "realised", BLUE)]


def _level(axes: Axes, watch: Watch) -> list[End]:
    level = watch.cohorts[-1].body["level"] if watch.cohorts else None
    if level is None or watch.tolerance is None:
        return []
    axes.axhline(level["mean"], color=MUTED, lw=1)
    axes.axhline(level["mean"] + watch.tolerance, color=MUTED, lw=1, ls=(0, (2, 3)))
    return [(level["mean"], "as it was", MUTED), (level["mean"] + watch.tolerance, "tolerated", MUTED)]


def _steps(axes: Axes, values: _Steps, *, zero: bool) -> None:
    known = [(since, until, value) for since, until, value in values if value is not None]
    axes.grid(axis="y", color=RULE, lw=0.6)
    if not known:
        say_no_data(axes)
        return
    axes.locator_params(axis="y", nbins=3)
    times = [at for since, until, _ in known for at in (*moments([since, until]), np.nan)]
    axes.plot(times, [one for _, _, value in known for one in (value, value, np.nan)], color=BLUE, lw=1.8)
    if zero:
        most = max(value for _, _, value in known)
        axes.set_ylim(0, 1.15 * most if most > 0 else 1)


def _latency(watch: Watch) -> list[tuple[datetime, datetime, float | None]]:
    return [
        (datetime.fromisoformat(at), datetime.fromisoformat(at) + timedelta(hours=1), hour["p95"])
        for one in watch.live
        for at, hour in one.body["hours"].items()
    ]


def _a_day(since: datetime, until: datetime, rows: int) -> float:
    return rows / ((until - since) / _DAY)


def _unanswered(sums: Mapping[str, Any]) -> float | None:
    return 100 * (1 - sums["statuses"].get("ok", 0) / sums["rows"]) if sums["rows"] else None


def _words(watch: Watch, blocks: Sequence[tuple[datetime, float]]) -> str:
    if not blocks:
        return f"Estimated {watch.metric} of {watch.service} over time; no labels are mature yet."
    return (
        f"Realised {watch.metric} of {watch.service} by block, {len(blocks)} blocks up to "
        f"{blocks[-1][0]:%Y-%m-%d}, the newest {blocks[-1][1]:.4g}, and what was estimated before."
    )
