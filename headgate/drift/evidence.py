r"""How sure one can be that a window differs by more than windows do: e-values by tilting.

The effect of a window is a debiased squared distance ``x = d - dof / n``: d a chi-square distance between
the window and the reference over fixed cells (for small differences the PSI), n = 1 / (1/n_ref + 1/n_cur).
Given the window's true distance, ``n d`` is noncentral chi-square. The true distance itself is not zero
without drift: Mondays are not Sundays, and the requests of a stormy day share the storm. Ordinary windows
are taken to wander no more than an exponential variable with mean ``wander`` does, by its moments: every
law dominated by it will do. Both together have the moment generating function :math:`\varphi` below, so

.. math:: e_s = \exp(s x) / \varphi(s)

has mean at most 1 given the past while nothing drifts, at every s. Such e-values multiply over windows,
mix over s and over the window with which a drift begins, and average over columns, under any dependence
between columns. Their mixture reaches 1/alpha with chance at most alpha, however often one looks (Ville).

References
----------
.. [1] A. Ramdas, P. Grünwald, V. Vovk, G. Shafer, "Game-theoretic statistics and safe anytime-valid
   inference", Statistical Science 38(4), 2023.
.. [2] R. Wang, A. Ramdas, "False discovery rate control with e-values", Journal of the Royal Statistical
   Society B 84(3), 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, log

import numpy as np

from headgate.errors import EvidenceError
from headgate.stats.betting import FloatArray

#: Tilts as parts of the largest possible one, and their shares of the capital.
TILTS = (0.25, 0.5, 0.75, 0.9, 0.97)
CAPITAL = (0.1, 0.2, 0.3, 0.25, 0.15)
#: Designs of the domain classifier's bets: by how much its AUC passes what is tolerated.
LEADS = (0.01, 0.02, 0.05, 0.1, 0.2)


def log_tilts(effect: float, *, dof: float, n: float, wander: float) -> FloatArray:
    r"""Return the logarithms of one window's e-values, one per tilt.

    Parameters
    ----------
    effect
        Debiased squared distance of the window, finite.
    dof
        Degrees of freedom of the distance, > 0.
    n
        1 / (1/n_ref + 1/n_cur), > 0.
    wander
        Mean effect that windows have without drift, > 0.

    Returns
    -------
    numpy.ndarray
        Shape (5,), finite.

    Notes
    -----
    :math:`\log\varphi(s) = -s\,dof/n - \tfrac{dof}{2}\log(1 - 2s/n) -
    \log\{1 - s\,wander/(1 - 2s/n)\}` for :math:`s < 1/(wander + 2/n)`.

    Examples
    --------
    >>> log_tilts(0.0, dof=9, n=1_000, wander=0.004).round(2).tolist()  # an ordinary window costs a little
    [-0.22, -0.58, -1.27, -2.2, -3.42]
    >>> log_tilts(0.25, dof=9, n=1_000, wander=0.004).round(1).tolist()  # half a standard deviation
    [10.2, 20.3, 30.0, 35.3, 37.0]
    """
    if not (np.isfinite(effect) and dof > 0 and n > 0 and wander > 0):
        raise EvidenceError(f"an effect needs finite sums, got {effect}, dof {dof}, n {n}, wander {wander}")
    part = np.asarray(TILTS)
    s = part / (wander + 2 / n)
    left = 1 - 2 * s / n
    log_moment = -s * dof / n - dof / 2 * np.log(left) + np.log(left) - np.log(left - s * wander)
    return np.asarray(s * effect - log_moment, dtype=np.float64)


def log_leads(auc: float, *, tolerated: float, n: int) -> FloatArray:
    r"""Return the logarithms of e-values against "the AUC is at most what is tolerated", one per design.

    Parameters
    ----------
    auc
        Of a classifier on rows it has not seen, 0 to 1.
    tolerated
        What ordinary windows may have.
    n
        The smaller number of rows of the two sides that it was tested on, >= 1.

    Notes
    -----
    A two-sample U-statistic of a kernel in [0, 1] is sub-Gaussian with variance factor
    :math:`\sigma^2 = 1/(4n)` (Hoeffding 1963, section 5), so
    :math:`\exp\{l (A - a)/\sigma^2 - l^2/(2\sigma^2)\}` has mean at most 1 at every l.

    Examples
    --------
    >>> log_leads(0.7, tolerated=0.55, n=500).round(1).tolist()
    [2.9, 5.6, 12.5, 20.0, 20.0]
    """
    if n < 1 or not 0 <= auc <= 1:
        raise EvidenceError(f"an AUC in [0, 1] on at least one row is needed, got {auc} on {n}")
    lead = np.asarray(LEADS)
    return np.asarray(4 * n * (lead * (auc - tolerated) - lead * lead / 2), dtype=np.float64)


def carried(before: FloatArray, window: FloatArray, starts: int) -> FloatArray:
    """Return the log-capital of each tilt after a window: what was there and what begins now, multiplied.

    Parameters
    ----------
    before, window
        Log-capital that has begun, shape (K,), ``-inf`` where none has; the window's log e-values.
    starts
        Windows of a year: each is the start of an equal part of the capital.
    """
    return np.asarray(np.logaddexp(before, -log(starts)) + window, dtype=np.float64)


def log_evidence(capital: FloatArray, *, windows: int, starts: int) -> float:
    """Return log E of one course: tilts mixed, and what has not begun yet kept as it is.

    Examples
    --------
    >>> nothing = np.full(5, -inf)
    >>> log_evidence(nothing, windows=0, starts=365)
    0.0
    """
    idle = max(0.0, 1 - windows / starts)
    terms = [*(np.log(CAPITAL) + capital), log(idle) if idle else -inf]
    return float(np.logaddexp.reduce(terms))


def log_mean(terms: Sequence[float]) -> float:
    """Return the logarithm of the mean of e-values given as logarithms."""
    return float(np.logaddexp.reduce(list(terms))) - log(len(terms))


def named(log_e: Mapping[str, float], weights: Mapping[str, float], alpha: float) -> frozenset[str]:
    """Return the columns that e-BH names: the false discovery rate is at most alpha ([2]_, with weights).

    Parameters
    ----------
    log_e
        Log e-value of every column of the family.
    weights
        Their parts of the budget; they sum to the number of columns.
    alpha
        In (0, 1). If nothing drifted the chance that this ever names a column is at most alpha too, for
        e-values that are one course each: naming any takes a weighted mean of at least 1/alpha.

    Examples
    --------
    >>> sorted(named({"a": 9.0, "b": 4.2, "c": 0.0}, {"a": 1, "b": 1, "c": 1}, 0.05))
    ['a', 'b']
    """
    order = sorted(log_e, key=lambda name: -(log_e[name] + log(weights[name])))
    for k in range(len(order), 0, -1):
        last = order[k - 1]
        if log_e[last] + log(weights[last]) >= asked(len(order), k, alpha):
            return frozenset(order[:k])
    return frozenset()


def asked(family: int, k: int, alpha: float) -> float:
    """Return the log of the weighted e-value that the k-th named column needs."""
    return log(family / (k * alpha))
