"""A pre-mortem as a page to hand round."""

from __future__ import annotations

from datetime import datetime

from markupsafe import Markup

from headgate.premortem.found import Premortem
from headgate.premortem.telling import ended, harmed, headline, injected
from headgate.report.document import render


def page(one: Premortem, written_at: datetime) -> str:
    """Return the page as one HTML document."""
    from headgate.premortem.chart import harm_chart  # matplotlib takes longer to import than the rest

    chart = Markup(harm_chart(one))  # noqa: S704 - our own SVG, text escaped where it is written
    values = {
        "one": one, "line": headline(one), "chart": chart, "written_at": written_at,
        "injected": injected, "harmed": harmed, "ended": ended,
    }  # fmt: skip
    return render("headgate.premortem", "premortem.html.j2", values)
