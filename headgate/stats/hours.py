r"""Operation by the hour: whether requests of one hour fail together, and what then may be concluded.

One burst of slowness, or one broken deployment next door, hits many requests at once. Counted as so
many independent requests it "proves" harm within the hour: at an hourly intra-correlation of .05 a
candidate exactly at its ceiling was rolled back in 86 % of runs. So every operational gate measures
its own *design effect* d from its hours, the variance of hourly values over what independent requests
would show, and hours are its units while d exceeds 1.3.

The unit is chosen anew at every look, after seeing the data. What makes that valid is that choosing
hours takes the *smaller* of both log E and never the larger:

- With independent requests the answer never exceeds the evidence by requests, which is an e-process.
  The choice adds no error whatever triggers it; a false alarm costs time only.
- With hours that share shocks the answer never exceeds the evidence by the hour, which is an e-process
  as long as an hour's *expected* value obeys the claim, however its requests hang together. What is
  left is a process by requests that reaches its threshold while d looks small. The hour being judged
  counts in d, so the burst that wins the bet is the one that raises d: this was measured, not proved
  (benchmarks.gates; docs/decisions/0006-operational-design-effect.md).

Switching one capital between both units by the d of the *earlier* hours would be a martingale for
independent requests too, but it pays the first burst in full: the alarm is always an hour late.

References
----------
.. [1] L. Kish, "Survey Sampling", Wiley, 1965, section 8.2.
.. [2] P. McCullagh, J. Nelder, "Generalized Linear Models", 1989, section 4.5 (overdispersion).
.. [3] I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", 2024.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headgate.errors import EvidenceError
from headgate.stats.betting import CAUTION, FloatArray
from headgate.stats.mixture import mixture, mixture_from_any_start

BoolArray = NDArray[np.bool_]

#: Hours with data, and events in them, before the design effect is said at all.
FEWEST_HOURS, FEWEST_EVENTS = 8, 5
#: Above this, hours are the units. Less than the 1.5 from which on blocks count: the smaller arm of a
#: split is diluted in the pooled d, and with 1.5 fine candidates fell in 9 % of runs (10 an hour, 25 %).
LARGEST_DESIGN_EFFECT = 1.3
#: Standard errors above 1 before a design effect is believed: noise must not slow independent requests.
#: With 2, fine candidates at an intra-correlation of .01 were rolled back in 7 % of runs instead of 5.
SURENESS = 1.0
#: Parts of the largest stake, and their shares of the capital. Constant: a running second moment would
#: shrink the bets in the first hour of an outage, and take 40 hours where these take 2 to 5.
STAKES, SHARES = (1.0, 1 / 3, 1 / 9, 1 / 27), (0.5, 0.25, 0.125, 0.125)


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """What each hour says by itself; all of shape (..., T), in order of time.

    Attributes
    ----------
    value
        The hour's rate, or candidate minus incumbent; 0 where the hour says nothing.
    weight
        Requests the value rests on: independent ones give it a variance of so-and-so much over this.
        0 where the hour says nothing.
    spread
        Sum of ``weight`` x variance over the hours so far if requests were independent, at the rates
        pooled so far.
    events
        Events so far that the spread rests on.
    """

    value: FloatArray
    weight: FloatArray
    spread: FloatArray
    events: FloatArray

    @property
    def seen(self) -> BoolArray:
        """Which hours say anything."""
        return self.weight > 0


@dataclass(frozen=True, slots=True, eq=False)
class Shocks:
    """The design effect after each hour, over all hours until then; all of shape (..., T).

    Attributes
    ----------
    effect
        About 1 for independent requests, 1 + (n - 1) x intra-correlation for hours of n requests; NaN
        while it is not known.
    known
        Whether it can be said: enough hours, enough events.
    shared
        Whether hours are the units: known, above 1.3, and above 1 by more than noise would explain.
    """

    effect: FloatArray
    known: BoolArray
    shared: BoolArray

    def now(self) -> Shocks:
        """Return what is known after the last hour, shape (..., 1); without any hour that is nothing."""
        if self.effect.shape[-1]:
            return Shocks(self.effect[..., -1:], self.known[..., -1:], self.shared[..., -1:])
        shape = (*self.effect.shape[:-1], 1)
        return Shocks(np.full(shape, np.nan), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_))


def shocks(hours: Hours) -> Shocks:
    r"""Measure the design effect after each hour.

    Notes
    -----
    With H hours of value y and weight w, :math:`d = \sum w (y - \bar y)^2 / ((1 - 1/H) S)`, S the
    spread that independence predicts: Pearson's dispersion. Its standard error for independent rare
    events is about :math:`\sqrt{2 / (H - 1) + 1 / X}`, X the events: the chi-square's and that of
    counts of few.

    Examples
    --------
    >>> from headgate.stats.rates import hours
    >>> found = shocks(hours([0, 9] * 5, [50] * 10))
    >>> float(found.effect[-1]), bool(found.shared[-1])
    (5.49, True)
    """
    weight, value = hours.weight, hours.value
    n, total = np.cumsum(weight, axis=-1), np.cumsum(weight * value, axis=-1)
    count = np.cumsum(hours.seen, axis=-1)
    found = np.cumsum(weight * value * value, axis=-1) - total * total / np.maximum(n, 1)
    free = np.maximum(count - 1, 1)
    expected = hours.spread * free / np.maximum(count, 1)
    known = (count >= FEWEST_HOURS) & (hours.events >= FEWEST_EVENTS) & (expected > 0)
    # Rounding may leave a variance of nothing just below 0.
    effect = np.maximum(found, 0) / np.where(known, expected, np.nan)
    noise = SURENESS * np.sqrt(2 / free + 1 / np.maximum(hours.events, 1))
    shared = known & (effect > np.maximum(LARGEST_DESIGN_EFFECT, 1 + noise))
    return Shocks(effect, known, shared)


def hourly_wealth(xi: FloatArray, bound: float) -> FloatArray:
    """Return the log-capital of each stake on "an hour's expected ``xi`` is above 0", shape (K, ..., T).

    Parameters
    ----------
    xi
        One value per hour in order of time, at least ``-bound``; 0 where an hour says nothing.
    bound
        Largest possible ``-xi``, > 0. The best bets on hours of many requests pass what it permits,
        so it decides how fast a proof is: keep it tight.

    Raises
    ------
    EvidenceError
        If a value passes the bound.
    """
    if not bound > 0 or not bool(np.all(xi >= -bound * (1 + 1e-9))):
        raise EvidenceError(f"an hour's value passes its bound of {-bound}, or the bound leaves nothing")
    return np.stack([np.cumsum(np.log1p(part * CAUTION / bound * xi), axis=-1) for part in STAKES])


def hourly_evidence(xi: FloatArray, bound: float, *, any_start: bool) -> FloatArray:
    r"""Return log E against "an hour's expected ``xi`` is at most 0" after each hour, shape (..., T).

    Parameters
    ----------
    xi, bound
        As in `hourly_wealth`.
    any_start
        Whether what is to be proved may begin at any hour.

    Examples
    --------
    >>> hourly_evidence(np.array([0.59, 0.59]), 0.01, any_start=True).tolist()  # 60 % failed, 1 % may
    [2.80, 6.67]
    """
    return (mixture_from_any_start if any_start else mixture)(hourly_wealth(xi, bound), SHARES)


def held(by_request: FloatArray, by_hour: FloatArray, found: Shocks, *, harm: bool) -> FloatArray:
    """Return the evidence that counts: by requests, or the smaller of both where requests are no units.

    Parameters
    ----------
    by_request, by_hour
        log E after each hour, shape (..., T).
    found
        Shape (..., T) to judge every look as it was, (..., 1) to judge all hours as of now.
    harm
        Harm is held to the hour too while the design effect is not known: a burst in the first hours
        must not roll back by itself, and an outage stands by the hour as well, in about two of them.
        A clean proof is not: requests without an event never tell whether they would fail together.

    Examples
    --------
    >>> few = shocks(Hours(*np.zeros((4, 2))))
    >>> held(np.array([1.0, 9.0]), np.array([2.0, 3.0]), few, harm=True)
    array([1., 3.])
    """
    hourly = found.shared | ~found.known if harm else found.shared
    return np.where(hourly, np.minimum(by_request, by_hour), by_request)
