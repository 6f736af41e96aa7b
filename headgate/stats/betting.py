r"""Testing by betting: evidence against a mean that stays valid however often it is looked at.

Somebody who does not believe the claim ``E[xi] <= 0`` bets on ``xi`` and multiplies a capital of one
by ``1 + lambda * xi`` per unit. If the claim is true the capital is a supermartingale, and the chance
that it *ever* reaches ``1 / alpha`` is at most ``alpha`` (Ville's inequality). Five bets, from
cautious to bold, share the capital; the mixture's logarithm is what a gate reads.

Time is the last axis of every array here, and axes in front of it are independent runs: the engine
that judges one rollout and the benchmark that judges thousands are the same functions. Sums over
values run in the order given and sums over time in order of time, so the same batches give the same
bits, and the first t batches give the first t numbers of any longer history.

References
----------
.. [1] I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting",
   Journal of the Royal Statistical Society B 86(1), 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headgate.errors import EvidenceError

FloatArray = NDArray[np.float64]

#: Boldness of the five bets as multiples of the design's best bet: see `headgate.stats.mixture.CAPITAL`.
BOLDNESS = (0.25, 0.5, 1.0, 2.0, 4.0)
#: No bet stakes more than this part of the capital on the worst value.
CAUTION = 0.9
#: Values may pass their bound by rounding, not by more than this part of it.
_ROUNDING = 1e-9
#: A gain beyond this is paid only so far: less than was won is always safe, infinity is not a number.
_MOST = 1e300


@dataclass(frozen=True, slots=True, eq=False)
class Bet:
    """What a gate bets on: its design. None of it changes validity but ``bound``.

    Attributes
    ----------
    distance
        The mean of ``xi`` that the bet is tuned for, > 0.
    bound
        The largest possible ``-xi``, > 0; an array (..., T) where it differs between batches.
    variance
        Second moment of ``xi`` expected before any data, > 0; None: the bound squared.
    trust
        Units that the expected second moment counts for. Two units of a rare event are hardly ever
        an event: without more trust the first quiet hour makes every bet far too bold.
    """

    distance: float
    bound: float | FloatArray
    variance: float | None = None
    trust: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.distance < np.inf:
            raise EvidenceError(
                f"a bet needs a design distance above 0, got {self.distance}: the margin must lie above what "
                "is expected (expect), and harm above 0"
            )
        if not bool(np.all(np.asarray(self.bound) > 0)):
            raise EvidenceError(f"a bet needs a bound above 0, got {self.bound}: nothing is left to prove")
        if self.variance is not None and not 0 < self.variance < np.inf:
            raise EvidenceError(f"the variance of a bet must be above 0 and finite, got {self.variance}")
        if not 0 < self.trust < np.inf:
            raise EvidenceError(f"the trust in a variance must be above 0 and finite, got {self.trust}")


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Batches of units in order of time, as values and how often each was seen.

    Attributes
    ----------
    values, counts
        Shape (m, ..., T): up to m distinct values per batch; unused places hold value 0, count 0.
    """

    values: FloatArray
    counts: FloatArray

    @staticmethod
    def single(values: Sequence[float] | FloatArray) -> Batches:
        """Return batches of one unit each, the blocks: (..., T) becomes (1, ..., T)."""
        column = np.asarray(values, dtype=np.float64)[np.newaxis]
        return Batches(column, np.ones_like(column))

    def units(self) -> FloatArray:
        """Return the units in each batch, shape (..., T)."""
        return ordered_sum(self.counts)


def log_wealth(batches: Batches, bet: Bet) -> FloatArray:
    r"""Return the log-capital of each bet after each batch.

    Parameters
    ----------
    batches
        Values of ``xi``, shape (m, ..., T).
    bet
        Design distance d, bound and second moment.

    Returns
    -------
    numpy.ndarray
        Shape (K, ..., T), one row per boldness, always finite.

    Raises
    ------
    EvidenceError
        If a value is not finite or passes the bound: then the capital could go negative.

    Notes
    -----
    :math:`L_k = \sum \log(1 + \lambda_k \xi)`, with
    :math:`\lambda_k = \mathrm{clip}(c_k d / (v + d^2), 0, 0.9 / \mathrm{bound})` and
    :math:`v = (t v_0 + \sum \xi^2) / (t + n)`, t the trust, over the batches before this one.

    Examples
    --------
    >>> paid = log_wealth(Batches.single([0.1, 0.1]), Bet(distance=0.1, bound=1.0))
    >>> paid[2]  # lambda is 0.1 / 1.01, then 0.1 / (2.01 / 3 + 0.01)
    array([0.0099, 0.0245])
    """
    _check(batches, bet.bound)
    worst = float(np.max(bet.bound, initial=0))
    start = worst * worst if bet.variance is None else bet.variance
    with np.errstate(over="ignore", divide="ignore"):
        squares = known_before(ordered_sum(batches.counts * batches.values**2))
        seen = known_before(batches.units())
        second_moment = (bet.trust * start + squares) / (bet.trust + seen)
        return _accumulate(batches, bet.distance / (second_moment + bet.distance * bet.distance), bet.bound)


def staked(batches: Batches, best: FloatArray, bound: float | FloatArray) -> FloatArray:
    """Return the log-capital of each bet as `log_wealth` does, the design's best stake given.

    Parameters
    ----------
    batches
        Values of ``xi``, shape (m, ..., T).
    best
        Stake per batch, >= 0, shape (..., T): known before the batch's values are, and 0 where nothing
        is bet.
    bound
        The largest possible ``-xi``, > 0; an array (..., T) where it differs between batches.

    Raises
    ------
    EvidenceError
        If a value is not finite or passes the bound.

    Examples
    --------
    >>> staked(Batches.single([0.1, 0.1]), np.array([0.0, 1.0]), bound=1.0)[1]
    array([0. , 0.0488])
    """
    _check(batches, bound)
    with np.errstate(over="ignore", divide="ignore"):
        return _accumulate(batches, best, bound)


def _accumulate(batches: Batches, best: FloatArray, bound: float | FloatArray) -> FloatArray:
    rows = []
    for boldness in BOLDNESS:
        stake = np.clip(boldness * best, 0, CAUTION / np.asarray(bound))
        won = np.minimum(stake * batches.values, _MOST)
        rows.append(np.cumsum(ordered_sum(batches.counts * np.log1p(won)), axis=-1))
    return np.stack(rows)


def _check(batches: Batches, bound: float | FloatArray) -> None:
    if not bool(np.all(np.isfinite(batches.values))) or not bool(np.all(batches.counts >= 0)):
        raise EvidenceError("a batch holds a value that is no finite number, or a negative count")
    worst = np.where(batches.counts > 0, -batches.values, 0)
    if bool(np.any(worst > np.asarray(bound) * (1 + _ROUNDING))):
        raise EvidenceError(f"a batch holds {-np.max(worst)}, below the bound of -{bound}")


def ordered_sum(parts: FloatArray) -> FloatArray:
    """Sum over the first axis strictly in order; `numpy.sum` would regroup with the shape."""
    total = np.zeros(parts.shape[1:])
    for part in parts:
        total = total + part
    return total


def known_before(increments: FloatArray) -> FloatArray:
    """Return sums over the earlier batches only: what is known before each batch."""
    done = np.cumsum(increments, axis=-1)
    return np.concatenate([np.zeros_like(done[..., :1]), done[..., :-1]], axis=-1)
