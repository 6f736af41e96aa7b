"""A load test as a page to hand round."""

from __future__ import annotations

from datetime import datetime

from markupsafe import Markup

from headgate.capacity import telling
from headgate.capacity.report import Result, limits_of, saturates
from headgate.plan.model import Plan
from headgate.report.document import render


def page(found: Result, plan: Plan, written_at: datetime) -> str:
    """Return the page as one HTML document."""
    from headgate.capacity.chart import climb_chart  # matplotlib takes longer to import than the rest

    limits, steps = limits_of(plan), found.forecast(plan)
    verdict = found.verdict(plan)
    values = {
        "title": f"Load test of {plan.name}",
        "written_at": written_at,
        "found": found,
        "plan": plan,
        "verdict": verdict,
        "saturates": saturates(found.climb),
        "chart": Markup(climb_chart(found, plan)),  # noqa: S704 - our own SVG, text escaped where written
        "narrow": Markup(climb_chart(found, plan, width=360, part="narrow")),  # noqa: S704 - as above
        "stages": [
            (stage, *limits.judge(stage)) for stage in sorted(found.climb.stages, key=lambda one: one.rate)
        ],
        "steps": steps,
        "footnote": telling.footnote(steps),
        "told": telling,
    }
    return render("headgate.capacity", "load.html.j2", values)
