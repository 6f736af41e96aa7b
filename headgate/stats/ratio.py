r"""Evidence about the ratio of two rare rates: candidate's events over incumbent's, in a live split.

Of the events of a batch with exposures n1 and n0, the candidate's share is
:math:`p(r) = n_1 r / (n_1 r + n_0)` where its rate is r times the incumbent's; with the exposures at the
configured share that is :math:`\pi r / (\pi r + 1 - \pi)`. Bets on that share need no rate: whatever
makes events more or less frequent on both sides alike, between batches, cancels.

The exposures taken are those counted, not those configured. Conditional on n1 and n0 a split that is
skewed by a tenth does not look like ten per cent more events; with the configured share it would. Nor is
anything lost: the counts do not depend on what is counted among them.

Each alternative r' multiplies its capital by
:math:`(r'/r_0)^{e_1} ((n_1 r_0 + n_0)/(n_1 r' + n_0))^{e_1 + e_0}`.

References
----------
.. [1] M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022.
.. [2] H. Robbins, "Statistical Methods Related to the Law of the Iterated Logarithm", Annals of
   Mathematical Statistics 41, 1970 (mixtures).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from headgate.errors import EvidenceError
from headgate.stats.betting import FloatArray
from headgate.stats.mixture import mixture, mixture_from_any_start
from headgate.stats.rates import capital
from headgate.stats.unpaired import BoolArray

#: Alternatives as powers of the ratio: of the margin down to equal and better, of 1 up to harm and worse.
_BETTER, _WORSE = (-0.5, -1.0, -1.5, -2.0, -4.0), (0.5, 1.0, 1.5, 2.0, 4.0)
#: Alternatives of the interval, as multiples of the ratio it asks about.
_ANY = (1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0)
_LEAST, _MOST, _HALVINGS = 1e-4, 1e4, 40


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Entities of each side and events among them, per batch, all of shape (..., T).

    Events may be fractions: an entity's mean over its requests, in [0, 1].
    """

    n1: FloatArray
    e1: FloatArray
    n0: FloatArray
    e0: FloatArray

    def __post_init__(self) -> None:
        for n, e in ((self.n1, self.e1), (self.n0, self.e0)):
            if not bool(np.all((e >= 0) & (e <= n * (1 + 1e-9)))):
                raise EvidenceError("a batch holds more events than entities, or a negative count")


def ratio_wealth(
    events: Events, against: float, alternatives: Sequence[float], counted: BoolArray | None = None
) -> FloatArray:
    r"""Return the log-capital of each alternative against a ratio after each batch, shape (K, ..., T).

    Parameters
    ----------
    events
        Counts per batch in order of time.
    against
        The ratio r0 > 0 of the claim: at least it, for alternatives below; at most it, for those above.
    alternatives
        Ratios r' > 0.
    counted
        Which batches are bet on, shape (..., T) or (T,). None: all.

    Notes
    -----
    Given the exposures, with rates :math:`r_0 \mu` and :math:`\mu` the mean of the product over entities
    of :math:`1 + y (LR - 1)` is at most :math:`\exp(n_1 r_0 \mu (p'/p - 1) + n_0 \mu ((1-p')/(1-p) - 1))
    = 1`, and :math:`LR^y` is at most that factor for y in [0, 1].
    """
    if not against > 0 or not all(other > 0 for other in alternatives):
        raise EvidenceError(f"a ratio of rates is above 0, got {against} against {list(alternatives)}")
    found, nobody = [], events.n1 + events.n0 == 0
    for other in alternatives:
        # A batch of nobody has no event either: 1 stands in for its exposures.
        held, then = (np.where(nobody, 1.0, events.n1 * r + events.n0) for r in (against, other))
        paid = events.e1 * log(other / against) + (events.e1 + events.e0) * np.log(held / then)
        found.append(np.cumsum(paid if counted is None else np.where(counted, paid, 0.0), axis=-1))
    return np.stack(found)


