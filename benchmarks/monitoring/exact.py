"""The same measures computed exactly from all raw values, by numpy and scipy: what ours is held against.

``python -m benchmarks.monitoring.exact REFERENCE CURRENT OUT``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import roc_auc_score

from benchmarks.monitoring.rows import LABEL, NUMBERS, SCORES, TEXTS


def exact(reference: str, current: str) -> dict[str, dict[str, float]]:
    """Return every measure of every column."""
    found = {name: _number(*(_numbers(path, name) for path in (reference, current))) for name in NUMBERS}
    found |= {name: _text(*(_counts(path, name) for path in (reference, current))) for name in TEXTS}
    for name in (*NUMBERS, *TEXTS):
        column = pq.read_table(current, columns=[name])[name]
        found[name]["missing"] = column.null_count / len(column)
    answers = pq.read_table(current, columns=[LABEL, *SCORES])
    label = np.asarray(answers[LABEL])
    found["auc"] = {name: float(roc_auc_score(label, np.asarray(answers[name]))) for name in SCORES}
    return found


def _number(old: npt.NDArray[np.float64], new: npt.NDArray[np.float64]) -> dict[str, float]:
    cuts = np.unique(np.quantile(old, np.arange(1, 10) / 10))
    p, q = (
        np.bincount(np.searchsorted(cuts, x, side="left"), minlength=cuts.size + 1) / x.size
        for x in (old, new)
    )
    return {
        "ks": float(stats.ks_2samp(old, new, method="asymp").statistic),
        "wasserstein": float(stats.wasserstein_distance(old, new)),
        "psi": float(((q - p) * np.log(q / p)).sum()),
        "js": float(jensenshannon(p, q, base=2)),
    }


def _text(old: dict[str, int], new: dict[str, int]) -> dict[str, float]:
    names = sorted({*old, *new})
    counts = np.array([[side.get(name, 0) for name in names] for side in (old, new)])
    found = stats.chi2_contingency(counts, correction=False)
    return {
        "chi2": float(found.statistic),
        "chi2_p": float(found.pvalue),
        "js": float(jensenshannon(counts[0], counts[1], base=2)),
    }


def _numbers(path: str, name: str) -> npt.NDArray[np.float64]:
    return np.asarray(pq.read_table(path, columns=[name])[name].drop_null())


def _counts(path: str, name: str) -> dict[str, int]:
    counts = pc.value_counts(pq.read_table(path, columns=[name])[name].drop_null())
    return {one["values"].as_py(): one["counts"].as_py() for one in counts}


if __name__ == "__main__":
    Path(sys.argv[3]).write_text(json.dumps(exact(*sys.argv[1:3])), encoding="utf-8")
