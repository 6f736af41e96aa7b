"""Sums that are rounded once, whatever the order of what is summed: `math.fsum` for long arrays.

References
----------
.. [1] S. M. Rump, T. Ogita, S. Oishi, "Accurate floating-point summation part I: faithful rounding",
   SIAM Journal on Scientific Computing 31(1), 2008: extraction of leading parts.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

_SHORT = 256
"""Below so many values `math.fsum` itself is as fast."""


def exact_sum(values: npt.NDArray[np.float64]) -> float:
    r"""Return the sum of finite values, correctly rounded: the very bits of `math.fsum`.

    Parameters
    ----------
    values
        Shape (n,), finite; n below :math:`2^{26}`.

    Notes
    -----
    Adding and taking away again a power of two :math:`\sigma \geq n \max|x|` cuts every value at the
    same place. The parts in front are multiples of one unit and so few bits long that any order of adding
    them is exact; what is left is at least :math:`2^{26}` times smaller and is cut again.

    Examples
    --------
    >>> exact_sum(np.array([0.1] * 1_000)) == math.fsum([0.1] * 1_000)
    True
    """
    rest = np.asarray(values, dtype=np.float64)
    n = len(rest)
    if n < _SHORT:
        return math.fsum(rest.tolist())
    parts: list[float] = []
    # n values below 2**k add up to less than 2**(k + bits); twice that leaves room for rounding.
    bits = n.bit_length() + 1
    while (largest := float(np.max(np.abs(rest)))) > 0:
        exponent = math.frexp(largest)[1] + bits
        if exponent > 1_000 or exponent < -900:  # too large to be cut, or too small for whole units
            return math.fsum([*parts, *rest.tolist()])
        sigma = math.ldexp(1.0, exponent)
        front = (rest + sigma) - sigma
        parts.append(float(np.sum(front)))
        rest = rest - front
    return math.fsum(parts)
