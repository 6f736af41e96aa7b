"""What Prefect's own pages show of rollouts: a status table, and one short page per rollout, in Markdown.

They are written now and then and stay as they are in between, so every time in them is absolute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from headgate.plan.model import ALL
from headgate.report.board import waits_for, where
from headgate.report.explain import explain
from headgate.report.formats import percent, when
from headgate.report.glance import Due, Glance
from headgate.report.missing import Need
from headgate.report.narration import headline
from headgate.report.scorecard import picture, plain
from headgate.report.story import Story
from headgate.rollout.state import Move
from headgate.verdicts import GateVerdict, Role, Verdict

#: Rollouts that are done and shown.
_DONE = 10
#: Characters of a chart: both of Prefect's pages take seconds for a megabyte.
LARGEST = 100_000
_MARKS = {True: "✓", False: "✗", None: "·"}


def status_markdown(glances: Sequence[Glance], head: str) -> str:
    """Return where every rollout stands; the same text while nothing changes.

    Parameters
    ----------
    glances
        Of all rollouts, newest first.
    head
        Of the audit chain: kept here, outside the store, it proves later that nothing was cut off.
    """
    running = [one for one in glances if one.ended is None]
    done = [one for one in glances if one.ended is not None]
    parts = [f"**{_count(running)} open, {_count(done)} done.**", ""]
    parts += [f"- **{_name(one)}: {what}**" for one in running for what in _calls(one)]
    parts += ["", _table(running)] if running else []
    if done:
        more = f" (the last {_DONE} of {len(done)})" if len(done) > _DONE else ""
        parts += ["", f"Done{more}:", "", *(_ended(one) for one in done[:_DONE])]
    return "\n".join(
        [*parts, "", f"Audit head `{head}`: check it with `headgate audit verify --head …`.", ""]
    )


def rollout_markdown(
    glances: Sequence[Glance], stories: Sequence[Story], page: str, head: str, now: datetime
) -> str:
    """Return one rollout's short page: where it stands, why, gate by gate, and what one can do.

    Parameters
    ----------
    glances, stories
        Of its slices, in the same order.
    page
        Where the full page is: an address, or the path of a file.
    head
        Of the audit chain.
    now
        When it is written.
    """
    parts = [f"Written {when(now)}; spans of time are as of then."]
    for one, story in zip(glances, stories, strict=True):
        parts += ["", *_slice(one, story)]
    link = f"[The full page]({page})" if "://" in page else f"The full page is the file `{page}`"
    return "\n".join([*parts, "", f"{link}. Audit head `{head}`.", ""])


def chart(story: Story) -> str:
    """Return the climb as an image in Markdown; nothing before the first tick, or if it is too large."""
    if not story.ticks:
        return ""
    # As on the page: only what is really drawn pays for importing matplotlib.
    from headgate.report.charts import climb_chart

    for stride in (1, 4, 16):
        drawn = picture(climb_chart(_thinned(story, stride), width=600, part="artifact"))
        if len(drawn) < LARGEST:
            return f"![The climb of {plain(story.rollout)}]({drawn})"
    return ""


def _thinned(story: Story, stride: int) -> Story:
    """Return the story with every so manieth hold only; what moved stays."""
    last = len(story.ticks) - 1
    kept = (
        tick
        for at, tick in enumerate(story.ticks)
        if at % stride == 0 or at == last or tick.decision.move is not Move.HOLD
    )
    return replace(story, ticks=tuple(kept))


def _slice(one: Glance, story: Story) -> list[str]:
    told = explain(one)
    title = f"## {plain(_name(one))}: {where(one)} at {percent(one.state.share_bp)}"
    parts = [title, "", plain(told.headline if one.open else headline(story)), ""]
    parts += [f"- {plain(sentence)}" for sentence in told.why]
    drawn = chart(story)
    parts += ["", drawn] if drawn else []
    gates = _gates(one.last.verdicts or (story.deciding.verdicts if story.deciding else ()))
    parts += ["", "### Gates", "", *gates] if gates else []
    rest = [need for need in told.needs if not need.what.startswith("gate ")]
    parts += ["", f"### What it takes {told.towards}", "", *map(_need, rest)] if rest else []
    parts += ["", "### What comes next", "", *(f"- {plain(sentence)}" for sentence in told.next)]
    commands = [f"{todo.command}  # {todo.what}" for todo in told.todo]
    return [*parts, "", "### What you can do", "", "```", *commands, "```"]


def _gates(verdicts: Sequence[GateVerdict]) -> list[str]:
    """Return one sentence per gate, its segments counted; those that do not count here at the end."""
    whole = [v for v in verdicts if v.segment is None]
    told = []
    for v in sorted(whole, key=lambda v: not v.applies):
        parts = [o for o in verdicts if o.gate == v.gate and o.segment is not None and o.applies]
        passing = sum(o.verdict is Verdict.PASS for o in parts)
        segments = f" *{passing} of {len(parts)} segments pass.*" if parts else ""
        word = v.verdict.value.replace("_", " ") if v.applies else "not judged here"
        only = ", report only" if v.role is Role.REPORT else ""
        reason = plain(v.reason.removeprefix(f"{v.gate}: "))
        told.append(f"- {_MARKS[_met(v)]} **{plain(v.gate)}** ({word}{only}): {reason}.{segments}")
    return told


def _met(v: GateVerdict) -> bool | None:
    return v.verdict is Verdict.PASS if v.applies else None


def _need(need: Need) -> str:
    return f"- {_MARKS[need.met]} {need.what}: {plain(need.detail)}"


def _table(running: Sequence[Glance]) -> str:
    # Five columns: a sixth is cut off by the page that shows it.
    head = "| rollout | where | waits for | since | by then |"
    rows = [
        (
            _name(one),
            f"{where(one)} at {percent(one.state.share_bp)}",
            waits_for(one),
            when(one.since),
            "; ".join(filter(None, (_due(one.coming), _due(one.deadline)))),
        )
        for one in running
    ]
    lines = ["| " + " | ".join(map(plain, row)) + " |" for row in rows]
    ticks = [
        f"- {plain(_name(one))} on {plain(one.service)}: last tick {when(one.last.at)}" for one in running
    ]
    return "\n".join([head, "|" + "---|" * 5, *lines, "", *ticks])


def _due(due: Due | None) -> str:
    return "" if due is None else f"{due.what} {when(due.at)}"


def _calls(one: Glance) -> list[str]:
    """Return what of a slice needs a person now."""
    calls = []
    if one.stopped:
        calls.append(f"no tick since {when(one.last.at)}: do the flows run?")
    if one.question is not None:
        agreed = f"{len(one.question.approved_by)} of {one.question.needed} agreed"
        calls.append(f"approval asked, {agreed}, until {when(one.question.expires_at)}")
    if one.state.paused is not None:
        calls.append(f"paused since {when(one.since)}: {plain(one.state.paused.reason)}")
    return calls


def _ended(one: Glance) -> str:
    at = f"{where(one)} at {percent(one.state.share_bp)} on {when(one.last.at)}"
    return f"- {plain(_name(one))} on {plain(one.service)}: {at}"


def _name(one: Glance) -> str:
    return one.rollout if one.state.slice == ALL else f"{one.rollout} / {one.state.slice}"


def _count(glances: Sequence[Glance]) -> str:
    number = len({one.rollout for one in glances})
    return "1 rollout" if number == 1 else f"{number} rollouts"
