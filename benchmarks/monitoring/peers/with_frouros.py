"""frouros: one detector per column and measure; missing values are left out by hand, as it takes none."""

from __future__ import annotations

import numpy as np
import pandas as pd
from frouros.detectors.data_drift import EMD, JS, PSI, ChiSquareTest, KSTest
from measured import NUMBERS, TEXTS, Found, put, run


def work(reference: str, current: str) -> Found:
    """Return every measure it has."""
    old, new = pd.read_parquet(reference), pd.read_parquet(current)
    found: Found = {}
    for name in NUMBERS:
        x, y = old[name].dropna().to_numpy(), new[name].dropna().to_numpy()
        for measure, detector in (("psi_own", PSI()), ("js_own", JS()), ("wasserstein", EMD())):
            detector.fit(X=x)
            put(found, name, measure, detector.compare(X=y)[0].distance)
        test = KSTest()
        test.fit(X=x)
        put(found, name, "ks", test.compare(X=y)[0].statistic)
    for name in TEXTS:
        x, y = (frame[name].dropna().to_numpy(dtype=np.str_) for frame in (old, new))
        test = ChiSquareTest()
        test.fit(X=x)
        put(found, name, "chi2", test.compare(X=y)[0].statistic)
    for name in NUMBERS + TEXTS:
        put(found, name, "missing", new[name].isna().mean())
    return found


if __name__ == "__main__":
    run("frouros", work)
