"""The climb a plan may expect: share against days, for half of the runs and for nearly all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from headgate.plan.model import Deadline
from headgate.power.forecast import Forecast, StepForecast, WorldForecast
from headgate.power.telling import percent
from headgate.report.canvas import BLUE, INK, MUTED, ORANGE, figure, look, root_scale, to_svg

_WIDTH, _HEIGHT = 760, 300
_DAY = timedelta(days=1)
_COLOURS = {"equal": ORANGE, "better": BLUE}
#: Which runs, and how their line is drawn.
_LINES = (("half", "-"), ("most", "--"), ("nearly_all", ":"))


def climb_chart(one: Forecast, deadline: Deadline) -> str:
    """Return the chart as SVG: a cross where that part of the runs gets no further in time."""
    with look():
        drawn = figure(_WIDTH, _HEIGHT)
        axes = drawn.add_subplot()
        named: list[float] = []
        for world in one.worlds:
            for part, style in _LINES:
                days, shares, stuck = _stairs(world.steps, part)
                if stuck:
                    days, shares = [*days, _expires(days[-1], deadline)], [*shares, shares[-1]]
                    axes.plot(days[-1], shares[-1], "x", color=_COLOURS[world.world], clip_on=False)
                axes.plot(days, shares, style, color=_COLOURS[world.world], lw=1.6)
                if part == "half":
                    # Climbs that end at the same height have their names one above the other.
                    above = 5 + 12 * named.count(shares[-1])
                    axes.annotate(
                        _name(world), (days[-1], shares[-1]), xytext=(-4, above), textcoords="offset points",
                        color=_COLOURS[world.world], fontsize=9, ha="right",
                    )  # fmt: skip
                    named.append(shares[-1])
        root_scale(axes, "y")
        steps = sorted({step.percent for world in one.worlds for step in world.steps})
        axes.set_yticks(steps, [f"{share:g} %" for share in steps])
        axes.set_xlabel("days since it opened", color=MUTED)
        axes.set_ylabel("candidate's share", color=INK)
        axes.set_ylim(-0.05, 130)
        said = f"Expected climb of {one.plan}: share of traffic against days"
        return to_svg(drawn, salt=f"power-{one.plan}-{one.slice}", label=said)


def _expires(entered: float, deadline: Deadline) -> float:
    """Return the day on which a run that entered its last step on this day expires."""
    return min(entered + deadline.step / _DAY, deadline.rollout / _DAY)


def _name(world: WorldForecast) -> str:
    return f"{world.world}: {percent(world.promoted)} promoted"


def _stairs(steps: Sequence[StepForecast], part: str) -> tuple[list[float], list[float], bool]:
    """Return days and shares of the climb, and whether it ends for want of time."""
    days, shares, day = [], [], 0.0
    for step in steps:
        until: float | None = getattr(step.until, part)
        days.append(day)
        shares.append(step.percent)
        if until is None:
            return days, shares, True
        day = until
        days.append(day)
        shares.append(step.percent)
    return days, shares, False
