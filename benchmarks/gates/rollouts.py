"""Whole rollouts through the real judge, decide and apply, fed with simulated evidence, a tick a day.

Nobody resumes a paused rollout here, and there are no approvals to wait for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np

from benchmarks.gates.alone import Wrong, seeded, wrong_of
from benchmarks.gates.draws import TAIL
from benchmarks.gates.operation import shocked
from benchmarks.gates.oracles import Population, coin
from benchmarks.gates.scenarios import ENTITIES, HOURS, LIVE, PAIRED, PAIRED_PART, PARTS, Day, Scenario, plan
from headgate.evidence import SPLIT, BlockSum, EvidenceRow, LatencySplitSum, RateSum, Source, SplitSum, Sums
from headgate.gates import judge
from headgate.gates.questions import log_threshold
from headgate.gates.rows import Kept
from headgate.plan.model import Exclude, Plan
from headgate.rollout import apply, decide, settle, standing
from headgate.rollout.state import Check, Outcome, Phase, PlaneView, State, World
from headgate.routing import FULL_BP

_OPENED = datetime(2013, 4, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
#: A rollout that is not over by then is still running.
LONGEST = 90
_VERSIONS = ("old-1", "new-2")
_CHECKS = (Check("simulated", True, "nothing to check"),)


@dataclass(frozen=True, slots=True)
class Lived:
    """How one rollout ended, after how many days, and whom it hurt."""

    ending: str
    days: int
    served: int
    harmed: int


@dataclass(slots=True)
class Rollout:
    """One rollout under way."""

    plan: Plan
    scenario: Scenario
    rng: np.random.Generator
    state: State = field(default_factory=lambda: State("simulated-1", Phase.PREFLIGHT, _OPENED, _OPENED))
    closing: list[EvidenceRow] = field(default_factory=list)
    rows: Kept = field(init=False)
    confirmed: datetime = _OPENED
    served: int = 0
    harmed: int = 0

    def __post_init__(self) -> None:
        self.rows = Kept(self.plan)

    def live(self) -> Lived:
        """Live it day by day."""
        hash_ = self.plan.hash
        segments = {"part": tuple(str(n) for n in range(PARTS))} if self.plan.segments else None
        for number in range(LONGEST):
            now = _OPENED + number * _DAY
            self._tick(now, hash_, segments)
            if self.state.phase is Phase.DONE and self.state.outcome is not None:
                return Lived(self.state.outcome.value, number, self.served, self.harmed)
            if self.state.paused is not None:
                return Lived("paused", number, self.served, self.harmed)
            if self.state.phase not in (Phase.PREFLIGHT, Phase.ROLLING_BACK):
                self._day(now)
        return Lived("running", LONGEST, self.served, self.harmed)

    def _tick(self, now: datetime, hash_: str, segments: dict[str, tuple[str, ...]] | None) -> None:
        world = World(
            now,
            PlaneView.AGREES,
            judge(self.plan, self.rows, standing(self.state, now, segments=segments)),
            observed_share_bp=self.state.share_bp,
            observed_generation=self.state.generation,
            confirmed_at=self.confirmed,
            versions=_VERSIONS,
            checks=_CHECKS,
        )
        before = self.state.generation
        self.state = apply(self.state, decide(self.state, self.plan, world, hash_), self.plan, world)
        if self.state.generation != before:
            # The plane obeys at once.
            self.confirmed = now
            self.state = settle(self.state, World(now, PlaneView.AGREES, world.scorecard, confirmed_at=now))

    def _day(self, now: datetime) -> None:
        """Add what a day shows: its hours at once, yesterday's block with it."""
        share = self.state.share_bp
        day = self.scenario.day(share)
        self.rows.add(self.closing)
        source = Source.SHADOW
        self.closing = [
            self._row("quality", segment, now, source, sums) for segment, sums in self._blocks(day)
        ]
        for hour in HOURS:
            at = now + timedelta(hours=hour)
            n1 = int(self.rng.binomial(LIVE, share / FULL_BP * (1 - day.skew))) if share else LIVE
            failing = float(shocked(self.rng, (1, 1), day.failing, day.bursts)[0, 0])
            rate = RateSum(n1, int(self.rng.binomial(n1, failing)))
            self.rows.add([self._row("errors", None, at, Source.PLANE if share else source, rate)])
            if share:
                self.served += n1
                self.harmed += n1 * day.bad
            if 0 < share < FULL_BP:
                self.rows.add(self._arms(at, n1, day))

    def _arms(self, at: datetime, n1: int, day: Day) -> Iterator[EvidenceRow]:
        n0 = LIVE - n1
        ours, theirs = int(self.rng.binomial(n1, day.slow)), int(self.rng.binomial(n0, TAIL))
        # A candidate as slow as the incumbent passes ratio x tau less often than tau: F(r tau) = F(tau) ** r.
        further = int(self.rng.binomial(ours, day.slow**0.25))
        yield self._row("latency", None, at, Source.PLANE, LatencySplitSum(n1, n0, further, ours, theirs))
        share = self.state.share_bp / FULL_BP
        new = int(self.rng.binomial(ENTITIES, share * (1 - day.skew)))
        yield self._row(SPLIT, None, at, Source.PLANE, SplitSum(new, ENTITIES - new))

    def _row(self, gate: str, segment: str | None, at: datetime, source: Source, sums: Sums) -> EvidenceRow:
        return EvidenceRow(gate, segment, at, self.state.entry, self.state.share_bp, source, "", sums)

    def _blocks(self, day: Day) -> Iterator[tuple[str | None, BlockSum]]:
        if self.plan.segments is None:
            yield None, self._block(self._counts(day.worse, PAIRED, day), day)
            return
        parts = [self._counts(0.0 if n else day.sick, PAIRED_PART, day) for n in range(PARTS)]
        yield None, self._block(np.sum(parts, axis=0), day)
        for n, counts in enumerate(parts):
            yield f"part={n}", self._block(counts, day)

    def _counts(self, worse: float, n: int, day: Day) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return _losses(worse).counts(self.rng, (1, 1), n, day.shared)[:, 0, 0]

    def _block(self, counts: np.ndarray[tuple[int, ...], np.dtype[np.float64]], day: Day) -> BlockSum:
        won, same, lost = (int(count) for count in counts)
        n, late = won + same + lost, int(self.rng.binomial(lost, day.late)) if day.late else 0
        known = n - late
        seen = (lost - late - won) / known
        spread = (won + lost - late) - known * seen**2
        if isinstance(self.plan.outcomes.missing, Exclude):
            return BlockSum(seen, seen, seen, known, known, excluded=late, spread=spread)
        # Both sides of a lost or a won request differ, so its missing label is worth 1 either way.
        worst, best = (lost - won) / n, (lost - won - 2 * late) / n
        return BlockSum(worst, best, seen, known, known, missing=late, spread=spread)


