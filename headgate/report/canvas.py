"""The paper charts are drawn on: one look, and the same SVG bytes for the same story.

Colours are Okabe and Ito's (2008), told apart with any colour vision and in grey print; every line is
also labelled where it ends. Text stays text: the reader's own fonts, searchable, nothing fetched.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import datetime
from html import escape
from itertools import groupby
from typing import Any

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from headgate.report.formats import utc
from headgate.report.story import Span
from headgate.rollout.state import Phase

INK, MUTED, RULE = "#1c2733", "#5b6673", "#d5dbe1"
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#8a4a78"
PHASE_TINTS = {
    Phase.SHADOW: "#eceff3",
    Phase.RAMP: "#e3f0fa",
    Phase.WATCH: "#e0f3ec",
    Phase.ROLLING_BACK: "#fbe3d4",
}
_LOOK: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names may hold a dollar sign
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # shipped with matplotlib: measured here, replaced in the page
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "lines.solid_capstyle": "round",
    "axes.unicode_minus": True,
    "date.converter": "auto",
    "timezone": "UTC",
}
#: Settings of a session rather than of a look.
_LEFT_ALONE = ("backend", "interactive", "toolbar", "webagg", "tk.", "keymap", "figure.max_open", "docstring")
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def look() -> Any:
    """Return the context in which every chart is drawn and written, whatever the reader's matplotlibrc."""
    plain = {key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith(_LEFT_ALONE)}
    settings: Any = {**plain, **_LOOK}  # the stubs want every key as a literal
    return mpl.rc_context(settings)


def figure(
    width: float, height: float, *, margins: tuple[float, float, float, float] | None = None
) -> Figure:
    """Return an empty figure of ``width`` x ``height`` CSS pixels.

    ``margins`` (left, right, top, bottom; pixels) makes charts of a kind line up under each other and
    is twice as quick as measuring all text, which is what happens without.
    """
    made = Figure(figsize=(width / 72, height / 72), layout=None if margins else "constrained")
    if margins:
        left, right, top, bottom = margins
        made.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height, hspace=0.2)
    FigureCanvasSVG(made)
    return made


def to_svg(drawn: Figure, *, salt: str, label: str) -> str:
    """Return the figure as an SVG element to put into a page.

    Parameters
    ----------
    salt
        Makes the identifiers inside unique in the page, and the same on every run.
    label
        What a reader who does not see it is told.
    """
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": salt}):
        drawn.savefig(
            out,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # counted per figure: they would repeat in the page
    text = re.sub(r"'DejaVu Sans'(, [^;\"]*)?sans-serif|'DejaVu Sans'", _FONTS, text)
    view = re.search(r'viewBox="[^"]*"', text)
    box = view.group(0) if view else ""
    head = f'<svg {box} role="img" aria-label="{escape(label)}" class="chart">'
    return head + text[text.index(">") + 1 :].strip()


def time_axis(axes: Axes, since: datetime, until: datetime, *, room: float = 0.02) -> None:
    """Give the axes dates in UTC from ``since`` to ``until``, with ``room`` to the right for labels."""
    left, right = moments([since, until])
    width = max(right - left, 1 / 24)
    axes.set_xlim(left - 0.01 * width, left + width * (1 + room))
    narrow = axes.get_figure(root=True).get_figwidth() * 72 < 600  # type: ignore[union-attr]  # it has one
    locator = mdates.AutoDateLocator(minticks=3, maxticks=5 if narrow else 9)  # type: ignore[no-untyped-call]  # untyped in matplotlib
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # untyped in matplotlib
    axes.tick_params(axis="both", length=3)


def moments(times: Sequence[datetime]) -> list[float]:
    """Return matplotlib's day numbers."""
    days = mdates.date2num([utc(at) for at in times])  # type: ignore[no-untyped-call]  # untyped in matplotlib
    return [float(day) for day in days]


def shade(axes: Axes, spans: Sequence[Span]) -> None:
    """Tint the background by phase."""
    for phase, group in groupby(spans, key=lambda span: span.phase):
        stays = list(group)
        if phase in PHASE_TINTS:
            left, right = moments([stays[0].since, stays[-1].until])
            axes.axvspan(left, right, color=PHASE_TINTS[phase], lw=0, zorder=0)


def root_scale(axes: Axes, which: str) -> None:
    """Give an axis of percentages a square-root scale.

    1 % and 5 % are where a rollout is decided, and on a linear scale nobody sees them.
    """
    scale = axes.set_xscale if which == "x" else axes.set_yscale
    scale("function", functions=(lambda v: np.sqrt(np.clip(v, 0, None)), np.square))
