r"""Evidence about a rate against a ceiling: errors, fallbacks, requests that were not covered.

The rate is bet against with likelihood ratios, ``p1`` against the ceiling ``p0``: below it to prove
the rate fine, above it to prove it harmful. Counts are integers, so any partitioning of an hour gives
the same bits.

References
----------
.. [1] A. Wald, "Sequential Tests of Statistical Hypotheses", Annals of Mathematical Statistics 16, 1945.
.. [2] H. Robbins, "Statistical Methods Related to the Law of the Iterated Logarithm", ibid. 41, 1970.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from headgate.errors import EvidenceError
from headgate.stats.betting import FloatArray
from headgate.stats.hours import SHARES, Hours, hourly_evidence, hourly_wealth
from headgate.stats.mixture import mixture, mixture_from_any_start

Counts = Sequence[int] | FloatArray

#: Alternatives as multiples of the ceiling.
ADVANCE_RATIOS = (0.75, 0.5, 0.25, 0.05)
ROLLBACK_RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)


def log_likelihood_ratios(
    events: Counts,
    requests: Counts,
    ceiling: float,
    ratios: Sequence[float],
) -> FloatArray:
    r"""Return the log likelihood ratio of each alternative after each batch.

    Parameters
    ----------
    events, requests
        Counts per batch in order of time, shape (..., T), ``events <= requests``.
    ceiling
        The rate p0 to tell from, in (0, 1).
    ratios
        Alternatives :math:`p_1 = \min(r p_0, (1 + p_0) / 2)`.

    Returns
    -------
    numpy.ndarray
        Shape (K, ..., T).

    Raises
    ------
    EvidenceError
        If the counts or the ceiling make no rate.

    Examples
    --------
    >>> log_likelihood_ratios([0], [100], ceiling=0.01, ratios=[0.05])  # 100 clean requests
    array([[0.955]])
    """
    x, n = np.asarray(events, dtype=np.float64), np.asarray(requests, dtype=np.float64)
    if not 0 < ceiling < 1:
        raise EvidenceError(f"a rate is held against a ceiling in (0, 1), got {ceiling}")
    if not bool(np.all((x >= 0) & (x <= n))):
        raise EvidenceError("a batch holds more events than requests, or a negative count")
    hits, misses = np.cumsum(x, axis=-1), np.cumsum(n - x, axis=-1)
    rows = []
    for ratio in ratios:
        rate = min(ratio * ceiling, (1 + ceiling) / 2)
        rows.append(hits * math.log(rate / ceiling) + misses * math.log((1 - rate) / (1 - ceiling)))
    return np.stack(rows)


def capital(ratios: Sequence[float], design: float) -> tuple[float, ...]:
    """Return each alternative's share: half to the one nearest the design, the rest alike.

    Parameters
    ----------
    ratios
        Alternatives as multiples of the ceiling, > 0.
    design
        The multiple that is expected, >= 0. It changes speed, never validity.

    Examples
    --------
    >>> capital((0.75, 0.5, 0.05), design=0.0)
    (0.25, 0.25, 0.5)
    """
    nearest = min(ratios, key=lambda ratio: (abs(math.log(ratio / max(design, 1e-9))), ratio))
    rest = 0.5 / (len(ratios) - 1)
    return tuple(0.5 if ratio == nearest else rest for ratio in ratios)


def advance_evidence(events: Counts, requests: Counts, ceiling: float, expected: float = 0.0) -> FloatArray:
    """Return log E against "the rate is at or above its ceiling" after each batch, shape (..., T).

    Parameters
    ----------
    events, requests
        Counts per batch, shape (..., T).
    ceiling
        The rate in (0, 1) that must not be reached.
    expected
        The rate that is expected, 0 <= expected < ceiling; it changes speed only.

    Raises
    ------
    EvidenceError
        If the counts make no rate or nothing better than the ceiling is expected.

    Examples
    --------
    >>> advance_evidence([0], [400], 0.01)  # log(20) = 3 would do
    array([3.33])
    """
    if not 0 <= expected < ceiling:
        raise EvidenceError(
            f"the expected rate must be at least 0 and below {ceiling:.4g}, got {expected:.4g}"
        )
    paid = log_likelihood_ratios(events, requests, ceiling, ADVANCE_RATIOS)
    return mixture(paid, capital(ADVANCE_RATIOS, expected / ceiling))


def rollback_bets(
    events: Counts, requests: Counts, ceiling: float, harm: float | None = None
) -> tuple[FloatArray, tuple[float, ...]]:
    """Return the log-capital of each bet on harm, shape (K, ..., T), and its share of the whole.

    Parameters
    ----------
    events, requests, ceiling
        As in `advance_evidence`.
    harm
        Excess over the ceiling that is to be found fast, > 0; None: the ceiling again.
    """
    if harm is not None and harm <= 0:
        raise EvidenceError(f"harm must be above 0, got {harm}")
    design = 2.0 if harm is None else 1 + harm / ceiling
    paid = log_likelihood_ratios(events, requests, ceiling, ROLLBACK_RATIOS)
    return paid, capital(ROLLBACK_RATIOS, design)


def rollback_evidence(
    events: Counts,
    requests: Counts,
    ceiling: float,
    harm: float | None = None,
    *,
    any_start: bool = True,
) -> FloatArray:
    """Return log E against "the rate is at or below its ceiling" after each batch, shape (..., T).

    Parameters
    ----------
    events, requests, ceiling, harm
        As in `rollback_bets`.
    any_start
        Whether harm may begin at any batch.

    Examples
    --------
    >>> rollback_evidence([10], [200], 0.01, any_start=False)  # 5 % where 1 % is allowed
    array([6.40])
    """
    mix = mixture_from_any_start if any_start else mixture
    return mix(*rollback_bets(events, requests, ceiling, harm))


def hours(events: Counts, requests: Counts) -> Hours:
    """Return each hour's rate, and how far independent requests at the pooled rate would spread it.

    Parameters
    ----------
    events, requests
        Counts per hour in order of time, shape (..., T). An hour without requests says nothing.
    """
    x, n = np.asarray(events, dtype=np.float64), np.asarray(requests, dtype=np.float64)
    hits, total = np.cumsum(x, axis=-1), np.cumsum(n, axis=-1)
    rate = hits / np.maximum(total, 1)
    spread = np.cumsum(n > 0, axis=-1) * rate * (1 - rate)
    return Hours(x / np.maximum(n, 1), n, spread, np.minimum(hits, total - hits))


def hourly(seen: Hours, ceiling: float, *, harm: bool, any_start: bool = True) -> FloatArray:
    """Return log E by the hour: each hour is one value, its rate, however its requests hang together.

    Parameters
    ----------
    seen
        Of `hours`.
    ceiling
        As in `advance_evidence`; the claim is about the mean of hourly rates.
    harm, any_start
        Against "at or below the ceiling" (harm may begin at any hour), or "at or above" it.
    """
    if harm:
        return (mixture_from_any_start if any_start else mixture)(*hourly_bets(seen, ceiling))
    return hourly_evidence(np.where(seen.seen, ceiling - seen.value, 0.0), 1 - ceiling, any_start=False)


def hourly_bets(seen: Hours, ceiling: float) -> tuple[FloatArray, tuple[float, ...]]:
    """Return what `rollback_bets` does by the hour: log-capital of each stake, and its share."""
    return hourly_wealth(np.where(seen.seen, seen.value - ceiling, 0.0), ceiling), SHARES
