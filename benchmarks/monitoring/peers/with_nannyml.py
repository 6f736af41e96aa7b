"""NannyML: its univariate drift and missing-value calculators over one chunk."""

from __future__ import annotations

import nannyml
import pandas as pd
from measured import NUMBERS, TEXTS, Found, put, run

CONTINUOUS = {"kolmogorov_smirnov": "ks", "jensen_shannon": "js_own", "wasserstein": "wasserstein"}
CATEGORICAL = {"chi2": "chi2", "jensen_shannon": "js"}


def work(reference: str, current: str) -> Found:
    """Return every measure it has."""
    old, new = pd.read_parquet(reference), pd.read_parquet(current)
    found: Found = {}
    drift = nannyml.UnivariateDriftCalculator(
        column_names=NUMBERS + TEXTS,
        treat_as_categorical=TEXTS,
        continuous_methods=list(CONTINUOUS),
        categorical_methods=list(CATEGORICAL),
        chunk_number=1,
    )
    drift.fit(old)
    table = drift.calculate(new).filter(period="analysis").to_df()
    for names, methods in ((NUMBERS, CONTINUOUS), (TEXTS, CATEGORICAL)):
        for name in names:
            for method, measure in methods.items():
                put(found, name, measure, table[name, method, "value"].iloc[0])
    missing = nannyml.MissingValuesCalculator(column_names=NUMBERS + TEXTS, chunk_number=1)
    missing.fit(old)
    table = missing.calculate(new).filter(period="analysis").to_df()
    for name in NUMBERS + TEXTS:
        put(found, name, "missing", table[name, "value"].iloc[0])
    return found


if __name__ == "__main__":
    run("nannyml", work)
