"""What the two panels of a gate's chart share: lines with gaps, names at their ends, heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from headgate.report.canvas import MUTED, moments
from headgate.rollout.state import Tick
from headgate.verdicts import GateVerdict

Row = tuple[Tick, GateVerdict]
End = tuple[float, str, str]  # value, label, colour
Floats = npt.NDArray[np.float64]


def line(
    rows: Sequence[Row], read: Callable[[GateVerdict], float], restarts: frozenset[int] = frozenset()
) -> tuple[Floats, Floats]:
    """Return times (day numbers) and values; NaN where nothing is known and before each restart's tick."""
    times: list[float] = []
    values: list[float] = []
    for at, (tick, v) in zip(moments([tick.at for tick, _ in rows]), rows, strict=True):
        if tick.tick in restarts:
            times.append(at)
            values.append(np.nan)
        value = read(v)
        times.append(at)
        values.append(value if np.isfinite(value) else np.nan)
    return np.array(times), np.array(values)


def label_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Write each line's name at its right end, pushed apart where two would overlap."""
    low, high = axes.get_ylim()
    gap = 0.075 * (high - low)
    placed: list[float] = []
    for value, word, colour in sorted(ends):
        inside = min(max(value, low), high)
        y = max(inside, placed[-1] + gap) if placed else inside
        placed.append(y)
        axes.annotate(
            word if value == inside else f"{word} {'↑' if value > high else '↓'}",
            (1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=9,
            annotation_clip=False,
        )


def head(axes: Axes, text: str, *, pad: float = 5) -> None:
    """Write what a panel shows, with its unit, above its left corner."""
    axes.set_title(text, loc="left", fontsize=9.5, color=MUTED, pad=pad)


def say_no_data(axes: Axes) -> None:
    """Say so where there is nothing to draw."""
    axes.set_yticks([])
    axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color=MUTED)
