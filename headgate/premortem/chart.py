"""How many live requests each fault would have harmed."""

from __future__ import annotations

from headgate.premortem.catalogue import NOTHING
from headgate.premortem.found import Premortem, Result
from headgate.report.canvas import BLUE, GREEN, INK, MUTED, ORANGE, figure, look, to_svg

_WIDTH, _ROW, _MARGIN = 760, 30, 70


def harm_chart(one: Premortem) -> str:
    """Return the chart as SVG: a bar per fault, with what stopped it."""
    rows = [r for r in one.results if not r.skipped and r.fault.name != NOTHING.name][::-1]
    with look():
        drawn = figure(_WIDTH, _MARGIN + _ROW * max(len(rows), 1))
        axes = drawn.add_subplot()
        for place, row in enumerate(rows):
            axes.barh(place, row.harmed, color=_colour(row), height=0.6)
            axes.annotate(
                f"{row.harmed:,}, {_ending(row)}", (row.harmed, place), xytext=(4, 0),
                textcoords="offset points", va="center", fontsize=9, color=INK,
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), [row.fault.name for row in rows])
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel("live requests the candidate answered after the fault began", color=MUTED)
        axes.margins(x=0.45)
        axes.set_xlim(left=0)
        return to_svg(drawn, salt=f"premortem-{one.plan}", label="Live requests harmed by each fault")


def _colour(row: Result) -> str:
    if not row.harmful:
        return GREEN
    return ORANGE if row.full_traffic else BLUE


def _ending(row: Result) -> str:
    if row.detection is not None:
        return f"found by {row.detection.by}"
    if not row.harmful:
        return "still no worse than the incumbent"
    return "reached full traffic" if row.full_traffic else "no alarm, held back"
