"""What somebody needs who knows the truth: N* = log(1/alpha) / information per unit.

The populations below have a mean difference that is known exactly, so that a null is a null, and few
values, so that the information of the best bet is an optimisation over one number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import betabinom

from headgate.stats.betting import Batches, FloatArray

#: Values that a population of losses is rounded to, on each side of 0; pairs it is made from.
_GRID, _PAIRS = 20, 200_000


def growth(values: FloatArray, chances: FloatArray, bound: float | None = None) -> float:
    """Return KL_inf: the mean log-growth per unit of the best constant bet that can never go broke.

    Parameters
    ----------
    values, chances
        What a unit's bet pays, and how likely: shape (m,).
    bound
        Largest loss that is possible as far as anybody may know; None: the largest among the values.
    """
    most = 1 / (-values.min() if bound is None else bound)
    best = minimize_scalar(
        lambda stake: -float(np.sum(chances * np.log1p(stake * values))),
        bounds=(0, most * (1 - 1e-9)),
        method="bounded",
    )
    return -float(best.fun)


def relative_entropy(p: float, q: float) -> float:
    """Return KL(p || q) of two coins."""
    ours = p * np.log(p / q) if p else 0.0
    return float(ours + (1 - p) * np.log((1 - p) / (1 - q)))


def two_arms(share: float, ours: float, theirs: float, margin: float = 0.0) -> float:
    """Return the information per request of a split against "ours is theirs plus the margin".

    ``share`` is the candidate's; ``ours`` and ``theirs`` are the chances of an event on either side.
    """

    def cost(p: float) -> float:
        return share * relative_entropy(ours, p + margin) + (1 - share) * relative_entropy(theirs, p)

    return _least(cost, max(0.0, -margin) + 1e-6, 1 - max(0.0, margin) - 1e-6)


def two_arms_ratio(share: float, ours: float, theirs: float, ratio: float) -> float:
    """Return the same against "ours is theirs times the ratio"."""

    def cost(p: float) -> float:
        return share * relative_entropy(ours, ratio * p) + (1 - share) * relative_entropy(theirs, p)

    return _least(cost, 1e-6, 1 / ratio - 1e-6)


def bounded_arms(
    share: float, ours: Population, theirs: Population, margin: float, high: float, *, harm: bool
) -> float:
    """Return the same for losses in [0, high] of which only that is known: the least KL_inf of both sides.

    ``harm``: against "ours is theirs plus the margin, or less"; else against "or more".
    """

    def cost(mean: float) -> float:
        # Harm: what could pass for harmless has ours no higher than this, and theirs no lower.
        up, down = (ours, theirs) if harm else (theirs, ours)
        a, b = (mean + margin, mean) if harm else (mean, mean + margin)
        ups, downs = (share, 1 - share) if harm else (1 - share, share)
        raised = growth(up.values - a, up.chances, a) if up.mean > a else 0.0
        lowered = growth(b - down.values, down.chances, high - b) if down.mean < b else 0.0
        return ups * raised + downs * lowered

    return _least(cost, 1e-6 * high, (1 - 1e-6) * high - max(0.0, margin))


def _least(cost: Callable[[float], float], low: float, high: float) -> float:
    return float(minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-9}).fun)


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """What a unit's value may be, and how likely: two arrays of shape (m,), values ascending."""

    values: FloatArray
    chances: FloatArray

    @property
    def mean(self) -> float:
        """Mean of the values."""
        return float(self.values @ self.chances)

    @property
    def square(self) -> float:
        """Mean of the squared values."""
        return float(self.values**2 @ self.chances)

    def tilted(self, mean: float) -> Population:
        """Return the population with this mean: chances times exp(k x value), the mildest change there is."""

        def weights(k: float) -> FloatArray:
            raw = self.chances * np.exp(k * (self.values - np.where(k > 0, self.values[-1], self.values[0])))
            return np.asarray(raw / raw.sum(), dtype=np.float64)

        widest = 50 / float(np.abs(self.values).max())
        k = brentq(lambda k: float(self.values @ weights(k)) - mean, -widest, widest, xtol=1e-14, rtol=1e-14)
        return Population(self.values, weights(float(k)))

    def batches(
        self, rng: np.random.Generator, shape: tuple[int, int], n: int | NDArray[np.int64], shared: float
    ) -> Batches:
        """Draw batches of n units as the engine reads them."""
        counts = self.counts(rng, shape, n, shared)
        return Batches(np.broadcast_to(self.values.reshape(-1, 1, 1), counts.shape), counts)

    def counts(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        n: int | NDArray[np.int64],
        shared: float = 0.0,
    ) -> FloatArray:
        """Draw batches of n units: how often each value came, shape (m, runs, T).

        Under a shared shock each unit repeats one draw of its batch with chance sqrt(shared), so two
        units of a batch correlate by ``shared`` and the mean of each stays what it is.
        """
        if not shared:
            return _first(rng.multinomial(np.broadcast_to(n, shape), self.chances))
        same = rng.binomial(n, np.sqrt(shared), size=shape)
        drawn = rng.multinomial(n - same, self.chances)
        which = rng.choice(len(self.values), size=shape, p=self.chances)[..., np.newaxis]
        np.put_along_axis(drawn, which, np.take_along_axis(drawn, which, -1) + same[..., np.newaxis], axis=-1)
        return _first(drawn)


