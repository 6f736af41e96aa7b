"""Scores in bins, with the labels known for them: sums that add up over windows and partitions.

All that is estimated without labels is computed from these: kilobytes, however many requests there were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from headgate.errors import EvidenceError

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Bins of equal width over [0, 1].
BINS = 20


@dataclass(frozen=True, slots=True)
class Binned:
    """Answers by bin; every field has one number per bin.

    Attributes
    ----------
    n
        Answers.
    total, squares
        Sum of the scores, and of their squares.
    above
        Answers that were decided positive: at or above the plan's threshold.
    labelled, positive
        Of those answers, how many have a label, and how many a label of 1.
    """

    n: tuple[int, ...]
    total: tuple[float, ...]
    squares: tuple[float, ...]
    above: tuple[int, ...]
    labelled: tuple[int, ...]
    positive: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Answers in all bins."""
        return sum(self.n)

    def array(self, name: str) -> Floats:
        """Return one field as an array, shape (B,)."""
        return np.asarray(getattr(self, name), dtype=np.float64)

    def to_json(self) -> dict[str, list[float]]:
        """Return plain JSON."""
        return {field.name: list(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Binned:
        """Return what `to_json` wrote.

        Examples
        --------
        >>> one = binned(np.array([0.2, 0.9]), 0.5)
        >>> Binned.from_json(one.to_json()) == one
        True
        """
        return cls(**{field.name: tuple(data[field.name]) for field in fields(cls)})


def binned(scores: Floats, threshold: float, labels: Floats | None = None) -> Binned:
    """Return answers by bin.

    Parameters
    ----------
    scores
        Probabilities, or decisions that are 0 or 1; shape (n,), all in [0, 1].
    threshold
        At or above it an answer is a positive decision.
    labels
        0, 1, or NaN where none is known; shape (n,). None: no label is known yet.

    Raises
    ------
    EvidenceError
        If a score is none.

    Examples
    --------
    >>> one = binned(np.array([0.2, 0.9, 1.0]), 0.5, np.array([0.0, 1.0, np.nan]))
    >>> one.rows, sum(one.above), sum(one.labelled), one.positive[18]
    (3, 2, 2, 1)
    """
    if not bool(np.all((scores >= 0) & (scores <= 1))):
        raise EvidenceError("scores in bins must be numbers in [0, 1]")
    at = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    known = np.zeros(len(scores), np.bool_) if labels is None else ~np.isnan(labels)
    positive = np.zeros(len(scores), np.bool_) if labels is None else known & (labels == 1)

    def counted(rows: Mask) -> tuple[int, ...]:
        return tuple(np.bincount(at[rows], minlength=BINS).tolist())

    def summed(values: Floats) -> tuple[float, ...]:
        return tuple(np.bincount(at, weights=values, minlength=BINS).tolist())

    return Binned(
        n=counted(np.ones(len(scores), np.bool_)),
        total=summed(scores),
        squares=summed(scores * scores),
        above=counted(scores >= threshold),
        labelled=counted(known),
        positive=counted(positive),
    )


def merged(parts: Iterable[Binned]) -> Binned | None:
    """Return all parts together; None where there are none."""
    known = list(parts)
    if not known:
        return None
    return Binned(
        **{
            field.name: tuple(
                sum(column) for column in zip(*(getattr(p, field.name) for p in known), strict=True)
            )
            for field in fields(Binned)
        }
    )
