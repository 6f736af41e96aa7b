"""Traffic as it is drawn for the benchmark; arrays of shape (runs, T), time last."""

from __future__ import annotations

import numpy as np

from headgate.stats import latency
from headgate.stats.betting import Batches, FloatArray

#: Units per batch of a gate alone, and batches (looks) per null.
LOOK, BATCHES = 10, 300
QUANTILE = latency.Quantile(0.95, 1.25)
#: Exponential tails: chances to exceed tau, ratio x tau, and tau for one that is ratio x slower.
TAIL, FASTER, SLOWER = 0.05, 0.05**1.25, 0.05**0.8
#: Design distance of the paired 0/1 gate.
WORSE = 0.02


def counts(
    rng: np.random.Generator, shape: tuple[int, int], n: int, chances: list[float]
) -> list[FloatArray]:
    """Draw counts per batch of n units over exclusive outcomes, each of shape (runs, T)."""
    drawn = rng.multinomial(n, [*chances, 1 - sum(chances)], size=shape).astype(np.float64)
    return [drawn[..., i] for i in range(drawn.shape[-1])]


def zero_one(rng: np.random.Generator, shape: tuple[int, int], theta: float, n: int = LOOK) -> Batches:
    """Paired 0/1 losses: a tenth of the requests tell the sides apart."""
    lost, won, same = counts(rng, shape, n, [0.05 + theta / 2, 0.05 - theta / 2])
    values = np.stack([np.ones(shape), -np.ones(shape), np.zeros(shape)])
    return Batches(values, np.stack([lost, won, same]))


def brier(rng: np.random.Generator, shape: tuple[int, int], worse: bool, n: int = LOOK) -> Batches:
    """Paired Brier losses of forecasts 0.1 apart; mean difference 0 or 0.01."""
    size = (n, *shape)
    theirs = rng.uniform(0.2, 0.8, size)
    ours = theirs + np.where(rng.random(size) < 0.5, 0.1, -0.1)
    truth = theirs if worse else (ours + theirs) / 2
    late = rng.random(size) < truth
    return Batches((ours - late) ** 2 - (theirs - late) ** 2, np.ones(size))


def mirror(rng: np.random.Generator, shape: tuple[int, int], chance: float, n: int = LOOK) -> latency.Pairs:
    """Mirrored requests whose candidate exceeds with this chance, independent of the incumbent."""
    ours, theirs, rest = counts(rng, shape, n, [chance * (1 - TAIL), TAIL * (1 - chance)])
    return latency.Pairs(ours + theirs + rest, ours, theirs)


def split(
    rng: np.random.Generator, shape: tuple[int, int], chance: float, share: float, n: int = LOOK
) -> latency.Split:
    """Live requests of which a share is the candidate's, exceeding with this chance."""
    n1 = rng.binomial(n, share, shape)
    slow1, slow0 = rng.binomial(n1, chance), rng.binomial(n - n1, TAIL)
    parts = (x.astype(np.float64) for x in (n1, slow1, n - n1, slow0))
    return latency.Split(*parts, np.full(shape, share))


def errors(
    rng: np.random.Generator, shape: tuple[int, int], rate: float, n: int = LOOK
) -> tuple[FloatArray, FloatArray]:
    """Events and requests per batch."""
    return rng.binomial(n, rate, shape).astype(np.float64), np.full(shape, float(n))
