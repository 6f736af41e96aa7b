"""The climb: the candidate's share over time, and below it what the rollout waited for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from headgate.report.canvas import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    RULE,
    figure,
    look,
    moments,
    root_scale,
    shade,
    time_axis,
    to_svg,
)
from headgate.report.formats import day, percent, short_day
from headgate.report.story import Story, Wait
from headgate.report.words import OUTCOMES, PHASES
from headgate.rollout.state import Answer, Move, Outcome, Phase, Tick

_FELL = frozenset({Move.ROLL_BACK, Move.ABORT, Move.EXPIRE, Move.FREEZE, Move.STEP_BACK})


def climb_chart(story: Story, *, width: int = 1080, part: str = "wide") -> str:
    """Return the climb as SVG.

    Parameters
    ----------
    width
        In CSS pixels; below 600 labels are fewer.
    part
        Tells this drawing's identifiers from others of the same story.
    """
    lanes = list(dict.fromkeys(wait.reason for wait in story.waits()))
    height = 300 + 19 * len(lanes)
    with look():
        drawn = figure(width, height)
        ratio = [300 - 40, max(19 * len(lanes), 1)]
        if lanes:
            share, waiting = drawn.subplots(2, 1, sharex=True, height_ratios=ratio)
            _draw_waits(waiting, story.waits())
        else:
            share = drawn.subplots()
        time_axis(share, *story.lasted, room=0.02)
        _draw_share(share, story, narrow=width < 600)
        return to_svg(drawn, salt=f"{story.rollout} climb {part}", label=_label(story))


def _draw_share(axes: Axes, story: Story, *, narrow: bool) -> None:
    root_scale(axes, "y")
    axes.set_ylim(0, 118)
    rungs = [0.0, *(s.percent for s in story.plan.steps if s.percent)]
    axes.set_yticks(rungs, [percent(round(r * 100)) for r in rungs])
    axes.tick_params(axis="x", labelbottom=not story.waits())
    axes.grid(axis="y", color=RULE, lw=0.6)
    axes.set_axisbelow(True)
    axes.set_ylabel("candidate's share of live traffic" if not narrow else "share of live traffic")
    if not story.ticks:
        axes.text(0.5, 0.5, "no data: no tick yet", transform=axes.transAxes, ha="center", color=MUTED)
        return
    shade(axes, story.spans())
    _name_phases(axes, story, narrow=narrow)
    times = moments([tick.at for tick in story.ticks])
    shares = [tick.state.share_bp / 100 for tick in story.ticks]
    axes.fill_between(times, shares, step="post", color=BLUE, alpha=0.13, lw=0)
    axes.step(times, shares, where="post", color=BLUE, lw=2.4, clip_on=False, zorder=4)
    for tick in story.moves():
        _mark(axes, story, tick, narrow=narrow)
    _mark_people(axes, story, narrow=narrow)


def _mark(axes: Axes, story: Story, tick: Tick, *, narrow: bool) -> None:
    """Label a rise with its share, a fall and the end with the outcome.

    Labels stand to the left of the line: above a climb that side is always free.
    """
    before, after = story.before(tick), tick.state.share_bp
    if tick.decision.move in _FELL:
        outcome = tick.decision.outcome
        word = OUTCOMES[outcome] if outcome else tick.decision.move.value.replace("_", " ")
        _point(axes, tick, before, "v", ORANGE, f"{word}\n{day(tick.at)}")
    elif after > before:
        text = percent(after) if narrow else f"{percent(after)} on {short_day(tick.at)}"
        _point(axes, tick, after, "", BLUE, text)
    elif tick.state.phase is Phase.DONE and tick.state.outcome is Outcome.PROMOTED:
        _point(axes, tick, after, "o", GREEN, f"promoted {short_day(tick.at)}", below=True)


def _point(
    axes: Axes, tick: Tick, share_bp: int, marker: str, colour: str, text: str, *, below: bool = False
) -> None:
    (x,) = moments([tick.at])
    if marker:
        axes.plot(
            [x], [share_bp / 100], marker=marker, ms=10, color=colour, mec="white", zorder=6, clip_on=False
        )
    left, right = axes.get_xlim()
    near_the_edge = (x - left) / (right - left) < 0.15
    axes.annotate(
        text,
        (x, share_bp / 100),
        xytext=((5 if near_the_edge else -5), -8 if below else 5 if marker else 2),
        textcoords="offset points",
        ha="left" if near_the_edge else "right",
        va="top" if below else "bottom",
        color=colour,
        weight="bold",
        zorder=7,
    )


def _mark_people(axes: Axes, story: Story, *, narrow: bool) -> None:
    """Put a diamond on the share line for every question that was answered, with how many said yes."""
    for _, group in groupby(story.approvals, key=lambda a: (a.step, a.attempt)):
        answers = list(group)
        # An answer may be younger than the last tick: it stands at the edge until a tick has seen it.
        x = min(max(moments([answers[-1].at])[0], axes.get_xlim()[0]), axes.get_xlim()[1])
        share = next((t.state.share_bp for t in reversed(story.ticks) if t.at <= answers[-1].at), 0) / 100
        yes = sum(a.answer is Answer.APPROVE for a in answers)
        axes.plot([x], [share], marker="D", ms=7, color=PURPLE, mec="white", zorder=6, clip_on=False)
        if narrow:
            continue  # no room for words; the table of people has them
        axes.annotate(
            f"{yes} of {len(answers)} approved" if yes < len(answers) else f"approved by {yes}",
            (x, share),
            xytext=(8, -13),
            textcoords="offset points",
            ha="left",
            color=PURPLE,
            fontsize=9,
            zorder=6,
        )


def _name_phases(axes: Axes, story: Story, *, narrow: bool) -> None:
    """Write the phase at the top of its tint, where there is room for the word."""
    above = blended_transform_factory(axes.transData, axes.transAxes)
    whole = (story.ticks[-1].at - story.ticks[0].at).total_seconds() or 1.0
    for phase, group in groupby(story.spans(), key=lambda span: span.phase):
        stays = list(group)
        lasted = (stays[-1].until - stays[0].since).total_seconds()
        if phase is Phase.DONE or lasted / whole < (0.12 if narrow else 0.05):
            continue
        left, right = moments([stays[0].since, stays[-1].until])
        axes.text((left + right) / 2, 1.015, PHASES[phase], transform=above, ha="center", color=MUTED)


def _draw_waits(axes: Axes, waits: Sequence[Wait]) -> None:
    """Draw one lane per reason: full where it headed the list, pale where it was one of several."""
    lanes = list(dict.fromkeys(wait.reason for wait in waits))
    for wait in waits:
        left, right = moments([wait.since, wait.until])
        axes.barh(
            lanes.index(wait.reason),
            max(right - left, 1e-9),
            left=left,
            height=0.5,
            color=INK if wait.first else MUTED,
            alpha=0.75 if wait.first else 0.28,
            lw=0,
        )
    axes.set_yticks(range(len(lanes)), [f"waits: {lane.value.replace('_', ' ')}" for lane in lanes])
    axes.set_ylim(len(lanes) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _label(story: Story) -> str:
    if not story.ticks:
        return f"Share of {story.rollout} over time: no data, no tick yet."
    rises = [
        f"{percent(t.state.share_bp)} on {day(t.at)}"
        for t in story.moves()
        if t.state.share_bp > story.before(t)
    ]
    end = f"{percent(story.share_bp)} on {day(story.ticks[-1].at)}"
    return f"Share of {story.rollout} over time: {', '.join(['0 % in shadow', *rises])}; last {end}."
