"""The rules of `benchmarks.gates.rivals` on the same traffic: who is wrong how often, and who is fast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

from benchmarks.gates.alone import BATCHES, seeded
from benchmarks.gates.rivals import LEVEL, POWER, RULES, Bools, Means, Seen
from headgate.stats import unpaired
from headgate.stats.betting import Batches, FloatArray

#: Runs drawn at once.
_CHUNK = 50


def _ranked(ours: FloatArray, theirs: FloatArray) -> FloatArray:
    """Return z of the Mann-Whitney test of as many entities of either side; shape (n, ...) becomes (...)."""
    n = len(ours)
    centred = rankdata(np.concatenate([ours, theirs]), axis=0) - (2 * n + 1) / 2
    # Ties, as of 0/1 outcomes, lower the variance of the rank sum.
    variance = (centred**2).sum(axis=0) * n / 2 / (2 * n - 1)
    return np.asarray(centred[:n].sum(axis=0) / np.sqrt(variance + 1e-12), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """What is split: n1 and n0 entities a look, the margin, the largest loss counted by Headgate."""

    name: str
    n1: int
    n0: int
    mean: float
    variance: float
    margin: float
    high: float
    draw: Callable[[np.random.Generator, tuple[int, ...], bool], FloatArray]

    @property
    def planned(self) -> int:
        """Looks of a fixed-size test with this power against a candidate at the margin."""
        z = norm.ppf(1 - LEVEL) + norm.ppf(POWER)
        return int(np.ceil(z**2 * self.variance * (1 / self.n1 + 1 / self.n0) / self.margin**2))

    def seen(self, rng: np.random.Generator, runs: int, *, bad: bool) -> Seen:
        """Draw some runs and show what every rule looks at."""
        ours = self.draw(rng, (self.n1, runs, BATCHES), bad)
        theirs = self.draw(rng, (self.n0, runs, BATCHES), False)
        arms = unpaired.Arms(*(self._capped(side) for side in (ours, theirs)))
        design = unpaired.Design(self.margin, variance=self.variance, high=self.high)
        return Seen(
            self.n1, self.n0, Means.of(ours), Means.of(theirs), _ranked(ours, theirs[: self.n1]),
            unpaired.unit_evidence(arms, design, harm=False),
            unpaired.unit_evidence(arms, design, harm=True),
            self.margin, self.mean, self.planned,
        )  # fmt: skip

    def _capped(self, side: FloatArray) -> Batches:
        capped = np.minimum(side, self.high)
        if set(np.unique(capped)) <= {0.0, 1.0}:
            hits = capped.sum(axis=0)
            counts = np.stack([len(side) - hits, hits])
            return Batches(np.broadcast_to(np.array([0.0, 1.0]).reshape(2, 1, 1), counts.shape), counts)
        return Batches(capped, np.ones_like(capped))


def traffics() -> tuple[Traffic, Traffic]:
    """Return 0/1 outcomes split in halves, and heavy-tailed costs of which a tenth is the candidate's."""
    events = Traffic(
        "0/1 outcomes (10 %), split 50/50, 50 entities a side and look, margin 3 points",
        50, 50, 0.1, 0.09, 0.03, 1.0,
        lambda rng, shape, bad: (rng.random(shape) < (0.13 if bad else 0.1)).astype(np.float64),
    )  # fmt: skip
    history = np.random.default_rng(5).pareto(2.0, 200_000)
    cap = float(np.quantile(history, 0.999))
    capped = np.minimum(history, cap)
    mean, margin = float(capped.mean()), 0.3 * float(capped.mean())
    factor = float(brentq(lambda f: float(np.minimum(f * history, cap).mean()) - mean - margin, 1, 3))
    costs = Traffic(
        "costs with heavy tails (Pareto, index 2), split 10/90, 10 and 90 entities a look, margin 30 %",
        10, 90, mean, float(capped.var()), margin, cap,
        lambda rng, shape, bad: rng.pareto(2.0, shape) * (factor if bad else 1.0),
    )  # fmt: skip
    return events, costs


@dataclass(frozen=True, slots=True)
class Rival:
    """How one rule did; means in entities of both sides, over the runs in which the verdict came."""

    traffic: str
    rule: str
    runs: int
    equal_rolled_back: float
    bad_advanced: float
    equal_advanced_after: float | None
    bad_rolled_back_after: float | None
    bad_rolled_back: float


def measured(traffic: Traffic, runs: int) -> list[Rival]:
    """Return how every rule did on one kind of traffic."""
    rng = seeded(f"rivals, {traffic.name}")
    found: dict[tuple[str, bool], list[tuple[FloatArray, FloatArray]]] = {}
    for bad in (False, True):
        for done in range(0, runs, _CHUNK):
            seen = traffic.seen(rng, min(_CHUNK, runs - done), bad=bad)
            for name, rule in RULES.items():
                back, on = rule(seen)
                found.setdefault((name, bad), []).append((_first(back), _first(on)))
    return [_rival(traffic, name, runs, found[name, False], found[name, True]) for name in RULES]


def _rival(
    traffic: Traffic,
    name: str,
    runs: int,
    equal: list[tuple[FloatArray, FloatArray]],
    bad: list[tuple[FloatArray, FloatArray]],
) -> Rival:
    (fine_back, fine_on), (bad_back, bad_on) = (
        [np.concatenate(side) for side in zip(*part, strict=True)] for part in (equal, bad)
    )
    each = traffic.n1 + traffic.n0
    return Rival(
        traffic.name, name, runs,
        float(np.isfinite(fine_back).mean()),
        # A rollout is over once it was rolled back: what a rule would say later does not count.
        float((bad_on < bad_back).mean()),
        _mean(fine_on, each), _mean(bad_back, each), float(np.isfinite(bad_back).mean()),
    )  # fmt: skip


def _first(reached: Bools) -> FloatArray:
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)


def _mean(looks: FloatArray, each: int) -> float | None:
    came = looks[np.isfinite(looks)]
    return float(came.mean()) * each if came.size else None
