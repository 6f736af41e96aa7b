"""What the evidence says about one question, before anybody draws a conclusion."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

import numpy as np

from headgate.stats.betting import FloatArray

#: Beyond this many units a forecast says nothing.
_FAR = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Trail:
    """log E after each batch, and the units counted by then; both of shape (T,).

    ``wealth``, where it is kept: log-capital of each bet behind log E, shape (K, T), which the watch
    reads anew.
    """

    log_e: FloatArray
    units: FloatArray
    wealth: FloatArray | None = None

    @property
    def now(self) -> float:
        """Current log E; 0 without data: nothing was bet, nothing won."""
        return float(self.log_e[-1]) if self.log_e.size else 0.0

    @property
    def samples(self) -> int:
        """Units counted."""
        return int(self.units[-1]) if self.units.size else 0

    def needed(self, threshold: float, fewest: int) -> int | None:
        """Return the units still likely needed, from how log E grew over the later half.

        Returns
        -------
        int or None
            0 once proved; None where log E does not grow or nothing was seen.

        Examples
        --------
        >>> Trail(np.array([0.5, 1.0, 1.5, 2.0]), np.array([10.0, 20, 30, 40])).needed(3.0, fewest=1)
        20
        """
        short = max(fewest - self.samples, 0)
        if not self.log_e.size:
            return None
        if self.now >= threshold:
            return short
        half = (self.log_e.size - 1) // 2
        earlier_e, earlier_n = (self.log_e[half - 1], self.units[half - 1]) if half else (0.0, 0.0)
        gained, counted = self.now - float(earlier_e), self.samples - float(earlier_n)
        if gained <= 0 or (threshold - self.now) * counted > _FAR * gained:
            return None
        return max(short, ceil((threshold - self.now) * counted / gained))


def no_trail() -> Trail:
    """Return the trail of no evidence."""
    return Trail(np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What one question's rows say.

    Attributes
    ----------
    advance, rollback
        The two e-processes. ``advance`` counts only what may advance this step.
    estimate, lower, upper
        In the metric's own unit; None without data.
    unit
        What ``samples`` counts: ``blocks``, ``requests``, or ``hours`` (``batches`` where labels are waited
        for) where requests share their shocks.
    requests
        Requests in ``advance``'s hours where hours are counted: ``min_samples`` is about requests.
    seen
        What was seen, as an operator reads it.
    notes
        What else an operator should know: clipped, missing, excluded, unpaired.
    fault
        Why this question cannot be judged; then both e-processes stand at 1.
    wait
        Why it cannot be judged yet; it neither passes nor fails.
    """

    advance: Trail = field(default_factory=no_trail)
    rollback: Trail = field(default_factory=no_trail)
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    unit: str = "requests"
    requests: int = 0
    seen: str = ""
    notes: tuple[str, ...] = ()
    design_effect: float | None = None
    autocorrelation: float | None = None
    fault: str = ""
    wait: str = ""

    def fewest(self, min_samples: int) -> int:
        """Return the least units to judge by: hours as many as hold that many requests at this pace.

        Examples
        --------
        >>> Finding(Trail(np.zeros(2), np.array([1.0, 2.0])), unit="hours", requests=100).fewest(400)
        8
        """
        if self.unit == "requests" or not self.requests:
            return min_samples
        return ceil(min_samples * self.advance.samples / self.requests)