_CACHE: dict[float, Population] = {}


def _losses(worse: float) -> Population:
    if worse not in _CACHE:
        _CACHE[worse] = coin().tilted(worse)
    return _CACHE[worse]


@dataclass(frozen=True, slots=True)
class Told:
    """How the rollouts of one scenario ended, in shares of the runs."""

    scenario: str
    runs: int
    promoted: float
    rolled_back: float
    paused: float
    expired: float
    running: float
    wrong: float | None
    error: float | None
    days: dict[str, float]
    served: float
    harmed: float


def lives(scenario: Scenario, first: int, runs: int) -> list[Lived]:
    """Live a stretch of one scenario's runs; each run has randomness of its own."""
    of = plan(**scenario.changes)
    return [
        Rollout(of, scenario, seeded(f"rollout, {scenario.name}, {number}")).live()
        for number in range(first, first + runs)
    ]


def told(scenario: Scenario, lived: list[Lived]) -> Told:
    """Return the shares, days and harm of all runs of a scenario."""
    runs = len(lived)
    ended = {
        name: [life for life in lived if life.ending == name] for name in {life.ending for life in lived}
    }

    def share(name: str) -> float:
        return len(ended.get(name, ())) / runs

    wrong = None if scenario.wrong is None else share(scenario.wrong.value)
    return Told(
        scenario.name, runs, share(Outcome.PROMOTED), share(Outcome.ROLLED_BACK), share("paused"),
        share(Outcome.EXPIRED), share("running"), wrong,
        None if wrong is None else float(np.sqrt(wrong * (1 - wrong) / runs)),
        {name: float(median(life.days for life in found)) for name, found in sorted(ended.items())},
        float(np.mean([life.served for life in lived])), float(np.mean([life.harmed for life in lived])),
    )  # fmt: skip


def held(scenario: Scenario, lived: list[Lived]) -> Wrong | None:
    """Return the wrong verdicts held against the level of a first attempt; None where nothing is promised."""
    if scenario.wrong is None:
        return None
    errors = plan().errors
    error = errors.promote_bad if scenario.wrong is Outcome.PROMOTED else errors.roll_back_fine
    level = float(np.exp(-log_threshold(error, attempt=1)))
    hits = sum(life.ending == scenario.wrong.value for life in lived)
    return wrong_of(f"whole rollout, {scenario.name}: {scenario.wrong.value}", hits, len(lived), level)
