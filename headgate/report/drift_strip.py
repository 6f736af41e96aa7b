"""What moved, at a glance: a row a column, a cell a window, darker the farther it is from the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from headgate.report.canvas import BLUE, INK, ORANGE, figure, look, moments, to_svg
from headgate.report.monitoring import JUDGED, Watch
from headgate.report.monitoring_charts import MARGINS, nothing, span

#: Columns shown: what the model says, then those that moved most.
_MOST = 16
#: Effects from which on a cell is fully dark: three times what matters; and shades below.
_DARK, _SHADES = 0.12, 8
_ANSWERS = ("score", "prediction", "label")


def drift_strip(watch: Watch, *, width: int = 1080) -> str:
    """Return how far every column moved in every window as SVG; orange cells drifted."""
    columns = _columns(watch)
    with look():
        drawn = figure(width, 56 + 19 * max(len(columns), 2), margins=MARGINS)
        axes = drawn.subplots()
        if not columns:
            return nothing(drawn, watch, "drift", "no window was judged yet")
        cells = _cells(watch, columns)
        for (drifted, shade), boxes in sorted(cells.items()):
            _fill(axes, boxes, ORANGE if drifted else BLUE, 0.06 + 0.84 * shade / _SHADES)
        span(axes, watch)
        axes.set_yticks(
            range(len(columns)), [name if len(name) < 19 else f"{name[:17]}…" for name in columns]
        )
        axes.set_ylim(len(columns) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        return to_svg(drawn, salt=f"{watch.service} drift", label=_words(watch))


def _columns(watch: Watch) -> list[str]:
    largest: dict[str, tuple[bool, float]] = {}
    for one in watch.windows:
        if one.verdict not in JUDGED:
            continue
        for name, said in one.body["drift"]["effects"].items():
            rank = (said["role"] in _ANSWERS, said["effect"])
            largest[name] = max(largest.get(name, rank), rank)
    return sorted(largest, key=lambda name: (not largest[name][0], -largest[name][1], name))[:_MOST]


_Box = tuple[float, float, int]


def _cells(watch: Watch, columns: list[str]) -> dict[tuple[bool, int], list[_Box]]:
    """Return the cells by colour: a path a colour keeps a year of windows in kilobytes."""
    rows = {name: row for row, name in enumerate(columns)}
    cells: dict[tuple[bool, int], list[_Box]] = {}
    for one in watch.windows:
        if one.verdict not in JUDGED:
            continue
        left, right = moments([one.since, one.until])
        drifted = _drifted(one.body["drift"])
        for name, said in one.body["drift"]["effects"].items():
            if name in rows:
                shade = round(_SHADES * min(1.0, said["effect"] / _DARK))
                cells.setdefault((name in drifted, shade), []).append((left, right, rows[name]))
    return cells


def _drifted(drift: Mapping[str, Any]) -> set[str]:
    return {column["name"] for column in drift["columns"] if column["drifted"]}


def _fill(axes: Axes, boxes: list[_Box], colour: str, alpha: float) -> None:
    corners = [corner for left, right, row in boxes for corner in _corners(left, right, row)]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(boxes)
    axes.add_patch(PathPatch(Path(corners, codes), facecolor=colour, alpha=alpha, lw=0))


def _corners(left: float, right: float, row: int) -> tuple[tuple[float, float], ...]:
    top, bottom = row - 0.41, row + 0.41
    return (left, top), (right, top), (right, bottom), (left, bottom), (left, top)


def _words(watch: Watch) -> str:
    found = [one for one in watch.windows if one.verdict in JUDGED]
    moved = sorted({name for one in found for name in _drifted(one.body["drift"])})
    return f"How far each column moved in {len(found)} windows; drifted: {', '.join(moved) or 'none'}."
