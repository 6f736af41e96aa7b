"""Is the model worse than it was, and can the estimates still be believed? The watch detector asks both.

A claim is a number that should stay at or below 0 in the mean, block after block: the realised loss minus
what it was when the model was promoted, minus what the plan tolerates. The detector of
`headgate.stats.watch` bets against it. It controls how often it is wrong: a claim that is true goes a
thousand blocks or more without an alarm, in the mean (with blocks of a day, a false alarm in about three
years). So it tells people and may ask for a retraining; it never moves traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp, sqrt
from typing import Any

import numpy as np

from headgate.stats.betting import Batches, Bet, log_wealth
from headgate.stats.watch import RUN_LENGTH, e_cusum, log_alarm, onset

#: Blocks that say how good the model was; and below how many nothing is claimed.
LEVEL_BLOCKS, FEWEST = 28, 7


@dataclass(frozen=True, slots=True)
class Level:
    """How good the model was: mean loss of its first blocks, their second central moment, their number."""

    mean: float
    variance: float
    blocks: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that should stay at or below 0 in the mean.

    Attributes
    ----------
    distance
        The size of a breach that the bets are tuned for, > 0: it changes their speed, never the run length.
    lowest
        What a block counts for at least, < 0: lower values count as this. The claim is about values that are
        cut so; the tighter the cut, the sooner a breach is seen.
    variance
        Second moment of a block expected before any is seen; None: ``lowest`` squared.
    """

    distance: float
    lowest: float
    variance: float | None = None

    @classmethod
    def about(cls, level: Level, tolerance: float) -> Claim:
        """Return the claim that a loss does not pass its level by more than the tolerance.

        Blocks that are better than three standard deviations below the level count as that: it happens once
        in hundreds of blocks, and changes their mean by less than a thousandth of one.
        """
        return cls(tolerance, -tolerance - 3 * sqrt(level.variance), level.variance + tolerance**2)


@dataclass(frozen=True, slots=True)
class Alarm:
    """What the detector says now.

    Attributes
    ----------
    raised
        Whether its statistic is above the alarm now: it falls again where the claim holds again.
    log_m, threshold
        The log of the statistic, and of the alarm.
    since
        When the breach seems to have begun; None without an alarm.
    blocks
        Seen so far.
    """

    raised: bool
    log_m: float
    threshold: float
    since: datetime | None
    blocks: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        since = None if self.since is None else self.since.isoformat()
        return {
            "raised": self.raised,
            "log_m": self.log_m,
            "threshold": self.threshold,
            "since": since,
            "blocks": self.blocks,
            "run_length": round(exp(self.threshold)),
        }


def level_of(losses: Sequence[float]) -> Level | None:
    """Return the level that later blocks are held against; None before there are seven.

    Examples
    --------
    >>> level_of([0.1, 0.2] * 14).mean, level_of([0.1] * 3)
    (0.15, None)
    """
    first = np.array(losses[:LEVEL_BLOCKS])
    if len(first) < FEWEST:
        return None
    return Level(float(first.mean()), float(first.var()), len(first))


def watched(values: Sequence[tuple[datetime, float]], claim: Claim) -> Alarm:
    """Return what the detector says after these blocks.

    Parameters
    ----------
    values
        Start of each block and the value that should not be above 0 in the mean, in order of time.

    Raises
    ------
    EvidenceError
        If a value is not finite.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> days = [datetime(2013, 4, 1, tzinfo=UTC) + timedelta(days=d) for d in range(60)]
    >>> course = [(at, -0.01 if k < 30 else 0.08) for k, at in enumerate(days)]
    >>> found = watched(course, Claim(0.02, -0.2, 0.002))
    >>> found.raised, found.since.isoformat()[:10]
    (True, '2013-05-01')
    """
    threshold = log_alarm(RUN_LENGTH)
    if not values:
        return Alarm(False, 0.0, threshold, None, 0)
    seen = np.maximum([value for _, value in values], claim.lowest)
    wealth = log_wealth(Batches.single(seen), Bet(claim.distance, -claim.lowest, claim.variance))
    log_m = e_cusum(wealth)
    last = len(values) - 1
    raised = bool(log_m[last] >= threshold)
    began = values[onset(wealth, last)][0] if raised else None
    return Alarm(raised, float(log_m[last]), threshold, began, len(values))
