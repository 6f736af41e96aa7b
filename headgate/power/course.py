"""What one question's evidence looks like over many runs: a small value that everything else reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from headgate.errors import EvidenceError
from headgate.gates.questions import Question
from headgate.stats.betting import FloatArray

HOURS_A_DAY = 24.0
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Runs:
    """How many made-up rollouts there are, and from which seed."""

    count: int = 400
    seed: int = 20260101

    def dice(self, *names: object) -> np.random.Generator:
        """Return a generator of its own for every name: one more gate changes nothing for the others."""
        return np.random.default_rng([self.seed, crc32("|".join(map(str, names)).encode())])


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """log E of one question after each batch, over R runs.

    Attributes
    ----------
    advance
        The evidence to advance, from the first batch on, shape (R, T).
    harm
        The evidence of harm, shape (R, T); None where nobody asks, for it takes the longer to compute.
    units
        Shape (R, T) or (1, T): units counted by then.
    unit
        ``blocks``, ``requests`` or ``entities``.
    span
        Hours of one batch.
    lag
        Hours from a batch's end until it counts: the maturity of its labels.
    delay
        Hours before the first batch begins to count.
    """

    advance: FloatArray
    harm: FloatArray | None
    units: FloatArray
    unit: str
    span: float
    lag: float = 0.0
    delay: float = 0.0

    @property
    def batches(self) -> int:
        """How many batches were drawn, T."""
        return int(self.advance.shape[-1])

    def closing(self) -> FloatArray:
        """Return the hours after the course's beginning at which each batch counts, shape (T,)."""
        return self.delay + self.lag + self.span * np.arange(1.0, self.batches + 1)

    def counted(self, hours: NDArray[np.floating[Any]] | NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return how many batches count after so many hours, at most T."""
        full = np.floor((hours - self.delay - self.lag) / self.span + 1e-9)
        return np.asarray(np.clip(full, 0, self.batches), dtype=np.int64)

    def passes(self, question: Question) -> BoolArray:
        """Return where the gate would pass, shape (R, T): proved now, and on enough units."""
        enough = self.units >= question.gate.min_samples
        passed: BoolArray = (self.advance >= question.log_advance) & enough
        return passed

    def rolls_back(self, question: Question) -> BoolArray:
        """Return where the gate alone would have proved its harm by then, shape (R, T).

        The other guardrails hold their e-value of 1, so a guardrail's share of the mean decides.
        """
        if self.harm is None:
            raise EvidenceError("the evidence of harm was not drawn in this world")
        reached = np.maximum.accumulate(self.harm, axis=-1)
        weight = question.weight if question.weight > 0 else 1.0
        proved: BoolArray = reached + np.log(weight) >= question.log_rollback
        return proved


def first(reached: BoolArray) -> NDArray[np.int64]:
    """Return the first batch at which each run got there, or T where it never did; shape (R,).

    Examples
    --------
    >>> first(np.array([[False, True, False], [False, False, False]]))
    array([1, 3])
    """
    width = reached.shape[-1]
    return np.asarray(np.where(reached.any(axis=-1), reached.argmax(axis=-1), width), dtype=np.int64)
