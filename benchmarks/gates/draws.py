"""Traffic as it is drawn for the benchmark; arrays of shape (runs, T), time last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headgate.stats import latency
from headgate.stats.betting import FloatArray

Counts = NDArray[np.int64]

#: Units per batch.
LOOK = 10
QUANTILE = latency.Quantile(0.95, 1.25)
#: Exponential tails: chances to exceed tau, ratio x tau, and tau for one that is ratio x slower.
TAIL, FASTER, SLOWER = 0.05, 0.05**1.25, 0.05**0.8


def counts(
    rng: np.random.Generator, shape: tuple[int, int], n: int, chances: list[float]
) -> list[FloatArray]:
    """Draw counts per batch of n units over exclusive outcomes, each of shape (runs, T)."""
    drawn = rng.multinomial(n, [*chances, 1 - sum(chances)], size=shape).astype(np.float64)
    return [drawn[..., i] for i in range(drawn.shape[-1])]


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
    return as_split(n1, slow1, n - n1, slow0, share)


def as_split(n1: Counts, slow1: Counts, n0: Counts, slow0: Counts, share: float) -> latency.Split:
    """Return counts of both arms as the engine reads them."""
    ours, ours_slow, theirs, theirs_slow = (np.asarray(x, dtype=np.float64) for x in (n1, slow1, n0, slow0))
    return latency.Split(ours, ours_slow, theirs, theirs_slow, np.full(ours.shape, share))


def errors(
    rng: np.random.Generator, shape: tuple[int, int], rate: float, n: int = LOOK
) -> tuple[FloatArray, FloatArray]:
    """Events and requests per batch."""
    return rng.binomial(n, rate, shape).astype(np.float64), np.full(shape, float(n))
