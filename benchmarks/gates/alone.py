"""One gate alone: how soon it decides at, within and beyond its design distance, and how often wrongly.

The score is mean samples over max(N*, batch): see `benchmarks.gates.oracles`. Paired gates are given
their true second moment, as `power` would suggest it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from headgate.stats.betting import FloatArray

ALPHA = 0.05
SURE = -np.log(ALPHA)
#: Wished for, and tolerated, at the design distance.
TARGET, LIMIT = 1.3, 1.6
#: Looks of a null.
BATCHES = 300
#: Runs x looks drawn at once: memory, not chance.
_CELLS = 150_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn and how it is judged.

    Attributes
    ----------
    far
        Where the candidate stands: 0 at the edge of the null, 1 at the design distance.
    shared
        Correlation of two units of one batch.
    starts
        Whether harm may begin at any batch, as the engine judges it.
    """

    far: float = 0.0
    shared: float = 0.0
    starts: bool = True


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two e-processes of one gate.

    Attributes
    ----------
    gate, verdict
        What is judged, and what reaching the threshold means: ``advance`` or ``roll back``.
    batch, unit
        Units per look, and what a unit is.
    information
        Per unit, of a candidate this far from the null.
    log_e
        Draws runs (an array's first axis) of looks (its last) and judges them at every look.
    shared
        Correlations within a batch under which the error level is promised.
    judged
        With what the hours of an operational gate cost it: told, not held to the limit.
    """

    gate: str
    verdict: str
    batch: int
    information: Callable[[float], float]
    log_e: Callable[[np.random.Generator, tuple[int, int], Drawn], FloatArray]
    unit: str = "requests"
    shared: tuple[float, ...] = (0.0,)
    alpha: float = ALPHA
    judged: bool = False

    @property
    def name(self) -> str:
        """Gate, verdict and batch: what a run is drawn under."""
        return f"{self.gate}, {self.verdict}, by {self.batch}"


@dataclass(frozen=True, slots=True)
class Speed:
    """Mean samples of one gate alone, ``far`` from its null in design distances."""

    gate: str
    verdict: str
    unit: str
    batch: int
    far: float
    oracle: float
    mean: float
    score: float
    undecided: float
    runs: int
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Wrong:
    """How often a verdict was ever wrong. ``allowed`` is the nominal level and two standard errors."""

    null: str
    wrong: float
    nominal: float
    allowed: float
    runs: int = 0

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return self.wrong <= self.allowed


def seeded(name: str) -> np.random.Generator:
    """Return the randomness of one row: its own, so that no row changes another's draws."""
    return np.random.default_rng([20130401, zlib.crc32(name.encode())])


def wrong_of(null: str, hits: int, runs: int, nominal: float) -> Wrong:
    """Return a count of wrong runs held against its nominal level."""
    return Wrong(
        null, hits / runs, nominal, nominal + 2 * float(np.sqrt(nominal * (1 - nominal) / runs)), runs
    )


def ever(log_e: FloatArray, threshold: float, null: str, nominal: float) -> Wrong:
    """Return the share of runs that ever reached a threshold."""
    return wrong_of(null, int((log_e >= threshold).any(axis=1).sum()), len(log_e), nominal)


def first_looks(
    draw: Callable[[int], FloatArray], looks: int, runs: int, threshold: float, cells: int = _CELLS
) -> FloatArray:
    """Return each run's first look (from 1) at or above a threshold, infinity where there is none."""
    found: list[FloatArray] = []
    left = runs
    while left:
        some = max(1, min(left, cells // looks))
        reached = draw(some) >= threshold
        found.append(np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf))
        left -= some
    return np.concatenate(found)


def speed(side: Side, far: float, runs: int) -> Speed:
    """Measure mean samples to a verdict over max(N*, batch)."""
    oracle = -np.log(side.alpha) / side.information(far)
    looks = int(5 * oracle / side.batch) + 20
    rng, drawn = seeded(f"{side.name}, {far}"), Drawn(far, starts=False)
    at = first_looks(lambda some: side.log_e(rng, (some, looks), drawn), looks, runs, -np.log(side.alpha))
    mean = float(np.mean(np.minimum(at, looks))) * side.batch
    return Speed(
        side.gate, side.verdict, side.unit, side.batch, far, oracle, mean,
        mean / max(oracle, side.batch), float(np.mean(at > looks)), runs, side.judged,
    )  # fmt: skip


def wrong(side: Side, shared: float, runs: int) -> Wrong:
    """Measure how often the edge of the null is ever found beyond it, with a look at every batch."""
    rng, drawn = seeded(f"{side.name}, null, {shared}"), Drawn(0.0, shared)
    at = first_looks(lambda some: side.log_e(rng, (some, BATCHES), drawn), BATCHES, runs, -np.log(side.alpha))
    edge = "bad at its margin" if side.verdict == "advance" else "fine at its edge"
    tag = f", intra-batch correlation {shared:g}" if len(side.shared) > 1 else ""
    null = f"{side.gate}, by {side.batch} {side.unit}, {edge}: {side.verdict}{tag}"
    return wrong_of(null, int(np.isfinite(at).sum()), runs, side.alpha)
