"""One rollout as a story: everything its page and its charts show, and nothing they look up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, pairwise
from typing import NamedTuple

from headgate.errors import InputError
from headgate.plan.model import Plan
from headgate.review.adoption import Adoption
from headgate.rollout.state import Approval, Move, Order, Outcome, Phase, Tick, Waiting
from headgate.verdicts import GateVerdict


class Incident(NamedTuple):
    """Something that went wrong and was noticed."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class StepTraffic:
    """What callers got during one stay on one step.

    Attributes
    ----------
    step, percent
        Index into the plan's steps and its planned share in percent.
    since, until
        The stay; ``until`` is None while it lasts.
    candidate_requests, incumbent_requests
        Live requests by the side they were assigned to.
    fallbacks
        Assigned to the candidate and answered by the incumbent.
    failed
        Answered by nobody.
    """

    step: int
    percent: float
    since: datetime
    until: datetime | None
    candidate_requests: int
    incumbent_requests: int
    fallbacks: int = 0
    failed: int = 0

    @property
    def requests(self) -> int:
        """Live requests of both sides."""
        return self.candidate_requests + self.incumbent_requests

    @property
    def observed_percent(self) -> float | None:
        """Share that was really assigned to the candidate, in percent; None without requests."""
        return 100 * self.candidate_requests / self.requests if self.requests else None


class Span(NamedTuple):
    """A stretch of time on one step of one phase; ``until`` is the next tick, or the last one."""

    since: datetime
    until: datetime
    phase: Phase
    step: int
    share_bp: int


class Wait(NamedTuple):
    """A stretch of time spent waiting for one thing; ``first`` if it headed the list."""

    since: datetime
    until: datetime
    reason: Waiting
    first: bool


