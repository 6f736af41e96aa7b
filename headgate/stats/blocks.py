"""Do requests of one block share their shocks? The design effect and the lag-1 autocorrelation.

Requests of one day share the weather. Where block means vary much more than independent requests
would make them, requests must not be counted as units.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import fsum, inf

#: Above this, single requests are refused as units.
LARGEST_DESIGN_EFFECT = 1.5
#: Blocks needed before the design effect says anything.
FEWEST_BLOCKS = 5


def design_effect(means: Sequence[float], predicted: Sequence[float]) -> float | None:
    """Return the variance of block means over what independence predicts.

    Parameters
    ----------
    means
        One mean per block, in order of time.
    predicted
        Variance of each mean if the block's units were independent: their variance over their number.

    Returns
    -------
    float or None
        About 1 for independent units, and 1 where nothing varies at all; infinite where blocks differ
        and their units do not. None with fewer than five blocks.

    Examples
    --------
    >>> design_effect([0.0, 2.0, 0.0, 2.0, 0.0, 2.0], [0.4] * 6)
    3.0
    """
    if len(means) < FEWEST_BLOCKS:
        return None
    centre = fsum(means) / len(means)
    found = fsum((mean - centre) ** 2 for mean in means) / (len(means) - 1)
    expected = fsum(predicted) / len(predicted)
    if expected > 0:
        return found / expected
    return inf if found > 0 else 1.0


def autocorrelation(means: Sequence[float]) -> float | None:
    """Return the lag-1 autocorrelation of block means; None with fewer than five, or a constant.

    Examples
    --------
    >>> autocorrelation([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    -0.833
    """
    if len(means) < FEWEST_BLOCKS:
        return None
    centre = fsum(means) / len(means)
    away = [mean - centre for mean in means]
    power = fsum(a * a for a in away)
    if power <= 0:
        return None
    return fsum(a * b for a, b in pairwise(away)) / power
