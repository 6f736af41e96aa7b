"""Where the loss is going: the last thirty days against the thirty before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import sqrt
from typing import Any

import numpy as np

MONTH = timedelta(days=30)
#: Blocks without which a month says nothing.
FEWEST = 7


@dataclass(frozen=True, slots=True)
class Trend:
    """The mean of the last thirty days and how it moved; None where there are too few blocks.

    Attributes
    ----------
    mean, before
        Of the thirty days up to the newest block, and of the thirty days before these.
    change, noise
        ``mean - before``, and twice its standard error (blocks counted as independent: where shocks last for
        days it is too small).
    slope
        Change per thirty days within the last thirty, by least squares.
    blocks
        In the last thirty days.
    """

    mean: float | None
    before: float | None
    change: float | None
    noise: float | None
    slope: float | None
    blocks: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)


def trend_of(blocks: Sequence[tuple[datetime, float]]) -> Trend:
    """Return the trend of a loss.

    Parameters
    ----------
    blocks
        Start of each block and its loss, in order of time.

    Examples
    --------
    >>> from datetime import UTC
    >>> days = [datetime(2013, 4, 1, tzinfo=UTC) + timedelta(days=d) for d in range(60)]
    >>> found = trend_of([(at, 0.10 if k < 30 else 0.12) for k, at in enumerate(days)])
    >>> round(found.change, 4), round(found.slope, 4), trend_of([]).mean
    (0.02, 0.0, None)
    """
    if not blocks:
        return Trend(None, None, None, None, None, 0)
    newest = blocks[-1][0]
    here = [(at, loss) for at, loss in blocks if newest - at < MONTH]
    earlier = [loss for at, loss in blocks if MONTH <= newest - at < 2 * MONTH]
    if len(here) < FEWEST:
        return Trend(None, None, None, None, None, len(here))
    values = np.array([loss for _, loss in here])
    days = np.array([(at - here[0][0]) / MONTH for at, _ in here])
    slope = float(np.polyfit(days, values, 1)[0])
    if len(earlier) < FEWEST:
        return Trend(float(values.mean()), None, None, None, slope, len(here))
    before = np.array(earlier)
    error = sqrt(values.var(ddof=1) / len(values) + before.var(ddof=1) / len(before))
    return Trend(
        mean=float(values.mean()),
        before=float(before.mean()),
        change=float(values.mean() - before.mean()),
        noise=2 * error,
        slope=slope,
        blocks=len(here),
    )
