"""whylogs: a profile of each window, and the drift scores between the two.

Its chi-square takes the reference for the truth (one sample, not two): it has no counterpart in Headgate.
"""

from __future__ import annotations

import pandas as pd
import whylogs
from measured import NUMBERS, TEXTS, Found, put, run
from whylogs.viz.drift.column_drift_algorithms import KS, ChiSquare, calculate_drift_scores


def work(reference: str, current: str) -> Found:
    """Return every measure it has."""
    columns = NUMBERS + TEXTS
    old, new = (
        whylogs.log(pandas=pd.read_parquet(path, columns=columns)).profile().view()
        for path in (reference, current)
    )
    methods = dict.fromkeys(NUMBERS, KS()) | dict.fromkeys(TEXTS, ChiSquare())
    scores = calculate_drift_scores(new, old, drift_map=methods, with_thresholds=False)
    found: Found = {}
    for name in columns:
        score = scores.get(name) or {}
        for key, measure in (("statistic", "ks" if name in NUMBERS else "chi2_own"), ("pvalue", "p_own")):
            if score.get(key) is not None:
                put(found, name, measure, score[key])
        counts = new.get_column(name).get_metric("counts")
        put(found, name, "missing", counts.null.value / counts.n.value)
    return found


if __name__ == "__main__":
    run("whylogs", work)