def _first(drawn: NDArray[np.int64]) -> FloatArray:
    return np.moveaxis(drawn, -1, 0).astype(np.float64)


def rare(rate: float) -> Population:
    """One side's 0/1 losses."""
    return Population(np.array([0.0, 1.0]), np.array([1 - rate, rate]))


def entities(rate: float, requests: int, shared: float) -> Population:
    """Mean 0/1 losses of entities with so many requests each, which hang together: beta-binomial."""
    values = np.arange(requests + 1.0)
    scale = 1 / shared - 1
    return Population(values / requests, betabinom.pmf(values, requests, rate * scale, (1 - rate) * scale))


@lru_cache
def losses() -> Population:
    """One side's Brier losses, of calibrated forecasts."""
    rng = np.random.default_rng(4)
    forecast = rng.beta(1, 3, _PAIRS)
    return _gridded((forecast - (rng.random(_PAIRS) < forecast)) ** 2, 1.0, 25)


@lru_cache
def costs() -> tuple[Population, float]:
    """Return one side's costs (Pareto, of index 2: no variance), and their cap: the 99.9 % quantile."""
    found = np.random.default_rng(5).pareto(2.0, _PAIRS)
    cap = float(np.quantile(found, 0.999))
    return _gridded(np.minimum(found, cap), cap, 40), cap


def _gridded(values: FloatArray, widest: float, steps: int) -> Population:
    found = np.bincount(np.rint(values / widest * steps).astype(np.int64), minlength=steps + 1)
    kept = found > 0
    return Population((np.arange(steps + 1) * widest / steps)[kept], found[kept] / len(values))


def coin(apart: float = 0.1) -> Population:
    """Paired 0/1 losses of two models that differ on this share of the requests."""
    return Population(np.array([-1.0, 0.0, 1.0]), np.array([apart / 2, 1 - apart, apart / 2]))


@lru_cache
def brier() -> Population:
    """Paired Brier losses of equally good forecasts 0.1 apart."""
    rng = np.random.default_rng(1)
    theirs = rng.uniform(0.2, 0.8, _PAIRS)
    ours = theirs + np.where(rng.random(_PAIRS) < 0.5, 0.1, -0.1)
    late = rng.random(_PAIRS) < (ours + theirs) / 2
    return _symmetric((ours - late) ** 2 - (theirs - late) ** 2)


@lru_cache
def errors(power: int) -> tuple[Population, float]:
    """Return paired absolute (1) or squared (2) errors of numbers, and their cap: the 99.9 % quantile.

    What no model can know is Laplace-distributed; each model adds an error of its own.
    """
    rng = np.random.default_rng(2)
    noise = rng.laplace(size=_PAIRS)
    ours, theirs = (np.abs(noise + 0.5 * rng.standard_normal(_PAIRS)) ** power for _ in range(2))
    cap = float(np.quantile(np.concatenate([ours, theirs]), 0.999))
    return _symmetric(np.minimum(ours, cap) - np.minimum(theirs, cap)), cap


@lru_cache
def paired_costs() -> tuple[Population, float]:
    """Return paired differences of costs, and their cap; what a request costs is Pareto of index 2."""
    rng = np.random.default_rng(6)
    size = 1 + rng.pareto(2.0, _PAIRS)
    ours, theirs = (size * rng.lognormal(0.0, 0.3, _PAIRS) for _ in range(2))
    cap = float(np.quantile(np.concatenate([ours, theirs]), 0.999))
    return _symmetric(np.minimum(ours, cap) - np.minimum(theirs, cap)), cap


def _symmetric(differences: FloatArray) -> Population:
    """Return the differences and their negatives on a grid."""
    widest = float(np.abs(differences).max())
    index = np.rint(differences / widest * _GRID).astype(np.int64)
    found = np.bincount(index + _GRID, minlength=2 * _GRID + 1).astype(np.float64)
    chances = (found + found[::-1]) / (2 * len(differences))
    kept = chances > 0
    return Population((np.arange(-_GRID, _GRID + 1) * widest / _GRID)[kept], chances[kept])
