r"""Evidence about a latency quantile: who exceeds a frozen threshold how often.

``tau`` is the incumbent's p-quantile, frozen from history. To advance, the candidate must exceed
``ratio * tau`` less often than the incumbent exceeds ``tau``; harm is exceeding ``tolerate * tau``
more often than the incumbent exceeds ``tau``. In the mirror both sides answer the same request and
the bets are paired. In a live split each request has one side, weighted by the inverse of its share
and centred by what is expected (``m = 1 - p``): without centring a skewed split looks like harm.

References
----------
.. [1] S. Howard, A. Ramdas, "Sequential estimation of quantiles with applications to A/B testing and
   best-arm identification", Bernoulli 28(3), 2022.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headgate.errors import EvidenceError
from headgate.stats.betting import Batches, Bet, FloatArray, log_wealth
from headgate.stats.hours import Hours, hourly_evidence
from headgate.stats.mixture import mixture, mixture_from_any_start


@dataclass(frozen=True, slots=True)
class Quantile:
    """Which quantile is compared, and how much slower is bad.

    Attributes
    ----------
    p
        The quantile, in (0, 1), e.g. 0.95.
    ratio
        A candidate this many times slower is bad, > 1.
    tolerate
        A candidate up to this many times slower is fine, >= 1.
    """

    p: float
    ratio: float
    tolerate: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.p < 1 and self.ratio > 1 and self.tolerate >= 1):
            raise EvidenceError(
                f"latency needs a quantile in (0, 1), ratio > 1 and tolerate >= 1, got {self}"
            )

    @property
    def exceeding(self) -> float:
        """The incumbent's expected share above tau: m = 1 - p."""
        return 1 - self.p

    def trust(self, side: float = 1.0) -> float:
        """Return the requests in which a side of this share exceeds tau five times.

        So many the design's variance counts for; `Bet` says why.
        """
        return 5 / (self.exceeding * side)

    def other(self, *, harm: bool) -> float:
        """Return the candidate's share that exceeds at the design: when equal, or when harmful.

        The reference's tail F is not kept, so it is taken as exponential, ``F(x tau) = m ** x``. Real
        tails differ: that costs speed, never validity. A harmful candidate is ``ratio`` times slower;
        where ``tolerate`` reaches ``ratio``, that much slower than what is tolerated.

        Examples
        --------
        >>> Quantile(p=0.95, ratio=1.25).other(harm=False), Quantile(p=0.95, ratio=1.25).other(harm=True)
        (0.0236, 0.0910)
        """
        if not harm:
            return math.pow(self.exceeding, self.ratio)
        slower = self.ratio if self.ratio > self.tolerate else self.ratio * self.tolerate
        return math.pow(self.exceeding, self.tolerate / slower)

    def distance(self, *, harm: bool) -> float:
        """Return the design distance of the bets: how far `other` is from m."""
        return abs(self.other(harm=harm) - self.exceeding)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Mirrored requests per batch, all of shape (..., T): how many, and the discordant pairs of one bet.

    ``candidate`` counts pairs where only the candidate was too slow, ``incumbent`` the reverse.
    """

    n: FloatArray
    candidate: FloatArray
    incumbent: FloatArray

    def __post_init__(self) -> None:
        rest = self.n - self.candidate - self.incumbent
        if not bool(np.all((self.candidate >= 0) & (self.incumbent >= 0) & (rest >= 0))):
            raise EvidenceError("a mirrored hour holds more discordant pairs than pairs, or a negative count")


def pair_evidence(
    pairs: Pairs, quantile: Quantile, *, harm: bool, variance: float | None = None, any_start: bool = True
) -> FloatArray:
    """Return log E after each batch of mirrored requests, shape (..., T).

    Parameters
    ----------
    pairs
        Held against ``tolerate * tau`` for harm, against ``ratio * tau`` for advancing.
    quantile
        The design.
    harm
        Bet that the candidate is slower (start times apply), or that it is not.
    variance
        Second moment of the bets expected before any data; None: the discordant pairs at the design.
    any_start
        Whether harm may begin at any batch.
    """
    gains, losses = (pairs.candidate, pairs.incumbent) if harm else (pairs.incumbent, pairs.candidate)
    values = np.stack([np.ones_like(pairs.n), -np.ones_like(pairs.n), np.zeros_like(pairs.n)])
    counts = np.stack([gains, losses, pairs.n - gains - losses])
    if variance is None:
        ours, theirs = quantile.other(harm=harm), quantile.exceeding
        variance = ours * (1 - theirs) + theirs * (1 - ours)
    bet = Bet(quantile.distance(harm=harm), bound=1.0, variance=variance, trust=quantile.trust())
    wealth = log_wealth(Batches(values, counts), bet)
    return mixture_from_any_start(wealth) if harm and any_start else mixture(wealth)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Live requests per batch: counts of each side, of its exceedances, and the share in force.

    All of shape (..., T); ``share`` is the candidate's, in (0, 1).
    """

    n1: FloatArray
    slow1: FloatArray
    n0: FloatArray
    slow0: FloatArray
    share: FloatArray

    def __post_init__(self) -> None:
        counts = (self.slow1 >= 0) & (self.slow1 <= self.n1) & (self.slow0 >= 0) & (self.slow0 <= self.n0)
        if not bool(np.all(counts)):
            raise EvidenceError("an hour holds more slow requests than requests, or a negative count")
        if not bool(np.all((self.share > 0) & (self.share < 1))):
            raise EvidenceError("a live split needs a share above 0 and below 100 %: found one outside")


