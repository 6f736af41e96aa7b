r"""Sums over labelled answers of both models, in the same pass: confusion, pairs, AUC, binned scores.

Scores are counted on a grid that is fine where probabilities are: cells of relative width :math:`2^{-6}` of
:math:`\min(p, 1-p)`, mirrored at one half, so that a model of rare events is not squeezed into one cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import types

from headgate.errors import EvidenceError
from headgate.profile.arrays import numbers_in, plain, valid_in
from headgate.profile.columns import Counts
from headgate.profile.numbers import BLOCK

#: Bits dropped of float32, and those of the smallest probability with a cell of its own (2^-25).
_SHIFT = 17
_SMALLEST = int(np.float32(2.0**-25).view(np.uint32)) >> _SHIFT
_HALF = (int(np.float32(0.5).view(np.uint32)) >> _SHIFT) - _SMALLEST + 1
#: Cells of a score in [0, 1], in the order of scores.
SCORE_CELLS = 2 * _HALF
#: What a label or a decision can be, beside 0 and 1.
_MISSING, _INVALID = 2, 3


@dataclass(frozen=True, slots=True)
class Asked:
    """Which columns hold what.

    Attributes
    ----------
    label
        0 or 1, or a boolean.
    decisions
        Column of the incumbent's and the candidate's decision, 0 or 1 or a boolean; None where there is none.
    scores
        Columns of scores: probabilities that the label is 1.
    """

    label: str
    decisions: tuple[str, str] | None = None
    scores: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return (self.label, *(self.decisions or ()), *self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Sums over labelled answers.

    Attributes
    ----------
    pairs
        Rows by (label, incumbent's decision, candidate's decision), shape (2, 2, 2); rows where one of the
        three is missing or none are left out.
    scores
        Per score column rows by (label, cell), shape (2, `SCORE_CELLS`).
    unlabelled
        Per score column rows by cell without a label, shape (`SCORE_CELLS`,).
    rows
        Rows looked at.
    invalid
        Labels, decisions and scores that are none (2, 0.3, NaN, a probability of 1.7).
    """

    pairs: Counts
    scores: dict[str, Counts]
    unlabelled: dict[str, Counts]
    rows: int
    invalid: int

    def confusion(self, side: int) -> Counts:
        """Return the table (label, decision) of the incumbent (0) or the candidate (1), shape (2, 2)."""
        return np.asarray(self.pairs.sum(axis=2 - side), np.int64)

    @property
    def discordant(self) -> tuple[int, int]:
        """Rows on which only the candidate, and only the incumbent, was right."""
        candidate = int(self.pairs[0, 1, 0] + self.pairs[1, 0, 1])
        incumbent = int(self.pairs[0, 0, 1] + self.pairs[1, 1, 0])
        return candidate, incumbent

    def auc(self, column: str) -> float | None:
        """Return the area under the ROC curve of a score; None without both labels.

        Ties count half, scores of one cell as ties.
        """
        no, yes = (counts.astype(np.float64) for counts in self.scores[column])
        if not no.sum() or not yes.sum():
            return None
        below = np.cumsum(no) - no
        return float((yes * (below + no / 2)).sum() / (yes.sum() * no.sum()))


def score_middles() -> npt.NDArray[np.float64]:
    """Return the middle of every cell of a score, ascending, shape (`SCORE_CELLS`,)."""
    bits = (np.arange(_HALF + 1, dtype=np.uint32) + np.uint32(_SMALLEST)) << np.uint32(_SHIFT)
    ends = bits.view(np.float32).astype(np.float64)
    ends[0] = 0.0
    # The last of the lower half is one half itself, and nothing above it.
    lower = np.append((ends[:-2] + ends[1:-1]) / 2, 0.5)
    upper = 1 - lower[::-1]
    return np.concatenate([lower, upper])


