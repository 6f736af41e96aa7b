"""Traffic by step: how many live requests each side got, and the share planned and observed."""

from __future__ import annotations

from matplotlib.axes import Axes

from headgate.report.canvas import BLUE, INK, MUTED, RULE, figure, look, root_scale, to_svg
from headgate.report.formats import count, observed, percent
from headgate.report.story import StepTraffic, Story

_GREY = "#b4bdc7"


def traffic_chart(story: Story, *, width: int = 520) -> str:
    """Return the traffic of every stay on a live step as SVG, first stay on top."""
    stays = story.traffic
    with look():
        drawn = figure(width, 90 + 34 * max(len(stays), 1))
        if not stays:
            axes = drawn.subplots()
            axes.set_axis_off()
            axes.text(
                0.5, 0.5, "no data: no live traffic", transform=axes.transAxes, ha="center", color=MUTED
            )
        else:
            requests, share = drawn.subplots(1, 2, sharey=True, width_ratios=[3, 2])
            _draw_requests(requests, stays)
            _draw_share(share, stays)
        return to_svg(drawn, salt=f"{story.rollout} traffic", label=_label(story))


def _draw_requests(axes: Axes, stays: tuple[StepTraffic, ...]) -> None:
    most = max(1, *(stay.requests for stay in stays))
    for row, stay in enumerate(stays):
        axes.barh(row, stay.candidate_requests, color=BLUE, height=0.55)
        axes.barh(row, stay.incumbent_requests, left=stay.candidate_requests, color=_GREY, height=0.55)
        axes.text(
            stay.requests + 0.02 * most, row, f"{count(stay.candidate_requests)}", va="center", color=BLUE
        )
    axes.set_yticks(range(len(stays)), [percent(round(stay.percent * 100)) for stay in stays])
    axes.set_ylim(len(stays) - 0.4, -0.6)
    axes.set_xlim(0, 1.22 * most)
    axes.locator_params(axis="x", nbins=3)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_title(
        "live requests: candidate (blue, counted), incumbent", loc="left", fontsize=9.5, color=MUTED
    )
    axes.tick_params(axis="y", length=0, labelcolor=INK)


def _draw_share(axes: Axes, stays: tuple[StepTraffic, ...]) -> None:
    root_scale(axes, "x")
    for row, stay in enumerate(stays):
        axes.plot([stay.percent] * 2, [row - 0.32, row + 0.32], color=INK, lw=2)
        if stay.observed_percent is not None:
            axes.plot([stay.observed_percent], [row], "o", ms=8, color=BLUE, mec="white", clip_on=False)
    axes.set_xlim(0, 105)
    axes.set_xticks([0, 5, 25, 50, 100], ["0", "5", "25", "50", "100 %"])
    axes.grid(axis="y", color=RULE, lw=0.6)
    axes.set_title("share: planned |, observed ●", loc="left", fontsize=9.5, color=MUTED)
    axes.tick_params(axis="y", length=0)


def _label(story: Story) -> str:
    if not story.traffic:
        return f"Live traffic of {story.rollout} by step: no data."
    told = [
        f"{percent(round(stay.percent * 100))} planned, {observed(stay.observed_percent)} observed, "
        f"{count(stay.candidate_requests)} requests to the candidate"
        for stay in story.traffic
    ]
    return f"Live traffic of {story.rollout} by step: {'; '.join(told)}."