def split_evidence(
    split: Split, quantile: Quantile, *, harm: bool, variance: float | None = None, any_start: bool = True
) -> FloatArray:
    r"""Return log E after each batch of live requests, shape (..., T).

    Parameters
    ----------
    split
        Counts, with ``slow1`` above ``tolerate * tau`` for harm, above ``ratio * tau`` for advancing.
    quantile
        The design.
    harm, any_start
        As in `pair_evidence`.
    variance
        None: that of the design at the first batch's share.

    Notes
    -----
    :math:`\xi = (A/\pi)(1\{c\} - m) - ((1-A)/(1-\pi))(1\{i\} - m)` for harm, else its negative, and
    m = 1 - p. The bound follows each batch's share.
    """
    centre, sign = quantile.exceeding, 1.0 if harm else -1.0
    ours, theirs = sign / split.share, -sign / (1 - split.share)
    values = np.stack([ours * (1 - centre), -ours * centre, theirs * (1 - centre), -theirs * centre])
    counts = np.stack([split.slow1, split.n1 - split.slow1, split.slow0, split.n0 - split.slow0])
    first = float(split.share.flat[0]) if split.share.size else 0.5
    if variance is None:
        slow = quantile.other(harm=harm)
        spread = slow * (1 - centre) ** 2 + (1 - slow) * centre**2
        variance = spread / first + centre * (1 - centre) / (1 - first)
    trust = quantile.trust(min(first, 1 - first))
    bet = Bet(quantile.distance(harm=harm), np.max(-values, axis=0), variance, trust)
    wealth = log_wealth(Batches(values, counts), bet)
    return mixture_from_any_start(wealth) if harm and any_start else mixture(wealth)


def pair_hours(pairs: Pairs) -> Hours:
    """Return each hour's mean difference, candidate minus incumbent, of mirrored requests."""
    discordant = np.cumsum(pairs.candidate + pairs.incumbent, axis=-1)
    total = np.maximum(np.cumsum(pairs.n, axis=-1), 1)
    mean = np.cumsum(pairs.candidate - pairs.incumbent, axis=-1) / total
    spread = np.cumsum(pairs.n > 0, axis=-1) * (discordant / total - mean * mean)
    return Hours((pairs.candidate - pairs.incumbent) / np.maximum(pairs.n, 1), pairs.n, spread, discordant)


def split_hours(split: Split) -> Hours:
    """Return each hour's difference of the sides' slow shares, candidate minus incumbent.

    An hour needs both sides. Given how many each side got, equal sides differ by 0 in the mean: there
    is nothing to weight or to centre, and the difference lies in [-1, 1] whatever the share.
    """
    both = (split.n1 > 0) & (split.n0 > 0)
    n1, n0 = np.where(both, split.n1, 0.0), np.where(both, split.n0, 0.0)
    slow1, slow0 = np.where(both, split.slow1, 0.0), np.where(both, split.slow0, 0.0)
    n = np.maximum(n1 + n0, 1)
    hits1, hits0 = np.cumsum(slow1, axis=-1), np.cumsum(slow0, axis=-1)
    rate1 = hits1 / np.maximum(np.cumsum(n1, axis=-1), 1)
    rate0 = hits0 / np.maximum(np.cumsum(n0, axis=-1), 1)
    # The variance v1/n1 + v0/n0 times the weight n1 n0 / n.
    spread = rate1 * (1 - rate1) * np.cumsum(n0 / n, axis=-1)
    spread = spread + rate0 * (1 - rate0) * np.cumsum(n1 / n, axis=-1)
    value = slow1 / np.maximum(n1, 1) - slow0 / np.maximum(n0, 1)
    # The smaller side's events make the noise: the larger side's mean hardly varies.
    return Hours(value, n1 * n0 / n, spread, np.minimum(hits1, hits0))


def hourly(seen: Hours, *, harm: bool, any_start: bool = True) -> FloatArray:
    """Return log E by the hour, of `pair_hours` or `split_hours`: each hour is one difference."""
    return hourly_evidence(seen.value if harm else -seen.value, 1.0, any_start=harm and any_start)
