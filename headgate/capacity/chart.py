"""Latency against rate: where the candidate stops keeping up, beside what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from headgate.capacity.climb import Held, Limits
from headgate.capacity.figures import three
from headgate.capacity.report import Result, limits_of
from headgate.capacity.stage import Stage
from headgate.plan.model import Plan
from headgate.report.canvas import BLUE, GREEN, INK, MUTED, ORANGE, figure, look, to_svg

_HEIGHT = 300
#: Behind text that lies on a line: the card of a chart is white in either colour scheme.
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
_MARKS = {Held.KEPT: ("o", GREEN), Held.BROKEN: ("x", ORANGE), Held.UNCLEAR: ("d", MUTED)}


def climb_chart(found: Result, plan: Plan, *, width: int = 760, part: str = "wide") -> str:
    """Return the chart as SVG; rates without a 99 % quantile stand at the upper edge.

    Parameters
    ----------
    width
        CSS pixels; text does not shrink with it.
    part
        Tells charts of one test apart in one page.
    """
    limits = limits_of(plan)
    stages = sorted(found.climb.stages, key=lambda stage: stage.rate)
    with look():
        drawn = figure(width, _HEIGHT)
        axes = drawn.add_subplot()
        _scales(axes, stages, found.asked, limits)
        _lines(axes, stages, limits)
        _asked(axes, found.asked, limits)
        said = f"Latency of {plan.candidate.version} against requests per second"
        return to_svg(drawn, salt=f"load-{part}-{plan.name}", label=said)


def _scales(axes: Axes, stages: Sequence[Stage], asked: float, limits: Limits) -> None:
    """Give both axes a logarithmic scale with room around what is drawn, and numbers as people write them."""
    rates = [asked, *(stage.rate for stage in stages)]
    times = [ms for stage in stages for ms in (stage.p50, stage.p99) if ms]
    for axis, low, high in (
        (axes.xaxis, min(rates) / 1.5, max(rates) * 1.5),
        (axes.yaxis, min(times, default=limits.p99_ms) / 2, max([limits.p99_ms, *times]) * 2),
    ):
        scale, limit = (
            (axes.set_xscale, axes.set_xlim) if axis is axes.xaxis else (axes.set_yscale, axes.set_ylim)
        )
        scale("log")
        limit(low, high)
        axis.set_major_locator(LogLocator(subs=(1,) if high / low > 1_000 else (1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("requests per second")
    axes.set_ylabel("latency, ms")


def _lines(axes: Axes, stages: Sequence[Stage], limits: Limits) -> None:
    for label, name, colour in (("p50", "p50", MUTED), ("p99", "p99", BLUE)):
        points = [(stage.rate, ms) for stage in stages if (ms := getattr(stage, name)) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), ".-", color=colour, lw=1.4, ms=4)
            axes.annotate(
                label, points[0], xytext=(-6, 0), textcoords="offset points",
                color=colour, fontsize=9, ha="right", va="center",
            )  # fmt: skip
    top = axes.get_ylim()[1]
    for stage in stages:
        mark, colour = _MARKS[limits.judge(stage)[0]]
        height = top if stage.p99 is None else stage.p99
        axes.plot([stage.rate], [height], mark, color=colour, clip_on=False, zorder=3)


def _asked(axes: Axes, asked: float, limits: Limits) -> None:
    """Draw what is asked: so many requests per second, 99 % of them within so many milliseconds."""
    axes.axhline(limits.p99_ms, color=ORANGE, lw=1, ls="--")
    axes.annotate(
        f"limit of p99: {limits.p99_ms:,g} ms", (0, limits.p99_ms), xycoords=("axes fraction", "data"),
        xytext=(4, 4), textcoords="offset points", color=ORANGE, fontsize=9, bbox=_PAPER,
    )  # fmt: skip
    axes.axvline(asked, color=INK, lw=1, ls=":")
    axes.annotate(
        f"asked: {three(asked)}/s", (asked, 0), xycoords=("data", "axes fraction"),
        xytext=(4, 4), textcoords="offset points", color=INK, fontsize=9, bbox=_PAPER,
    )  # fmt: skip
