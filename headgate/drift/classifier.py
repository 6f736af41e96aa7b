"""Can rows of the window be told from rows of the reference? Drift that no single column shows.

Two columns may each look as ever while they stop going together. A classifier that is trained to tell one
half of the rows apart and tried on the other half shows it: its AUC is 0.5 where there is nothing to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.profile import Kind
from headgate.profile.arrays import floats_in, kind_of
from headgate.stats.betting import FloatArray

#: Rows of a side below which nothing is tried.
FEWEST_ROWS = 100
#: A column of texts in which more values than this part are distinct is an identifier.
_DISTINCT = 0.5
_NAMED, _TRIED = 3, 2_000
#: One side has at most this many times the rows of the other.
_TIMES = 4
_SEED = 20260101

Ranks = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ToldApart:
    """How well rows are told apart.

    Attributes
    ----------
    auc
        On rows not trained on, mean of both halves.
    tested
        The smaller number of rows of the two sides that each half was tried on.
    rows_reference, rows_current
        Rows used.
    most
        Columns that tell most, most first; empty where little is told.
    within_reference
        AUC between the first and the second half of the reference: what it does by itself; None if not asked.
    """

    auc: float
    tested: int
    rows_reference: int
    rows_current: int
    most: tuple[str, ...] = ()
    within_reference: float | None = None


def tell_apart(
    reference: pa.Table,
    current: pa.Table,
    columns: Sequence[str] | None = None,
    *,
    within: bool = False,
) -> ToldApart | None:
    """Train and try the classifier; None where rows or columns are too few.

    Parameters
    ----------
    reference, current
        Samples of rows, of at most some thousand each: see `headgate.drift.sample`.
    columns
        Those to look at; default: all that both have, in one type. Times and identifiers are left out.
    within
        Also tell the halves of the reference apart, in the order of its rows.
    """
    features = _features(reference, current, columns)
    fewest = min(reference.num_rows, current.num_rows)
    if fewest < FEWEST_ROWS or not features:
        return None
    before, now = (_even(np.column_stack([f[side] for f in features]), fewest) for side in (1, 2))
    auc, drops = _cross_fitted(before, now)
    order = np.argsort(-drops, kind="stable")[:_NAMED]
    inside = None
    if within and len(before) >= 2 * FEWEST_ROWS:
        half = len(before) // 2
        inside = _cross_fitted(before[:half], before[half:])[0]
    return ToldApart(
        auc, min(len(before), len(now)) // 2, len(before), len(now),
        tuple(features[i][0] for i in order if drops[i] > 0.005), inside,
    )  # fmt: skip


def blocks_apart(
    reference: pa.Table, blocks: Sequence[pa.Table], columns: Sequence[str] | None = None
) -> float | None:
    """Return the AUC with which blocks of the reference are told from all of it, two standard errors high.

    The value for `headgate.drift.Calibration.auc` where windows are as long as the blocks; some eight blocks
    do. None where none is large enough.
    """
    told = [tell_apart(reference, block, columns) for block in blocks]
    found = [one.auc for one in told if one is not None]
    if not found:
        return None
    spread = float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
    return min(1.0, max(0.5, float(np.mean(found)) + 2 * spread / sqrt(len(found))))


def _even(rows: FloatArray, fewest: int) -> FloatArray:
    """Return rows spread evenly over them, few enough that the other side is not drowned."""
    most = _TIMES * fewest
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _cross_fitted(before: FloatArray, now: FloatArray) -> tuple[float, FloatArray]:
    """Return the mean AUC of both halves, and by how much it drops where a column is shuffled."""
    rng = np.random.default_rng(_SEED)
    rows = np.concatenate([before, now])
    side = np.concatenate([np.zeros(len(before), np.int64), np.ones(len(now), np.int64)])
    half = np.concatenate([rng.permutation(len(part)) % 2 for part in (before, now)])
    aucs, drops = [], np.zeros(rows.shape[1])
    for fold in (0, 1):
        model = _trained(rows[half != fold], side[half != fold])
        tried, truth = rows[half == fold], side[half == fold]
        auc = _auc(model, tried, truth)
        aucs.append(auc)
        # Naming columns costs a try each, and means little where nothing is told; fewer rows do for it.
        if fold == 0 and auc > 0.55:
            few = slice(None, None, -(-len(tried) // _TRIED))
            tried, truth = tried[few], truth[few]
            whole = _auc(model, tried, truth)
            drops = np.array(
                [whole - _auc(model, _shuffled(tried, i, rng), truth) for i in range(len(drops))]
            )
    return float(np.mean(aucs)), drops


def _trained(rows: FloatArray, side: Ranks) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import; not everybody asks
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    model = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, min_samples_leaf=20, early_stopping=False, random_state=_SEED
    )
    with threadpool_limits(1):  # so few rows: threads would only wait for each other
        return model.fit(rows, side)


def _auc(model: Any, rows: FloatArray, side: Ranks) -> float:
    from scipy.stats import rankdata  # a second; scikit-learn has imported it where there is a model
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        ranks = rankdata(model.decision_function(rows))
    ones = int(side.sum())
    return float((ranks[side == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(side) - ones)))


def _shuffled(rows: FloatArray, column: int, rng: np.random.Generator) -> FloatArray:
    other = rows.copy()
    other[:, column] = rng.permutation(other[:, column])
    return other


def _features(
    reference: pa.Table, current: pa.Table, columns: Sequence[str] | None
) -> list[tuple[str, FloatArray, FloatArray]]:
    both = [name for name in reference.schema.names if name in set(current.schema.names)]
    asked = both if columns is None else [name for name in both if name in set(columns)]
    found = []
    for name in asked:
        sides = _numbers(reference.column(name), current.column(name))
        if sides is not None and _tells(*sides):
            found.append((name, *sides))
    return found


def _tells(before: FloatArray, now: FloatArray) -> bool:
    """Say whether a column can tell anything: it has two values, or values and gaps."""
    both = np.concatenate([before, now])
    return np.unique(both).size > 1  # NaN counts as one value


def _numbers(before: pa.ChunkedArray, now: pa.ChunkedArray) -> tuple[FloatArray, FloatArray] | None:
    if all(_is_number(side.type) for side in (before, now)):
        return _floats(before), _floats(now)
    if all(pa.types.is_string(side.type) or pa.types.is_large_string(side.type) for side in (before, now)):
        return _codes(before, now)
    return None


def numbers_of(column: pa.ChunkedArray) -> FloatArray | None:
    """Return a column as numbers, texts by their frequency; None for times, identifiers and the like."""
    found = _numbers(column, column)
    return None if found is None else found[0]


def _is_number(kind: pa.DataType) -> bool:
    return not pa.types.is_dictionary(kind) and kind_of(kind) in (Kind.NUMBER, Kind.BOOLEAN)


def _floats(side: pa.ChunkedArray) -> FloatArray:
    found = floats_in(side.combine_chunks())
    # Trees need numbers; infinities stay the largest and smallest of them.
    return np.nan_to_num(found, nan=np.nan, posinf=1e300, neginf=-1e300)


def _codes(before: pa.ChunkedArray, now: pa.ChunkedArray) -> tuple[FloatArray, FloatArray] | None:
    """Return values as their rank by frequency on both sides together; None for identifiers."""
    together = pc.value_counts(pa.chunked_array([*before.chunks, *now.cast(before.type).chunks], before.type))
    counted = {row["values"]: row["counts"] for row in together.to_pylist() if row["values"] is not None}
    if len(counted) > _DISTINCT * sum(counted.values()):
        return None
    ranked = pa.array(sorted(counted, key=lambda value: (-counted[value], value)), before.type)
    return _floats(pc.index_in(before, ranked)), _floats(pc.index_in(now.cast(before.type), ranked))
