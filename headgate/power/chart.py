"""The climb a plan may expect: share against days, for half of the runs and for nearly all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headgate.power.forecast import Forecast, StepForecast, WorldForecast
from headgate.report.canvas import BLUE, INK, MUTED, ORANGE, figure, look, root_scale, to_svg

_WIDTH, _HEIGHT = 760, 300
_COLOURS = {"equal": ORANGE, "better": BLUE}
#: Which runs, and how their line is drawn.
_LINES = (("half", "-"), ("most", "--"), ("nearly_all", ":"))


def climb_chart(one: Forecast) -> str:
    """Return the chart as SVG: a line ends where that part of the runs is out of time."""
    with look():
        drawn = figure(_WIDTH, _HEIGHT)
        axes = drawn.add_subplot()
        for world in one.worlds:
            for part, style in _LINES:
                days, shares = _stairs(world.steps, part)
                axes.plot(days, shares, style, color=_COLOURS[world.world], lw=1.6)
                if part == "half" and len(days) > 1:
                    axes.annotate(
                        _name(world), (days[-1], shares[-1]), xytext=(4, 4), textcoords="offset points",
                        color=_COLOURS[world.world], fontsize=9,
                    )  # fmt: skip
        root_scale(axes, "y")
        steps = sorted({step.percent for world in one.worlds for step in world.steps})
        axes.set_yticks(steps, [f"{share:g} %" for share in steps])
        axes.set_xlabel("days since it opened", color=MUTED)
        axes.set_ylabel("candidate's share", color=INK)
        axes.set_ylim(-0.05, 130)
        said = f"Expected climb of {one.plan}: share of traffic against days"
        return to_svg(drawn, salt=f"power-{one.plan}-{one.slice}", label=said)


def _name(world: WorldForecast) -> str:
    return f"{world.world} ({world.promoted:.0%} promoted)"


def _stairs(steps: Sequence[StepForecast], part: str) -> tuple[list[float], list[float]]:
    points = list(_points(steps, part))
    return [day for day, _ in points], [share for _, share in points]


def _points(steps: Sequence[StepForecast], part: str) -> Iterator[tuple[float, float]]:
    day = 0.0
    for step in steps:
        yield day, step.percent
        until: float | None = getattr(step.until, part)
        if until is None:
            return
        day = until
        yield day, step.percent
