r"""Evidence about a loss of which each entity shows one side's alone: the two arms of a live split.

The difference of the arms' means is weighed by :math:`X = (A/\hat\pi - (1-A)/(1-\hat\pi))(Y - m)`, with Y
the entity's loss, A = 1 where it is the candidate's, m the incumbent's mean of *earlier* batches and
:math:`\hat\pi = n_1/(n_1+n_0)` the share of the batch's entities that is the candidate's. Everything is
conditional on how many entities each side got, which says nothing about losses. That buys three things:

- The mean of X over a batch is the difference of the arms' means in that batch, whatever m is. A split
  that is skewed, or a centre that is wrong in the first batch, cannot look like harm or like its absence:
  weighed by the configured share, uncentred losses roll back 88-100 % of equal candidates at a skew of a
  tenth. What the traffic of a day does to both sides alike cancels too.
- A block's value, the mean of its X, is bounded by the range of the loss, and not by that over the share.
- The share may change from batch to batch.

It costs about 1/n of the evidence in batches of n entities: pool small ones. Given the counts,
:math:`E \prod (1 + \lambda \xi) \le \exp(\lambda E \sum \xi) \le 1` for independent entities under the
claim, so a batch may bet on each of them (*units*); otherwise it bets once on their mean (*blocks*).

Time is the last axis, runs are in front of it, as everywhere in here.

References
----------
.. [1] I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting",
   Journal of the Royal Statistical Society B 86(1), 2024.
.. [2] M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headgate.stats.arms import Arms, Design, Known, differences
from headgate.stats.betting import Batches, FloatArray, known_before, staked
from headgate.stats.mixture import mixture, mixture_from_any_start

__all__ = [
    "Arms",
    "BoolArray",
    "Design",
    "block_evidence",
    "block_wealth",
    "differences",
    "unit_evidence",
    "unit_wealth",
]

BoolArray = NDArray[np.bool_]

#: Skewness lowers a stake to this part of what it would be at most.
_WARIEST = 4.0
#: Blocks that the spread predicted from their entities counts for, against what blocks really vary.
_TRUST_IN_BLOCKS = 2.0


def unit_wealth(arms: Arms, design: Design, *, harm: bool, counted: BoolArray | None = None) -> FloatArray:
    r"""Return the log-capital of each bet after each batch, every entity a factor of its own.

    Parameters
    ----------
    arms
        Losses by side. A batch in which one side has nobody is not bet on.
    design
        Margin, range and expectations.
    harm
        Bet on X, that the candidate is worse; else on margin - X, that it is not by the margin.
    counted
        Which batches are bet on, shape (..., T) or (T,); the others only tell what to expect of later
        ones. None: all.

    Returns
    -------
    numpy.ndarray
        Shape (K, ..., T).

    Notes
    -----
    :math:`\lambda_k = \mathrm{clip}(c_k d / (v + a + d^2), 0, 0.9 / \mathrm{bound})` with
    :math:`v = s_1/\hat\pi + s_0/(1-\hat\pi)`, s the second moments of Y - m on each side in earlier
    batches, and bound the largest possible :math:`-\xi`: for harm the larger of
    :math:`(m - low)/\hat\pi` and :math:`(high - m)/(1-\hat\pi)`. The best stake solves
    :math:`d - \lambda v + \lambda^2 t = 0` to the second order, t the third moment of :math:`\xi`, so
    :math:`a = -dt/v`, where that makes the bet smaller: proving a rare loss rare, few large losses are
    bet against with many small gains, and without it a share of 5 % takes a quarter longer.
    """
    known = Known.of(arms, design)
    n1, n0, live = _sizes(arms, counted)
    share = np.where(live, n1 / np.maximum(n1 + n0, 1), 0.5)
    ours = (arms.candidate.values - known.centre) / share
    theirs = (known.centre - arms.incumbent.values) / (1 - share)
    above, below = design.high - known.centre, known.centre - design.low
    if harm:
        bound = np.maximum(below / share, above / (1 - share))
    else:
        ours, theirs = design.margin - ours, design.margin - theirs
        bound = np.maximum(above / share, below / (1 - share)) - design.margin
    counts = np.concatenate([arms.candidate.counts, arms.incumbent.counts])
    bets = Batches(np.where(counts > 0, np.concatenate([ours, theirs]), 0.0), np.where(live, counts, 0.0))
    variance = known.ours / share + known.theirs / (1 - share)
    skewness = known.ours_cubed / share**2 - known.theirs_cubed / (1 - share) ** 2
    distance = design.distance(harm=harm)
    away = distance * np.where(harm, -skewness, skewness) / variance
    wary = variance + np.clip(away, 0.0, (_WARIEST - 1) * variance)
    return staked(bets, np.where(live, distance / (wary + distance * distance), 0.0), bound)


def block_wealth(arms: Arms, design: Design, *, harm: bool, counted: BoolArray | None = None) -> FloatArray:
    r"""Return the same with one factor per block: the difference of the arms' means in it, not clipped.

    Notes
    -----
    That is the mean of X over the block, in [-range, range]. Its second moment is taken as
    :math:`k (s_1/n_1 + s_0/n_0)`, k what earlier blocks showed of the value's square over that: what
    entities of a block share makes k large, and small blocks are believed less than large ones.
    """
    known = Known.of(arms, design)
    n1, n0, live = _sizes(arms, counted)
    filled = (n1 > 0) & (n0 > 0)
    value = np.where(filled, differences(arms), 0.0)
    predicted = known.ours / np.maximum(n1, 1) + known.theirs / np.maximum(n0, 1)
    ratio = np.where(filled, value * value / predicted, 0.0)
    seen = known_before(filled.astype(np.float64))
    shared = (_TRUST_IN_BLOCKS + known_before(ratio)) / (_TRUST_IN_BLOCKS + seen)
    distance = design.distance(harm=harm)
    best = np.where(live, distance / (shared * predicted + distance * distance), 0.0)
    if harm:
        return staked(Batches.single(value), best, design.spread)
    bets = np.where(live, design.margin - value, 0.0)
    return staked(Batches.single(bets), best, design.spread - design.margin)


def unit_evidence(
    arms: Arms, design: Design, *, harm: bool, counted: BoolArray | None = None, any_start: bool = True
) -> FloatArray:
    """Return log E after each batch of independent entities, shape (..., T).

    Parameters
    ----------
    arms, design, harm, counted
        As in `unit_wealth`.
    any_start
        Whether harm may begin at any batch.

    Examples
    --------
    >>> ours, theirs = (Batches(np.array([[0.0], [1.0]]), np.array([[n - x], [x]]))
    ...                 for n, x in ((500, 50), (500, 52)))
    >>> unit_evidence(Arms(ours, theirs), Design(margin=0.1), harm=False)
    array([4.62])
    """
    wealth = unit_wealth(arms, design, harm=harm, counted=counted)
    return mixture_from_any_start(wealth) if harm and any_start else mixture(wealth)


def block_evidence(
    arms: Arms, design: Design, *, harm: bool, counted: BoolArray | None = None, any_start: bool = True
) -> FloatArray:
    """Return log E after each block, each a single value, shape (..., T).

    Parameters
    ----------
    arms, design, harm, counted, any_start
        As in `unit_evidence`.
    """
    wealth = block_wealth(arms, design, harm=harm, counted=counted)
    return mixture_from_any_start(wealth) if harm and any_start else mixture(wealth)


def _sizes(arms: Arms, counted: BoolArray | None) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return entities of each side, and which batches are bet on."""
    n1, n0 = arms.candidate.units(), arms.incumbent.units()
    live = (n1 > 0) & (n0 > 0)
    return n1, n0, live if counted is None else live & counted
