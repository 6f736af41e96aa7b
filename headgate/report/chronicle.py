"""Everything that happened to a rollout, in order of time: ticks, people, planes, alarms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from headgate.plan.model import ALL
from headgate.report.formats import lasting, percent
from headgate.report.story import Story
from headgate.report.words import PHASES, move_sentence, step_name
from headgate.rollout.state import Answer, Approval, Move, Order, Tick


class Kind(StrEnum):
    """What sort of thing happened."""

    OPENED = "opened"
    MOVED = "moved"  # a tick that changed something
    HELD = "held"  # one or many ticks that changed nothing
    ANSWERED = "answered"
    REFUSED = "refused"  # an answer that was not taken
    ORDERED = "ordered"  # a button pressed
    CONFIRMED = "confirmed"  # the plane reports a share
    SIGNED = "signed"
    INCIDENT = "incident"
    ALERTED = "alerted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of a rollout's history.

    Attributes
    ----------
    at, until
        When; ``until`` is the end of a stretch of holds, None for what happened at once.
    slice
        ``all`` where it is about the whole rollout.
    what, why
        In words: what happened, and the reason or comment that was given for it.
    who
        Who did it, where it was a person.
    move
        Of a tick: what it did.
    tick
        Number of the tick, the last one of a stretch of holds.
    """

    at: datetime
    kind: Kind
    slice: str
    what: str
    why: str = ""
    who: str = ""
    until: datetime | None = None
    move: Move | None = None
    tick: int | None = None


#: Of what happened at the same instant, what comes first: the cause before what a tick made of it.
_ORDER = tuple(Kind)


def chronicle(
    stories: Sequence[Story], besides: Iterable[Happened] = (), *, every: bool = False
) -> tuple[Happened, ...]:
    """Return what happened, oldest first.

    Parameters
    ----------
    stories
        One per slice of the rollout.
    besides
        What the stories do not hold: who opened it, confirmations, signatures, refusals, alerts.
    every
        Tell of every tick; else holds of one stay are one line.
    """
    told = [*besides, *_once_per_rollout(stories)]
    for story in stories:
        told += _ticks(story, every=every)
        told += [_answer(story, approval) for approval in story.approvals]
    return tuple(sorted(told, key=lambda one: (one.at, _rank(one))))


def slice_of(story: Story) -> str:
    """Return the slice a story is about."""
    return story.ticks[-1].state.slice if story.ticks else ALL


def _rank(one: Happened) -> int:
    # A button, an answer and a signature are why a tick moved; a confirmation and an alert are its effect.
    causes = (Kind.OPENED, Kind.SIGNED, Kind.ORDERED, Kind.ANSWERED, Kind.REFUSED, Kind.HELD)
    return causes.index(one.kind) if one.kind in causes else len(causes) + _ORDER.index(one.kind)


def _once_per_rollout(stories: Sequence[Story]) -> Iterator[Happened]:
    """Yield orders and incidents; every slice's story tells of those that are about all."""
    orders: dict[int, Order] = {order.id: order for story in stories for order in story.orders}
    for order in orders.values():
        yield Happened(
            order.at, Kind.ORDERED, order.slice, f"pressed {order.verb.value}", order.reason, order.by
        )
    for incident in dict.fromkeys(i for story in stories for i in story.incidents):
        yield Happened(incident.at, Kind.INCIDENT, ALL, incident.kind, incident.text)


def _ticks(story: Story, *, every: bool) -> Iterator[Happened]:
    ticks = [tick for tick in story.ticks if tick.tick]  # tick 0 is the opening, told with who opened it
    for number, tick in enumerate(ticks):
        if tick.decision.move is not Move.HOLD or every:
            yield _moved(story, tick)
            continue
        before = ticks[number - 1] if number else None
        if before is None or not _same_hold(before, tick):
            run = [tick]
            for after in ticks[number + 1 :]:
                if not _same_hold(tick, after):
                    break
                run.append(after)
            end = ticks[number + len(run)].at if number + len(run) < len(ticks) else None
            yield _held(run, end)


def _same_hold(one: Tick, other: Tick) -> bool:
    hold = one.decision.move is Move.HOLD and other.decision.move is Move.HOLD
    paused = (one.state.paused is None) == (other.state.paused is None)
    return hold and paused and (one.state.phase, one.state.entry) == (other.state.phase, other.state.entry)


def _moved(story: Story, tick: Tick) -> Happened:
    sentence = move_sentence(tick, story.before(tick))
    if tick.decision.move is Move.ASK and tick.decision.asked is not None:
        asked = tick.decision.asked
        sentence = f"asked for approval of {step_name(story.plan, asked.step)} (question {asked.attempt})"
    kind = Kind.HELD if tick.decision.move is Move.HOLD else Kind.MOVED
    return Happened(
        tick.at,
        kind,
        tick.state.slice,
        sentence,
        tick.decision.reason,
        move=tick.decision.move,
        tick=tick.tick,
    )


def _held(run: Sequence[Tick], end: datetime | None) -> Happened:
    """Return holds of one stay as one line, with how long each thing headed the list of what is missing."""
    first, last = run[0], run[-1]
    until = end or last.at
    times = [*(tick.at for tick in run), until]
    spans: dict[str, timedelta] = {}
    for tick, after in zip(run, times[1:], strict=True):
        for waiting in tick.decision.waiting_for[:1]:
            name = waiting.value.replace("_", " ")
            spans[name] = spans.get(name, timedelta(0)) + (after - tick.at)
    share = first.state.share_bp
    where = f"at {percent(share)}" if share else f"in {PHASES[first.state.phase]}"
    took = lasting(until - first.at)
    named = [f"{name} ({lasting(span)})" if len(spans) > 1 and span else name for name, span in spans.items()]
    waits = f" for {', '.join(named)}" if named else ""
    paused = "stood paused" if first.state.paused is not None else "held"
    so_far = " so far" if end is None else ""
    return Happened(
        first.at,
        Kind.HELD,
        first.state.slice,
        f"{paused} {where} for {took}{so_far}{',' if waits else ''}{waits}",
        last.decision.reasons[0] if last.decision.reasons and end is None else "",
        until=until,
        move=Move.HOLD,
        tick=last.tick,
    )


_SAID = {
    Answer.APPROVE: "approved",
    Answer.REJECT: "rejected",
    Answer.HOLD: "said hold to",
    Answer.LOST: "left unanswered",
    Answer.BREAK_GLASS: "asked to break the glass for",
}


def _answer(story: Story, said: Approval) -> Happened:
    what = f"{_SAID[said.answer]} {step_name(story.plan, said.step)}"
    question = f" (question {said.attempt})" if said.attempt > 0 else ""
    return Happened(said.at, Kind.ANSWERED, slice_of(story), what + question, said.comment, said.approver)


def days(told: Sequence[Happened]) -> Iterator[tuple[str, tuple[Happened, ...]]]:
    """Yield what happened day by day (UTC), in order."""
    for day, run in groupby(told, key=lambda one: f"{one.at:%Y-%m-%d}"):
        yield day, tuple(run)
