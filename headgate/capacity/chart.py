"""Latency against rate: where the candidate stops keeping up, beside what is asked of it."""

from __future__ import annotations

from headgate.capacity.climb import Held
from headgate.capacity.report import Result, limits_of
from headgate.plan.model import Plan
from headgate.report.canvas import BLUE, GREEN, INK, MUTED, ORANGE, figure, look, to_svg

_WIDTH, _HEIGHT = 760, 300
_MARKS = {Held.KEPT: ("o", GREEN), Held.BROKEN: ("x", ORANGE), Held.UNCLEAR: ("d", MUTED)}


def climb_chart(found: Result, plan: Plan) -> str:
    """Return the chart as SVG; stages without a 99 % quantile stand at the upper edge."""
    limits = limits_of(plan)
    stages = sorted(found.climb.stages, key=lambda stage: stage.rate)
    told = [(stage.rate, stage.p50, stage.p99) for stage in stages]
    highest = max([limits.p99_ms, *(p99 for *_, p99 in told if p99 is not None)]) * 2
    with look():
        drawn = figure(_WIDTH, _HEIGHT)
        axes = drawn.add_subplot()
        axes.set_xscale("log")
        axes.set_yscale("log")
        for label, at, colour in (("p50", 1, MUTED), ("p99", 2, BLUE)):
            points = [(row[0], float(row[at] or 0)) for row in told if row[at] is not None]
            if points:
                axes.plot([x for x, _ in points], [y for _, y in points], color=colour, lw=1.4)
                axes.annotate(
                    label, points[0], xytext=(-4, 4), textcoords="offset points",
                    color=colour, fontsize=9, ha="right",
                )  # fmt: skip
        for stage in stages:
            mark, colour = _MARKS[limits.judge(stage)[0]]
            height = highest if stage.p99 is None else stage.p99
            axes.plot([stage.rate], [height], mark, color=colour, clip_on=False)
        axes.axhline(limits.p99_ms, color=ORANGE, lw=1, ls="--")
        axes.annotate(
            f"limit {limits.p99_ms:g} ms", (1, limits.p99_ms), xycoords=("axes fraction", "data"),
            xytext=(0, 3), textcoords="offset points", ha="right", color=ORANGE, fontsize=9,
        )  # fmt: skip
        axes.axvline(found.asked, color=INK, lw=1, ls=":")
        axes.annotate(
            f"asked {found.asked:.3g}/s", (found.asked, 0), xycoords=("data", "axes fraction"),
            xytext=(4, 4), textcoords="offset points", color=INK, fontsize=9,
        )  # fmt: skip
        axes.set_xlabel("requests per second")
        axes.set_ylabel("latency, ms", color=INK)
        said = f"Latency of {plan.candidate.version} against requests per second"
        return to_svg(drawn, salt=f"load-{plan.name}", label=said)