def advance_evidence(events: Events, ratio: float, counted: BoolArray | None = None) -> FloatArray:
    """Return log E against "the candidate's rate is at least ``ratio`` times the incumbent's".

    Parameters
    ----------
    events, counted
        As in `ratio_wealth`.
    ratio
        The margin, > 1. Half the capital is on equal rates.

    Returns
    -------
    numpy.ndarray
        After each batch, shape (..., T).

    Examples
    --------
    >>> seen = Events(*(np.array([x]) for x in (5000.0, 50.0, 5000.0, 50.0)))
    >>> advance_evidence(seen, ratio=2.0)
    array([5.30])
    """
    _check(ratio)
    alternatives = [ratio ** (1 + power) for power in _BETTER]
    wealth = ratio_wealth(events, ratio, alternatives, counted)
    return mixture(wealth, capital(alternatives, 1.0))


def rollback_bets(
    events: Events, ratio: float, counted: BoolArray | None = None
) -> tuple[FloatArray, tuple[float, ...]]:
    """Return the log-capital of each bet on harm, shape (K, ..., T), and its share of the whole."""
    _check(ratio)
    alternatives = [ratio**power for power in _WORSE]
    return ratio_wealth(events, 1.0, alternatives, counted), capital(alternatives, ratio)


def rollback_evidence(
    events: Events, ratio: float, counted: BoolArray | None = None, *, any_start: bool = True
) -> FloatArray:
    """Return log E against "the candidate's rate is at most the incumbent's" after each batch.

    Parameters
    ----------
    events, counted
        As in `ratio_wealth`.
    ratio
        The harm that is to be found fast, > 1; half the capital is on it.
    any_start
        Whether harm may begin at any batch.

    Examples
    --------
    >>> seen = Events(*(np.array([x]) for x in (5000.0, 90.0, 5000.0, 45.0)))
    >>> rollback_evidence(seen, ratio=2.0, any_start=False)
    array([7.03])
    """
    wealth, shares = rollback_bets(events, ratio, counted)
    return (mixture_from_any_start if any_start else mixture)(wealth, shares)


def ratio_interval(events: Events, alpha: float = 0.05) -> tuple[float | None, float, float]:
    """Return the ratio of rates with limits that hold at every look; for people to read.

    Parameters
    ----------
    events
        Of one run, all of shape (T,).
    alpha
        Chance that the interval ever misses the truth.

    Returns
    -------
    tuple
        (estimate, lower, upper). The estimate weighs each batch by its exposures (Mantel and Haenszel);
        None where the incumbent has no event. Limits are 0 and infinity until the data say more.
    """
    threshold, n = -log(alpha / 2), np.maximum(events.n1 + events.n0, 1)
    ours, theirs = float(np.sum(events.e1 * events.n0 / n)), float(np.sum(events.e0 * events.n1 / n))

    def refutes(against: float, power: float) -> bool:
        alternatives = [against * multiple**power for multiple in _ANY]
        wealth = ratio_wealth(events, against, alternatives)[..., -1:]
        return bool(mixture(wealth, (1 / len(_ANY),) * len(_ANY))[0] >= threshold)

    lower = _limit(lambda r: refutes(r, 1.0), _LEAST, _MOST, default=0.0)
    upper = _limit(lambda r: refutes(r, -1.0), _MOST, _LEAST, default=np.inf)
    return (ours / theirs if theirs > 0 else None), lower, upper


def _check(ratio: float) -> None:
    if not 1 < ratio < np.inf:
        raise EvidenceError(f"a ratio margin must be above 1, got {ratio}: how many times as often is bad?")


def _limit(refuted: Callable[[float], bool], outside: float, inside: float, default: float) -> float:
    """Halve on a log scale towards where a claim begins to be refuted; ``default`` where none is."""
    if not refuted(outside):
        return default
    low, high = log(outside), log(inside)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if refuted(float(np.exp(middle))):
            low = middle
        else:
            high = middle
    return float(np.exp(low))
