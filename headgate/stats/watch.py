r"""After 100 %: an alarm for harm that begins late, chosen by how rarely it may be false.

A test that lasts for ever must spend less and less on each new start. A detector does not: it forgets a
good past at once and asks only how the evidence has grown since the best moment to have begun. The price
is that it controls the *run length*, how long a fine candidate goes without a false alarm in the mean.
It does not control a chance of error: a fine candidate that is watched for ever is called harmful some
day. So it warns and pauses, and never rolls back by itself.

References
----------
.. [1] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change
   detection", arXiv:2203.03532, 2022; New England Journal of Statistics in Data Science 2(2), 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np

from headgate.errors import EvidenceError
from headgate.stats.betting import FloatArray
from headgate.stats.mixture import CAPITAL, mixture

#: Batches that a fine candidate goes at least without a false alarm, in the mean.
RUN_LENGTH = 1_000


def e_cusum(log_wealths: FloatArray, capital: Sequence[float] = CAPITAL) -> FloatArray:
    r"""Return the log of the detector's statistic after each batch, shape (..., T).

    Parameters
    ----------
    log_wealths
        Log-capital of each bet on harm since the watch began, shape (K, ..., T), as those of
        `headgate.stats.betting.log_wealth`: stakes known before each batch.
    capital
        Share of each bet, K numbers that sum to at most 1.

    Notes
    -----
    Per bet :math:`M_t = \max(M_{t-1}, 1) \cdot e_t`, with :math:`e_t` what the bet multiplied its capital
    by in batch t and :math:`M_0 = 0` ([1]_, e-CUSUM), which is :math:`\log M_t = L_t - \min_{s<t} L_s`,
    :math:`L_0 = 0`. A mixture of e-detectors is one: while the candidate is fine, that is while no
    batch's expected harm given the past is above 0, :math:`E[M_\tau] \le E[\tau]` at every stopping
    time, so the mean time until M first reaches c is at least c batches.

    Examples
    --------
    >>> down_then_up = np.array([[-1.0, -2.0, -1.0, 0.0]])
    >>> e_cusum(down_then_up, capital=(1.0,))  # a good start is forgotten
    array([-1., -1., 1., 2.])
    """
    before = np.concatenate([np.zeros_like(log_wealths[..., :1]), log_wealths[..., :-1]], axis=-1)
    return mixture(log_wealths - np.minimum.accumulate(before, axis=-1), capital)


def log_alarm(run_length: float = RUN_LENGTH, level: float = 1.0) -> float:
    """Return the log of the statistic at which the alarm is raised.

    Parameters
    ----------
    run_length
        Batches between false alarms in the mean, at least; > 1.
    level
        What resumes left of it: at half the level false alarms are half as frequent. In (0, 1].

    Examples
    --------
    >>> round(log_alarm(), 2), round(log_alarm(level=0.5), 2)
    (6.91, 7.6)
    """
    if not run_length > 1 or not 0 < level <= 1:
        raise EvidenceError(
            f"a detector needs a run length above 1 and a level in (0, 1], got {run_length}, {level}"
        )
    return log(run_length / level)


def onset(log_wealths: FloatArray, batch: int) -> int:
    """Return the batch with which the harm began that is seen at ``batch``: the best start of any bet.

    Parameters
    ----------
    log_wealths
        As in `e_cusum`, of one run: shape (K, T).
    batch
        Index of the look, counted from 0.

    Examples
    --------
    >>> onset(np.array([[-1.0, -2.0, -1.0, 0.0]]), batch=3)
    2
    """
    before = np.concatenate([np.zeros_like(log_wealths[:, :1]), log_wealths[:, :batch]], axis=-1)
    best = int(np.argmax(log_wealths[:, batch] - np.min(before, axis=-1)))
    return int(np.argmin(before[best]))
