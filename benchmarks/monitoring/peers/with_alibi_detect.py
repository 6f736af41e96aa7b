"""alibi-detect: its univariate detectors; missing values are left out by hand, as it takes none."""

from __future__ import annotations

import numpy as np
import pandas as pd
from alibi_detect.cd import ChiSquareDrift, KSDrift
from measured import NUMBERS, TEXTS, Found, put, run


def work(reference: str, current: str) -> Found:
    """Return every measure it has."""
    old, new = pd.read_parquet(reference), pd.read_parquet(current)
    found: Found = {}
    for name in NUMBERS:
        x, y = (frame[name].dropna().to_numpy()[:, None] for frame in (old, new))
        put(found, name, "ks", KSDrift(x).predict(y)["data"]["distance"][0])
    for name in TEXTS:
        x, y = (frame[name].dropna() for frame in (old, new))
        codes = pd.CategoricalDtype(sorted({*x.unique(), *y.unique()}))
        x, y = (values.astype(codes).cat.codes.to_numpy(np.int64)[:, None] for values in (x, y))
        detector = ChiSquareDrift(x, categories_per_feature={0: len(codes.categories)})
        put(found, name, "chi2", detector.predict(y)["data"]["distance"][0])
    for name in NUMBERS + TEXTS:
        put(found, name, "missing", new[name].isna().mean())
    return found


if __name__ == "__main__":
    run("alibi-detect", work)
