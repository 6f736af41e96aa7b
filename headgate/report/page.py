"""The page people open: one self-contained HTML file about one or more rollouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from headgate.plan.model import Gate
from headgate.report import formats, narration, reviewers, words
from headgate.report.story import Story
from headgate.rollout.state import Move, Outcome
from headgate.verdicts import GateVerdict

_TONES = {Outcome.PROMOTED: "good", Outcome.ROLLED_BACK: "bad", Outcome.ABORTED: "bad"}


@dataclass(frozen=True, slots=True)
class Pictures:
    """A rollout's charts as SVG; ``gates`` by gate name."""

    climb: Markup
    climb_narrow: Markup
    gates: Mapping[str, Markup]
    traffic: Markup


def render_page(
    stories: Sequence[Story], *, title: str, generated_at: datetime, facts: Mapping[str, str]
) -> str:
    """Return the page as one HTML document: no script, nothing fetched, the same bytes for the same input.

    Parameters
    ----------
    stories
        The rollouts in the order they are told.
    generated_at
        Aware UTC; shown at the top.
    facts
        What a reader should know about the run: machine, versions, seconds.
    """
    template = _environment().get_template("page.html.j2")
    told = [(story, _draw(story)) for story in stories]
    return template.render(told=told, title=title, generated_at=generated_at, facts=facts) + "\n"


def _draw(story: Story) -> Pictures:
    # Charts are the only thing here that needs matplotlib, which takes longer to import than the rest
    # of Headgate together; flows that merely can render a page do not pay for it.
    from headgate.report.charts import climb_chart, gate_chart, traffic_chart

    # The charts escape their own text; they are the only markup that is let through.
    return Pictures(
        climb=Markup(climb_chart(story)),  # noqa: S704 - our own SVG, text escaped where it is written
        climb_narrow=Markup(climb_chart(story, width=430, part="narrow")),  # noqa: S704 - as above
        gates={name: Markup(gate_chart(story, name)) for name in story.gates()},  # noqa: S704 - as above
        traffic=Markup(traffic_chart(story)),  # noqa: S704 - as above
    )


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("headgate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("percent", "observed", "count", "number", "e_value", "when", "day", "short_day"):
        made.filters[name] = getattr(formats, name)
    made.filters["estimate"] = formats.estimate
    made.filters["tone"] = _tone
    made.filters["plan_yaml"] = _plan_yaml
    made.tests["demo_operator"] = _is_demo
    made.globals.update(
        narration=narration,
        reviewers=reviewers,
        words=words,
        interval=formats.interval,
        gate_of=_gate_of,
        meter=_meter,
        HOLD=Move.HOLD,
    )
    return made


def _tone(outcome: Outcome | None) -> str:
    """Return the colour class of an outcome: good, bad, plain or running."""
    return _TONES.get(outcome, "plain") if outcome else "running"


def _gate_of(story: Story, name: str) -> Gate | None:
    return next((gate for gate in story.plan.all_gates if gate.name == name), None)


def _meter(verdict: GateVerdict) -> int:
    """Return how far the evidence to advance is on its way to the threshold, 0 to 100, on a log scale."""
    need, have = verdict.log_threshold_advance, verdict.log_e_advance
    if not formats.finite(need) or not formats.finite(have) or need <= 0:
        return 0
    return round(100 * min(max(have / need, 0.0), 1.0))


def _is_demo(approver: str) -> bool:
    """Say whether an approver calls itself a demo operator: nobody looked."""
    return "demo" in approver.lower()


def _plan_yaml(story: Story) -> str:
    body = story.plan.model_dump(mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=100)
