r"""Do probabilities mean what they say? Bets per bin, against "of those told 0.3, three in ten are".

The claim is ``E[y - p] = 0`` within every bin of predicted probabilities. Each of the B bins gets two
bets, that outcomes happen more often than told and that they happen less often, on the mean of y - p
of each block. The mean of the 2 B e-values is an e-value whatever hangs together, so its evidence is
valid at every look. A failure is a diagnosis and no gate: a candidate can be off and still be better.

References
----------
.. [1] S. Arnold, A. Henzi, J. Ziegel, "Sequentially valid tests for forecast calibration", Annals of
   Applied Statistics 17(3), 2023.
"""

from __future__ import annotations

import numpy as np

from headgate.errors import EvidenceError
from headgate.stats.betting import Batches, Bet, FloatArray, log_wealth
from headgate.stats.mixture import mixture_from_any_start
from headgate.stats.segments import log_mean

#: Bins of equal width over [0, 1].
BINS = 10
#: A gap of five points is worth finding; it tunes the bets and changes no validity.
GAP = 0.05
#: Second moment of a block's mean residual that is expected before any data: a tenth, squared.
VARIANCE = 0.01


def bin_evidence(residuals: FloatArray, seen: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log E of each bin's two bets after each block.

    Parameters
    ----------
    residuals
        Mean of y - p per bin and block, shape (B, T), bins of equal width over [0, 1]; the value is of no
        matter where nothing was seen.
    seen
        Requests per bin and block, shape (B, T).

    Returns
    -------
    tuple of numpy.ndarray
        (more often than told, less often than told), each of shape (B, T).

    Raises
    ------
    EvidenceError
        If a residual is not finite or cannot be of its bin.

    Examples
    --------
    >>> more, less = bin_evidence(np.full((1, 60), 0.1), np.ones((1, 60)))
    >>> bool(more[0, -1] > 3), bool(less[0, -1] < 0)
    (True, True)
    """
    if residuals.shape != seen.shape or residuals.ndim != 2:
        raise EvidenceError(f"residuals of shape {residuals.shape}, seen of shape {seen.shape}: not B x T")
    bins = len(residuals)
    counts = (seen > 0).astype(np.float64)
    values = np.where(seen > 0, residuals, 0.0)
    # p of bin i lies between i/B and (i+1)/B, so y - p lies between -(i+1)/B and 1 - i/B.
    lowest = np.repeat(np.arange(1, bins + 1)[:, np.newaxis] / bins, residuals.shape[1], axis=1)
    highest = np.repeat(1 - np.arange(bins)[:, np.newaxis] / bins, residuals.shape[1], axis=1)
    more, less = (
        mixture_from_any_start(
            log_wealth(Batches(sign * values[np.newaxis], counts[np.newaxis]), Bet(GAP, bound, VARIANCE))
        )
        for sign, bound in ((1.0, lowest), (-1.0, highest))
    )
    return more, less


def evidence(more: FloatArray, less: FloatArray) -> FloatArray:
    """Return log E against "every bin is calibrated", shape (T,), from what `bin_evidence` returned.

    Examples
    --------
    >>> evidence(np.zeros((10, 1)), np.zeros((10, 1)))
    array([0.])
    """
    bets = np.concatenate([more, less])
    return log_mean(bets, [1 / len(bets)] * len(bets))
