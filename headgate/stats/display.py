"""Intervals for people to read. They hold at every look at once; no verdict depends on them."""

from __future__ import annotations

from collections.abc import Callable
from math import lgamma, log, log1p

import numpy as np

from headgate.errors import EvidenceError
from headgate.stats.betting import Batches, FloatArray

#: Chance that an interval ever misses the truth.
ALPHA = 0.05
#: A millionth of the way from the least value to the largest; people read four digits.
_HALVINGS = 20
#: Stakes as parts of the largest that cannot go broke, so that some fit whatever the noise.
_STAKES = 0.9 / 2.0 ** np.arange(12)
#: Their parts of the capital: with few blocks and a wide bound the largest stake is the one that tells.
_CAPITAL = (1 / np.arange(1, 13)) / np.sum(1 / np.arange(1, 13))


def mean_limit(batches: Batches, high: float, alpha: float = ALPHA / 2) -> float:
    r"""Return an upper limit of the mean, valid at every look.

    Parameters
    ----------
    batches
        Values x up to ``high``, shape (m, T). Constant bets do not mind when a value came, so counts
        of equal values may be added over time.
    high
        Largest possible value.
    alpha
        Chance of ever being below the truth.

    Returns
    -------
    float
        ``high`` until the data say more.

    Raises
    ------
    EvidenceError
        If a value passes ``high``.

    Notes
    -----
    The smallest u whose claim "mean >= u" a mixture of constant bets has refuted:
    :math:`\prod (1 + c (u - x) / (h - u))` rises in u for every c, so bisection finds it.

    References
    ----------
    .. [1] I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", 2024.

    Examples
    --------
    >>> mean_limit(Batches.single([-0.01] * 100), high=0.2)
    0.00077
    """
    if bool(np.any(batches.values > high + 1e-12 * abs(high))):
        raise EvidenceError(f"a value passes its largest possible {high}")
    threshold = -log(alpha)

    values, counts = batches.values.ravel(), batches.counts.ravel()

    def refuted(u: float) -> bool:
        gains = np.log1p(_STAKES[:, np.newaxis] * ((u - values) / (high - u)))
        wealth = np.sum(counts * gains, axis=1)
        top = wealth.max()
        return bool(top + log(float(_CAPITAL @ np.exp(wealth - top))) >= threshold)

    low = float(np.min(batches.values)) if batches.values.size else high
    return _boundary(refuted, low, high)


def mean_interval(low_batches: Batches, high_batches: Batches, limit: float) -> tuple[float, float]:
    """Return limits of a mean known to lie in [-limit, limit].

    Missing labels make two readings of the data: the best for the lower limit, the worst for the upper.
    """
    mirrored = Batches(-low_batches.values, low_batches.counts)
    return -mean_limit(mirrored, limit), mean_limit(high_batches, limit)


def share_interval(shares: FloatArray) -> tuple[float, float]:
    """Return limits of the mean of hourly shares in [0, 1], each hour one value.

    Examples
    --------
    >>> share_interval(np.array([0.0, 0.02, 0.0, 0.04] * 50))
    (0.011, 0.041)
    """
    hours = Batches.single(shares)
    return max(0.0, -mean_limit(Batches(-hours.values, hours.counts), 0.0)), mean_limit(hours, 1.0)


def rate_interval(n: int, x: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Return limits of a rate of which x events among n requests were seen, valid at every look.

    The Beta(1/2, 1/2) mixture of likelihood ratios, inverted: Robbins 1970.

    Raises
    ------
    EvidenceError
        If ``x`` is not between 0 and ``n``.

    Examples
    --------
    >>> rate_interval(0, 0)
    (0.0, 1.0)
    >>> rate_interval(1000, 10)
    (0.0024, 0.0262)
    """
    if not 0 <= x <= n:
        raise EvidenceError(f"{x} events among {n} requests make no rate")
    if n == 0:
        return 0.0, 1.0
    mixed = lgamma(x + 0.5) + lgamma(n - x + 0.5) - lgamma(n + 1) - 2 * lgamma(0.5)
    threshold = -log(alpha)

    def refuted(p: float) -> bool:
        return mixed - x * log(p) - (n - x) * log1p(-p) >= threshold

    lower = 0.0 if x == 0 else _boundary(refuted, x / n, 0.0)
    upper = 1.0 if x == n else _boundary(refuted, x / n, 1.0)
    return lower, upper


def difference(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """Return limits of a difference from limits of its parts, each at half the error."""
    return first[0] - second[1], first[1] - second[0]


def _boundary(refuted: Callable[[float], bool], inside: float, outside: float) -> float:
    """Halve towards where the claim begins to be refuted; ``outside`` always counts as refuted."""
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if middle in (inside, outside):
            break
        if refuted(middle):
            outside = middle
        else:
            inside = middle
    return outside
