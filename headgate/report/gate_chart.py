"""One gate over time: its two e-processes against their thresholds, and the estimate in its band."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from headgate.plan.applies import carries
from headgate.plan.model import Gate
from headgate.report.canvas import MUTED, RULE, figure, look, moments, shade, time_axis, to_svg
from headgate.report.estimate_panel import draw_estimate
from headgate.report.evidence_panel import draw_evidence
from headgate.report.formats import e_value, estimate, percent
from headgate.report.panel import Row
from headgate.report.story import Story


def gate_chart(story: Story, name: str, *, width: int = 450) -> str:
    """Return one gate's chart as SVG.

    Above, log10 of the evidence to advance and of the evidence of harm. A guardrail's harm is drawn
    times its weight, because M, the weighted mean over all guardrails (dotted), is what is held
    against the threshold. Thin lines are segments. Below, the estimate with its always-valid band.
    """
    series = story.series(name)
    gate = next((g for g in story.plan.all_gates if g.name == name), None)
    with look():
        drawn = figure(width, 400, margins=(48, 92, 36, 34))
        above, below = drawn.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        time_axis(above, *story.lasted)
        for axes in (above, below):
            shade(axes, story.spans())
        above.tick_params(axis="x", labelbottom=False)
        restarts = frozenset[int]() if gate is not None and carries(gate, story.plan) else story.entries()
        draw_evidence(above, story, series, restarts)
        draw_estimate(below, series[None], gate, restarts)
        _name_steps(above, story)
        return to_svg(drawn, salt=f"{story.rollout} gate {name}", label=_label(name, series[None], gate))


def _name_steps(axes: Axes, story: Story) -> None:
    """Draw where steps begin, and name them at the top where there is room."""
    since, until = moments(story.lasted)
    last = -np.inf
    above = blended_transform_factory(axes.transData, axes.transAxes)
    for before, span in pairwise(story.spans()):
        if span.share_bp == before.share_bp:
            continue
        (x,) = moments([span.since])
        axes.axvline(x, color=RULE, lw=0.8, zorder=1)
        if x - last > 0.075 * (until - since):
            axes.text(
                x, 1.015, percent(span.share_bp), transform=above, ha="center", color=MUTED, fontsize=8.5
            )
            last = x


def _label(name: str, rows: Sequence[Row], gate: Gate | None) -> str:
    if not rows:
        return f"Gate {name} over time: no data."
    v = rows[-1][1]
    return (
        f"Gate {name} over time: evidence to advance {e_value(v.log_e_advance)} against "
        f"{e_value(v.log_threshold_advance)}, harm {e_value(v.log_e_rollback)}, "
        f"estimate {estimate(v.estimate, gate)}; last verdict {v.verdict.value.replace('_', ' ')}."
    )
