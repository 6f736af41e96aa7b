"""How a load test climbs: hold the target, then find the rate at which the candidate no longer keeps up."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from headgate.capacity.stage import FEWEST, Stage

#: A search ends after so many rates, and where the two bounds are this close.
_MOST, _CLOSE = 8, 1.3
_STRIDE = 2.0


class Held(StrEnum):
    """How a stage went."""

    KEPT = "kept"
    BROKEN = "broken"
    UNCLEAR = "unclear"  # the generator could not keep its own schedule, or there were too few requests


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts as keeping up: 99 % of answers within ``p99_ms``, at most this part of them faulty."""

    p99_ms: float
    errors: float

    def judge(self, stage: Stage) -> tuple[Held, str]:
        """Say how a stage went, and in words what decided it."""
        part = stage.failed / stage.sent
        late = stage.late_ms > self.p99_ms / 10
        if part > self.errors:
            worst = max(stage.faults, key=lambda fault: stage.faults[fault])
            words = (
                f"{part:.2%} of the requests had no usable answer (limit {self.errors:.2%}; most: {worst})"
            )
            held = Held.BROKEN
        elif stage.sent < FEWEST:
            return Held.UNCLEAR, f"{stage.sent} requests are too few to tell: {FEWEST} are needed"
        elif stage.p99 is None:
            words = f"more than 1 % of the requests had no usable answer ({stage.failed} of {stage.sent})"
            held = Held.BROKEN
        elif stage.p99 > self.p99_ms:
            words = f"99 % of the answers took up to {stage.p99:.1f} ms (limit {self.p99_ms:g} ms)"
            held = Held.BROKEN
        else:
            return Held.KEPT, f"99 % of the answers within {stage.p99:.1f} ms, {part:.2%} faulty"
        if late:
            return Held.UNCLEAR, f"the load generator itself was {stage.late_ms:.1f} ms late; {words}"
        return held, words


@dataclass(frozen=True, slots=True)
class Climb:
    """All stages of a test, and between which two rates the candidate saturates.

    Attributes
    ----------
    target
        The stage at the target rate.
    stages
        Every stage in the order of the test, the target first.
    kept
        Highest rate that was kept up, below every one that was not; None: none was.
    broken
        Lowest rate that was not kept up; None: it was not reached.
    """

    target: Stage
    stages: tuple[Stage, ...]
    kept: float | None
    broken: float | None

    def calm(self) -> Stage | None:
        """Return the stage to count failures on: the target if it was kept up, else the best that was."""
        if self.kept is not None and self.kept >= self.target.rate:
            return self.target
        return next((stage for stage in self.stages if stage.rate == self.kept), None)


def climb(target: float, limits: Limits, most: float) -> Generator[float, Stage, Climb]:
    """Yield the rates to hold, one after the other; is sent what each came to, and returns the climb.

    The target comes first. Where it is kept the rate doubles until it is not, else it is halved until it is;
    then the gap is narrowed to a factor of 1.3. A stage that says nothing ends the search, and so do two
    without any usable answer: it is not the rate that this candidate fails at.

    Parameters
    ----------
    target
        Requests per second, above 0.
    most
        No rate above this is tried.
    """
    stages = [(yield target)]
    kept, broken = _bounds(stages, limits)
    while len(stages) < _MOST and limits.judge(stages[-1])[0] is not Held.UNCLEAR and not _mute(stages):
        rate = _next(kept, broken)
        if rate is None or rate > most:
            break
        stages.append((yield rate))
        kept, broken = _bounds(stages, limits)
    return Climb(stages[0], tuple(stages), kept, broken)


def _mute(stages: Sequence[Stage]) -> bool:
    return len(stages) > 1 and all(stage.failed == stage.sent for stage in stages[-2:])


def _next(kept: float | None, broken: float | None) -> float | None:
    """Return the rate to try next; None where the gap is narrow enough."""
    if broken is None:
        return None if kept is None else kept * _STRIDE
    if kept is None:
        return broken / _STRIDE
    return None if broken / kept <= _CLOSE else (broken * kept) ** 0.5


def _bounds(stages: Sequence[Stage], limits: Limits) -> tuple[float | None, float | None]:
    judged = [(stage.rate, limits.judge(stage)[0]) for stage in stages]
    broken = min((rate for rate, held in judged if held is Held.BROKEN), default=None)
    below = [rate for rate, held in judged if held is Held.KEPT and (broken is None or rate < broken)]
    return max(below, default=None), broken