@dataclass(frozen=True, slots=True)
class Story:
    """One rollout from opening to now.

    Attributes
    ----------
    plan, plan_hash
        The plan as frozen when the rollout opened, and its hash.
    rollout, service, attempt
        Which rollout of which service, and the how-manieth of this candidate version (from 1).
    outcome
        How it ended; None while it runs.
    opened_at
        Aware UTC.
    ticks
        The ledger in order; each tick's ``state`` is the state *after* its decision.
    traffic
        Stays on live steps in order of time.
    exchanges, windows, outcomes_matured
        Requests scored by both sides, windows they came in, outcomes joined.
    data_quality
        What was wrong with requests and outcomes, by name, with how often.
    incidents, approvals, orders
        What happened besides ticks, in order of time.
    taken
        How people took the answers; None where the plan asks nobody, or nobody looked it up.
    """

    plan: Plan
    plan_hash: str
    rollout: str
    service: str
    attempt: int
    outcome: Outcome | None
    opened_at: datetime
    ticks: tuple[Tick, ...] = ()
    traffic: tuple[StepTraffic, ...] = ()
    exchanges: int = 0
    windows: int = 0
    outcomes_matured: int = 0
    data_quality: Mapping[str, int] = field(default_factory=dict)
    incidents: tuple[Incident, ...] = ()
    approvals: tuple[Approval, ...] = ()
    orders: tuple[Order, ...] = ()
    taken: Adoption | None = None

    def __post_init__(self) -> None:
        """Refuse a ledger that cannot be told in order."""
        times = [self.opened_at, *(tick.at for tick in self.ticks)]
        if any(at.tzinfo is None for at in times):
            raise InputError(
                f"story of {self.rollout}: asked for aware UTC times; found a naive one; "
                "attach the time zone where the ledger is read"
            )
        if any(b.tick <= a.tick for a, b in pairwise(self.ticks)):
            raise InputError(
                f"story of {self.rollout}: asked for ticks in rising order; found "
                f"{[tick.tick for tick in self.ticks]}; sort the ledger by tick"
            )

    @property
    def last(self) -> Tick | None:
        """The last tick, None before the first."""
        return self.ticks[-1] if self.ticks else None

    @property
    def share_bp(self) -> int:
        """The share decided last, basis points; 0 before the first tick."""
        return self.ticks[-1].state.share_bp if self.ticks else 0

    @property
    def highest_bp(self) -> int:
        """The largest share ever decided, basis points."""
        return max((tick.state.share_bp for tick in self.ticks), default=0)

    @property
    def lasted(self) -> tuple[datetime, datetime]:
        """From the first tick to the last; the opening twice before any."""
        return (self.ticks[0].at, self.ticks[-1].at) if self.ticks else (self.opened_at, self.opened_at)

    @property
    def deciding(self) -> Tick | None:
        """The tick whose verdicts settled the outcome; while it runs, the last one with verdicts."""
        judged = [tick for tick in self.ticks if tick.verdicts]
        settled = (tick for tick in judged if tick.decision.outcome is not None)
        return next(settled, judged[-1] if judged else None)

    def moves(self) -> tuple[Tick, ...]:
        """Return the ticks that did something: all but holds."""
        return tuple(tick for tick in self.ticks if tick.decision.move is not Move.HOLD)

    def before(self, tick: Tick) -> int:
        """Return the share in force before a tick, basis points."""
        at = self.ticks.index(tick)
        return self.ticks[at - 1].state.share_bp if at else 0

    def spans(self) -> tuple[Span, ...]:
        """Return the stays on phases and steps in order of time, without gaps."""
        stays = [
            (key, [tick.at for tick in run])
            for key, run in groupby(
                self.ticks, key=lambda t: (t.state.phase, t.state.step, t.state.share_bp, t.state.entry)
            )
        ]
        ends = [times[0] for _, times in stays[1:]] + [times[-1] for _, times in stays[-1:]]
        return tuple(
            Span(times[0], end, phase, step, share_bp)
            for ((phase, step, share_bp, _), times), end in zip(stays, ends, strict=True)
        )

    def waits(self) -> tuple[Wait, ...]:
        """Return what was waited for; neighbouring ticks with the same reason are one stretch."""
        return tuple(_merged(_waits(self.ticks)))

    def series(self, gate: str) -> dict[str | None, tuple[tuple[Tick, GateVerdict], ...]]:
        """Return one gate's verdicts over time by segment; None is all requests and comes first."""
        found: dict[str | None, list[tuple[Tick, GateVerdict]]] = {None: []}
        for tick in self.ticks:
            for verdict in tick.verdicts:
                if verdict.gate == gate:
                    found.setdefault(verdict.segment, []).append((tick, verdict))
        return {segment: tuple(rows) for segment, rows in found.items()}

    def entries(self) -> frozenset[int]:
        """Return the ticks that are the first to be judged on a new stay, where fresh evidence starts."""
        judged_on = [0, *(tick.state.entry for tick in self.ticks)]
        return frozenset(
            tick.tick
            for index, tick in enumerate(self.ticks)
            if index and judged_on[index] != judged_on[index - 1]
        )

    def gates(self) -> tuple[str, ...]:
        """Return the names of all gates: the plan's in its order, then those only the ticks know."""
        names = dict.fromkeys(gate.name for gate in self.plan.all_gates)
        names.update(dict.fromkeys(v.gate for tick in self.ticks for v in tick.verdicts))
        return tuple(names)


def _waits(ticks: Sequence[Tick]) -> Iterator[Wait]:
    """Yield one wait per tick and reason, up to the next tick."""
    for tick, after in pairwise(ticks):
        for index, reason in enumerate(tick.decision.waiting_for):
            yield Wait(tick.at, after.at, reason, index == 0)


def _merged(waits: Iterator[Wait]) -> list[Wait]:
    merged: list[Wait] = []
    for wait in sorted(waits, key=lambda w: (list(Waiting).index(w.reason), w.since)):
        tail = merged[-1] if merged else None
        if tail and (tail.reason, tail.until, tail.first) == (wait.reason, wait.since, wait.first):
            merged[-1] = tail._replace(until=wait.until)
        else:
            merged.append(wait)
    return merged