def cells_of_scores(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the cell of each score in [0, 1], from 0; n scores, n cells."""
    small: npt.NDArray[np.float32] = np.minimum(scores, 1 - scores).astype(np.float32)
    bits = small.view(np.uint32)
    np.right_shift(bits, np.uint32(_SHIFT), out=bits)
    cells: npt.NDArray[np.int64] = bits.astype(np.int64)
    cells -= _SMALLEST
    np.maximum(cells, 0, out=cells)
    np.subtract(SCORE_CELLS - 1, cells, out=cells, where=scores > 0.5)
    return cells


def merge_outcomes(*outcomes: Outcomes) -> Outcomes:
    """Return the sums over all.

    Raises
    ------
    EvidenceError
        If there is nothing to merge, or they are of different score columns.
    """
    if len({tuple(part.scores) for part in outcomes}) != 1:
        raise EvidenceError(
            "merge: asked outcome sums of the same scores; found several or none; name one service's"
        )
    first = outcomes[0]
    return Outcomes(
        np.sum([part.pairs for part in outcomes], axis=0, dtype=np.int64),
        {name: np.sum([p.scores[name] for p in outcomes], axis=0, dtype=np.int64) for name in first.scores},
        {
            name: np.sum([p.unlabelled[name] for p in outcomes], axis=0, dtype=np.int64)
            for name in first.scores
        },
        sum(part.rows for part in outcomes),
        sum(part.invalid for part in outcomes),
    )


class OutcomeTally:
    """Adds outcome sums up, batch by batch."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._pairs = np.zeros((4, 4, 4), np.int64)
        self._scores = {name: np.zeros((4, SCORE_CELLS), np.int64) for name in asked.scores}
        self._rows = self._invalid = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch; a column it lacks is missing in all its rows."""
        for begun in range(0, batch.num_rows, BLOCK):
            self._block(batch.slice(begun, BLOCK))

    def _block(self, batch: pa.RecordBatch) -> None:
        self._rows += batch.num_rows
        label = _binary(_column(batch, self._asked.label), batch.num_rows)
        codes = [label]
        if self._asked.decisions:
            codes += [_binary(_column(batch, name), batch.num_rows) for name in self._asked.decisions]
            joint = codes[0] * 16 + codes[1] * 4 + codes[2]
            self._pairs += np.bincount(joint, minlength=64).reshape(4, 4, 4)
        self._invalid += sum(int(np.count_nonzero(code == _INVALID)) for code in codes)
        for name, counts in self._scores.items():
            self._add_scores(_column(batch, name), label, counts)

    def state(self) -> Outcomes:
        """Return what was added up."""
        return Outcomes(
            self._pairs[:2, :2, :2].copy(),
            {name: counts[:2].copy() for name, counts in self._scores.items()},
            {name: counts[_MISSING].copy() for name, counts in self._scores.items()},
            self._rows,
            self._invalid,
        )

    def _add_scores(self, array: pa.Array | None, label: npt.NDArray[np.int64], counts: Counts) -> None:
        if array is None:
            return
        scores = numbers_in(array).astype(np.float64, copy=False)
        if array.null_count:
            label = label[valid_in(array)]
        if not scores.size:
            return
        if not (scores.min() >= 0 and scores.max() <= 1):  # NaN is neither
            usable = (scores >= 0) & (scores <= 1)
            self._invalid += int(scores.size - np.count_nonzero(usable))
            scores, label = scores[usable], label[usable]
        np.add.at(counts, (label, cells_of_scores(scores)), 1)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    return plain(batch.column(name)) if name in batch.schema.names else None


def _binary(array: pa.Array | None, rows: int) -> npt.NDArray[np.int64]:
    """Return 0, 1, missing or invalid for each row."""
    if array is None or types.is_null(array.type):
        return np.full(rows, _MISSING, np.int64)
    if types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    if not (types.is_integer(array.type) or types.is_floating(array.type)):
        return np.full(rows, _INVALID, np.int64)
    values = numbers_in(array)
    one = values == 1
    codes: npt.NDArray[np.int64] = one.astype(np.int64)
    codes[~(one | (values == 0))] = _INVALID
    if not array.null_count:
        return codes
    everywhere = np.full(rows, _MISSING, np.int64)
    everywhere[valid_in(array)] = codes
    return everywhere
