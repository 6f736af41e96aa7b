"""Edge cases multiply with volume: failures per day at a share, against what people can handle (M25).

A rate that was seen in n requests is known only so well. Its exact interval [1]_ goes into the forecast, so
that three failures in a thousand requests are not taken for a promise.

References
----------
.. [1] C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of
   the binomial", Biometrika 26(4), 1934.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headgate.errors import EvidenceError

#: Chance that the truth is outside of an interval, above and below together.
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Failures:
    """Requests of one kind that the candidate cannot settle by itself.

    Attributes
    ----------
    kind
        What happens to them, e.g. ``faulty``.
    events, n
        How many there were among how many requests; n >= 1.
    source
        Where they were counted.
    """

    kind: str
    events: int
    n: int
    source: str

    def __post_init__(self) -> None:
        if not 0 <= self.events <= self.n or not self.n:
            raise EvidenceError(f"{self.kind}: {self.events} events among {self.n} requests make no rate")

    @property
    def rate(self) -> float:
        """The part of the requests."""
        return self.events / self.n

    @property
    def bounds(self) -> tuple[float, float]:
        """The interval that holds the true rate with 95 %.

        Examples
        --------
        >>> Failures("faulty", 0, 1_000, "load test").bounds
        (0.0, 0.0037)
        """
        from scipy.special import betaincinv  # every tick imports this module, and asks for no interval

        x, n = self.events, self.n
        low = 0.0 if x == 0 else float(betaincinv(x, n - x + 1, _ALPHA / 2))
        high = 1.0 if x == n else float(betaincinv(x + 1, n - x, 1 - _ALPHA / 2))
        return low, high


@dataclass(frozen=True, slots=True)
class PerDay:
    """Failures per day: as seen, and the bounds."""

    expected: float
    low: float
    high: float


def per_day(failures: Sequence[Failures], requests: float) -> PerDay | None:
    """Return the failures of all kinds among this many requests a day; None where none was counted.

    Bounds of several kinds are added: wider than they would have to be, never narrower.
    """
    if not failures:
        return None
    bounds = [one.bounds for one in failures]
    return PerDay(
        requests * sum(one.rate for one in failures),
        requests * sum(low for low, _ in bounds),
        requests * sum(high for _, high in bounds),
    )


def people_verdict(found: PerDay, can_handle: float) -> bool | None:
    """Say whether people can handle them; None where the counts are too few to tell."""
    if found.high <= can_handle:
        return True
    return False if found.low > can_handle else None
