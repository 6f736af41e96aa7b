"""A forecast as a page to hand round."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from headgate.plan.model import Plan
from headgate.power.forecast import Forecast
from headgate.power.telling import days, headline, meaning, percent, when
from headgate.report.document import render


def page(forecasts: Sequence[Forecast], plan: Plan, written_at: datetime) -> str:
    """Return the page as one HTML document."""
    from headgate.power.chart import climb_chart  # matplotlib takes longer to import than the rest

    told = [
        (one, headline(one), Markup(climb_chart(one, plan.deadline)))  # noqa: S704 - our own SVG, text escaped where written
        for one in forecasts
    ]
    values = {
        "told": told, "title": f"Forecast of {plan.name}", "written_at": written_at,
        "days": days, "percent": percent, "taken": when, "meaning": meaning,
    }  # fmt: skip
    return render("headgate.power", "power.html.j2", values)
