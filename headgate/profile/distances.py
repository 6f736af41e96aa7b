r"""Distances of two counted distributions over the same cells, each in one function.

References
----------
.. [1] J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory
   37(1), 1991.
.. [2] W. G. Cochran, "Some methods for strengthening the common chi-square tests", Biometrics 10(4), 1954:
   no expected count below 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from headgate.profile.columns import Counts

Floats = npt.NDArray[np.float64]

#: Expected count below which cells are put together.
_FEWEST = 5.0


def psi(reference: Counts, current: Counts) -> float:
    r"""Return the population stability index, :math:`\sum (q - p)\log(q / p)`, at least 0.

    Half a count is added to every cell that is not empty in both, so that one that is empty in one gives a
    large number and not an infinite one.

    Examples
    --------
    >>> psi(np.array([50, 50]), np.array([80, 20]))
    0.41
    """
    there = (reference + current) > 0
    p, q = reference[there] + 0.5, current[there] + 0.5
    p, q = p / p.sum(), q / q.sum()
    return max(0.0, float(((q - p) * np.log(q / p)).sum()))


def jensen_shannon(reference: Counts, current: Counts) -> float:
    r"""Return the Jensen-Shannon distance [1]_: the square root of the divergence to base 2, in [0, 1].

    Examples
    --------
    >>> jensen_shannon(np.array([1, 0]), np.array([0, 1]))
    1.0
    """
    p, q = reference / reference.sum(), current / current.sum()
    middle = (p + q) / 2

    def against(x: Floats) -> float:
        there = x > 0
        return float((x[there] * np.log2(x[there] / middle[there])).sum())

    return float(np.sqrt(np.clip((against(p) + against(q)) / 2, 0.0, 1.0)))


def kolmogorov_smirnov(reference: Counts, current: Counts) -> float:
    """Return the largest difference of the distribution functions, cells in the order of values."""
    gaps = np.cumsum(reference) / reference.sum() - np.cumsum(current) / current.sum()
    return float(np.clip(np.abs(gaps).max(), 0.0, 1.0))


def wasserstein(reference: Counts, current: Counts, low: Floats, high: Floats) -> float:
    r"""Return the earth mover's distance :math:`\int |F - G|`, in the unit of the edges.

    Parameters
    ----------
    reference, current
        Counts per cell, shape (n,).
    low, high
        Ends of the cells, ascending and finite, shape (n,); inside a cell values lie evenly.
    """
    gap = np.cumsum(reference) / reference.sum() - np.cumsum(current) / current.sum()
    before = np.concatenate([[0.0], gap[:-1]])
    # Inside a cell the difference runs straight from one end to the other, perhaps through zero.
    crossing = before * gap < 0
    total = np.abs(before) + np.abs(gap)
    inside = np.where(
        crossing, (before**2 + gap**2) / np.where(total > 0, total, 1.0), total
    ) * (high - low) / 2  # fmt: skip
    between = np.abs(gap[:-1]) * np.clip(low[1:] - high[:-1], 0.0, None)
    return float(inside.sum() + between.sum())


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """A two-sample chi-square test: statistic, degrees of freedom, p-value."""

    statistic: float
    dof: int
    p: float


def chi_square(reference: Counts, current: Counts) -> ChiSquare | None:
    """Return the test that two samples are of one distribution; None with fewer than two cells to compare.

    Cells too rare for the test in the smaller sample [2]_ were put together before; see `pool`.
    """
    there = (reference + current) > 0
    observed = np.stack([reference[there], current[there]]).astype(np.float64)
    if observed.shape[1] < 2 or not observed.sum(axis=1).all():
        return None
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / observed.sum()
    statistic = float(((observed - expected) ** 2 / expected).sum())
    dof = observed.shape[1] - 1
    return ChiSquare(statistic, dof, float(chdtrc(dof, statistic)))


def pool(reference: Counts, current: Counts) -> tuple[Counts, Counts]:
    """Return the counts with all cells that are too rare put together as the last one.

    Rare means that fewer than 5 are expected in the smaller sample. Thousands of values with a count or two
    are noise, cell by cell; together they are not.
    """
    both = reference + current
    smaller = min(int(reference.sum()), int(current.sum()))
    rare = both * (smaller / max(int(both.sum()), 1)) < _FEWEST
    if not rare.any():
        return reference, current
    if both[rare].sum() * smaller < _FEWEST * both.sum() and not rare.all():
        rare = rare.copy()
        rare[np.argmin(np.where(rare, both.max() + 1, both))] = True  # together they are still too few
    return (
        np.append(reference[~rare], reference[rare].sum()),
        np.append(current[~rare], current[rare].sum()),
    )
