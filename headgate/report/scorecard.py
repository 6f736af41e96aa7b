"""What an approver reads before answering: one question in Markdown, the most important first.

It stands above the form in Prefect's own pages, some 450 pixels wide: short lists, no tables, and charts
as images, because neither page shows SVG or HTML of ours. One of them breaks a paragraph where its
source breaks the line, so every paragraph is one line.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from headgate.plan.model import ALL, Plan
from headgate.report import formats, words
from headgate.report.story import Story
from headgate.rollout.state import Answer, Approval, Asked
from headgate.verdicts import GateVerdict, Role, Verdict

#: Segments shown, weakest first, and charts drawn.
_SEGMENTS, _CHARTS = 3, 2
#: As wide as the narrower of the two pages draws the text, in CSS pixels.
_WIDTH = 450
_DAY = timedelta(days=1)
_DOES = {
    Verdict.FAIL: "fails",
    Verdict.ERROR: "cannot be judged",
    Verdict.NO_DATA: "has no data",
    Verdict.INCONCLUSIVE: "is not proved",
    Verdict.PASS: "passes",
}
_GATE_CHART = "Blue must be above its dashed line to go on; orange, harm, must stay below its own."
_CLIMB_CHART = "The share of live traffic; diamonds are answers of approvers."


@dataclass(frozen=True, slots=True)
class Asking:
    """One open question, and what its story does not say.

    Attributes
    ----------
    rollout, slice
        Whose next step; ``all`` where the plan has no slices.
    where
        Which requests the slice is made of; None: all.
    asked
        The question itself.
    request
        What a code has to be computed for.
    agreed
        The people whose yes counts already.
    """

    rollout: str
    slice: str
    where: str | None
    asked: Asked
    request: str
    agreed: tuple[str, ...] = ()


def scorecard(story: Story, asking: Asking, now: datetime, notice: str | None = None) -> str:
    """Return the question with everything that speaks for and against it, as Markdown.

    Parameters
    ----------
    story
        The slice's story until now; the verdicts shown are those of its last judged tick.
    now
        By the clock in use; what is left of the question's time is counted from it.
    notice
        What became of the last answer, in bold at the top.
    """
    verdicts = story.deciding.verdicts if story.deciding else ()
    return (
        _environment()
        .get_template("scorecard.md.j2")
        .render(
            story=story,
            plan=story.plan,
            asking=asking,
            asked=asking.asked,
            now=now,
            notice=notice,
            gates=[v for v in verdicts if v.segment is None],
            settled=_settled(verdicts),
            segments=weakest(verdicts),
            told=sum(v.segment is not None and _counts(v) for v in verdicts),
            climb=_ahead(story.plan, asking.asked.step),
            per_day=per_day(story),
            said=_said(story.approvals, asking.asked),
            charts=_charts(story, verdicts),
            sliced=asking.slice != ALL,
        )
    )


def weakest(verdicts: Sequence[GateVerdict]) -> tuple[GateVerdict, ...]:
    """Return the judged segments, worst verdict and least evidence first, a few at most."""
    parts = [v for v in verdicts if v.segment is not None and _counts(v)]
    return tuple(sorted(parts, key=_strength)[:_SEGMENTS])


def per_day(story: Story) -> float | None:
    """Return how many requests a day this story's callers send, about; None while nobody knows.

    Live requests of the present stay say so; before there are any, the requests that shadow scored.
    """
    since, until = story.lasted
    live = story.traffic[-1] if story.traffic else None
    if live is not None and live.requests:
        stay = (live.until or until) - live.since
        if stay >= _DAY / 24:
            return live.requests / (stay / _DAY)
    lasted = until - since
    return story.exchanges / (lasted / _DAY) if story.exchanges and lasted >= _DAY / 24 else None


def plain(text: object) -> str:
    r"""Return foreign text as Markdown that shows it and does nothing: no HTML, no link, no new line.

    Examples
    --------
    >>> plain("a *bold* [link](http://x) | <b>")
    'a \\*bold\\* \\[link\\](http\\://x) \\| &lt;b&gt;'
    """
    line = re.sub(r"\s+", " ", str(text)).strip()
    line = re.sub(r"([\\`*_\[\]|~!$])", r"\\\1", line).replace("://", r"\://").replace("www.", r"www\.")
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def spoken(text: str) -> str:
    r"""Return foreign text as Markdown as `plain` does, with what stands in backticks as code.

    Examples
    --------
    >>> spoken("ask `headgate *code*` for it_self")
    'ask `headgate *code*` for it\\_self'
    """
    parts = re.split(r"(`[^`\s][^`]*`)", re.sub(r"\s+", " ", text).strip())
    return "".join(part if at % 2 else _within(part) for at, part in enumerate(parts))


def _within(text: str) -> str:
    # `plain` strips, and a sentence goes on after its code.
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{plain(text)}{after if text.strip() else ''}"


def picture(svg: str) -> str:
    """Return one of the report's charts as the address of an image of its own, on white.

    Examples
    --------
    >>> picture('<svg viewBox="0 0 60 40" role="img"><g/></svg>')[:40]
    'data:image/svg+xml;base64,PHN2ZyB4bWxucz'
    """
    box = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', svg)
    size = f' width="{box.group(1)}" height="{box.group(2)}"' if box else ""
    alone = svg.replace(
        "<svg", f'<svg xmlns="http://www.w3.org/2000/svg"{size} style="background:#fff;padding:0"', 1
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(alone.encode()).decode()}"


def _counts(verdict: GateVerdict) -> bool:
    return verdict.applies and verdict.role is not Role.REPORT


def _strength(verdict: GateVerdict) -> tuple[int, float]:
    """Return how good a verdict is and how far its evidence is above what it needs."""
    return list(Verdict).index(verdict.verdict), verdict.log_e_advance - verdict.log_threshold_advance


def _settled(verdicts: Sequence[GateVerdict]) -> str:
    deciding = [v for v in verdicts if _counts(v)]
    passing = sum(v.verdict is Verdict.PASS for v in deciding)
    if not deciding:
        return "No gate has been judged yet."
    if passing == len(deciding):
        return f"Every gate that counts passes ({passing} of {passing} judgements)."
    return f"Only {passing} of the {len(deciding)} judgements that count pass now."


def _ahead(plan: Plan, step: int) -> tuple[str, str]:
    """Return how far the climb then goes without asking, and what is asked next, in words."""
    above = plan.steps[step + 1 :]
    alone = next((i for i, rung in enumerate(above) if rung.approval is not None), len(above))
    free = words.listed([words.percent(rung.share_bp) for rung in above[:alone]])
    goes_on = f"After that it goes on to {free} without asking, as the gates pass." if free else ""
    if alone == len(above):
        return goes_on, "Nobody is asked again."
    rung = above[alone]
    people = rung.approval.approvers if rung.approval else 1
    whom = "1 approver" if people == 1 else f"{people} approvers"
    return goes_on, f"The next question is before {words.percent(rung.share_bp)} ({whom})."


def _said(approvals: Sequence[Approval], asked: Asked) -> tuple[Approval, ...]:
    return tuple(
        a
        for a in approvals
        if (a.step, a.attempt) == (asked.step, asked.attempt) and a.answer is not Answer.LOST
    )


def _charts(story: Story, verdicts: Sequence[GateVerdict]) -> list[tuple[str, str, Markup]]:
    """Return (title, legend, image) of the first guardrail, the weakest gate, and the climb once live."""
    deciding = [v for v in verdicts if v.segment is None and _counts(v) and v.samples]
    guards = [v.gate for v in deciding if v.role is Role.GUARDRAIL]
    by_strength = [v.gate for v in sorted(deciding, key=_strength)]
    chosen = list(dict.fromkeys([*guards[:1], *by_strength]))[:_CHARTS]
    # As on the page: only a form that is really shown pays for importing matplotlib.
    from headgate.report.charts import climb_chart, gate_chart

    drawn = [(f"Gate {name}", _GATE_CHART, picture(gate_chart(story, name, width=_WIDTH))) for name in chosen]
    if story.highest_bp:
        climb = picture(climb_chart(story, width=_WIDTH, part="form"))
        drawn.append(("The climb so far", _CLIMB_CHART, climb))
    # Base64 holds nothing that Markdown could read.
    return [(title, told, Markup(image)) for title, told, image in drawn]  # noqa: S704 - as said above


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("headgate.report"),
        autoescape=False,  # noqa: S701 - this is Markdown: `finalize` escapes every value for it
        finalize=lambda value: value if isinstance(value, Markup) else plain(value),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["percent"] = words.percent
    made.filters["count"] = formats.count
    made.filters["when"] = formats.when
    made.filters["lasting"] = formats.lasting
    made.filters["spoken"] = lambda text: Markup(spoken(text))  # noqa: S704 - escaped there
    made.filters["does"] = _DOES.__getitem__
    made.filters["reason"] = lambda v: v.reason.removeprefix(f"{v.gate}: ")
    # Inside a block of code nothing is escaped, and nothing needs to be: ids are made of [a-z0-9-].
    made.filters["code"] = lambda text: Markup(re.sub(r"[`\s]+", "", str(text)))  # noqa: S704 - as said
    return made
