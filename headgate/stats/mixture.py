"""Bets together: the mixture that a gate reads, from the first batch on or from any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headgate.stats.betting import FloatArray, ordered_sum

#: Shares of the capital of the five bets of `headgate.stats.betting.BOLDNESS`.
CAPITAL = (0.1, 0.2, 0.4, 0.2, 0.1)


def mixture(log_wealths: FloatArray, capital: Sequence[float] = CAPITAL) -> FloatArray:
    """Return log E of the bets together: (K, ..., T) becomes (..., T).

    Examples
    --------
    >>> mixture(np.zeros((5, 1)))
    array([0.])
    """
    terms = log_wealths + np.log(np.asarray(capital)).reshape((-1,) + (1,) * (log_wealths.ndim - 1))
    top = np.max(terms, axis=0)
    return np.asarray(top + np.log(ordered_sum(np.exp(terms - top))), dtype=np.float64)


def log_start_weights(batches: int) -> FloatArray:
    """Return the logarithms of the start times' weights, 1/2 and then 1/(2t(t-1)); they sum to 1.

    Examples
    --------
    >>> np.exp(log_start_weights(3)).round(3).tolist()
    [0.5, 0.25, 0.083]
    """
    at = np.arange(1, batches + 1, dtype=np.float64)
    weights = np.full(batches, np.log(0.5))
    weights[1:] -= np.log(at[1:]) + np.log(at[1:] - 1)
    return weights


def mixture_from_any_start(log_wealths: FloatArray, capital: Sequence[float] = CAPITAL) -> FloatArray:
    r"""Return log E of the bets when the harm may begin at any batch.

    Each start time t gets its share ``s_t`` of the capital and bets from there on, so a good
    beginning does not have to be lost again before harm shows.

    Parameters
    ----------
    log_wealths
        Shape (K, ..., T), of bets that all began at the first batch.
    capital
        Share of each bet, K numbers that sum to at most 1.

    Returns
    -------
    numpy.ndarray
        log E after each batch, shape (..., T).

    Notes
    -----
    :math:`A_{k,t} = \log(e^{A_{k,t-1}} + s_t e^{-L_{k,t-1}})` and
    :math:`\log E = \mathrm{logsumexp}_k(\log w_k + A_{k,t} + L_{k,t})`.

    Examples
    --------
    >>> mixture_from_any_start(np.zeros((5, 2)))  # 1/2, then 1/2 + 1/4 of the capital is at stake
    array([-0.693, -0.288])
    """
    if log_wealths.shape[-1] == 0:
        return mixture(log_wealths, capital)
    before = np.concatenate([np.zeros_like(log_wealths[..., :1]), log_wealths[..., :-1]], axis=-1)
    started = np.logaddexp.accumulate(log_start_weights(before.shape[-1]) - before, axis=-1)
    return mixture(started + log_wealths, capital)
