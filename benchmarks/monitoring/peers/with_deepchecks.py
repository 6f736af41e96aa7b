"""deepchecks: its feature drift check twice, for both of its methods; it draws its usual 100,000 rows."""

from __future__ import annotations

import pandas as pd
from deepchecks.tabular import Dataset
from deepchecks.tabular.checks import FeatureDrift
from measured import NUMBERS, TEXTS, Found, put, run

#: Its earth mover's distance is a share of the range; Cramer's V has no counterpart in Headgate.
METHODS = (("KS", "PSI", "ks", "psi_own"), ("EMD", "cramers_v", "emd_own", "cramers_v"))


def work(reference: str, current: str) -> Found:
    """Return every measure it has."""
    columns = NUMBERS + TEXTS
    old, new = pd.read_parquet(reference, columns=columns), pd.read_parquet(current, columns=columns)
    train, test = (Dataset(frame, cat_features=TEXTS) for frame in (old, new))
    found: Found = {}
    for number_method, text_method, number_measure, text_measure in METHODS:
        check = FeatureDrift(numerical_drift_method=number_method, categorical_drift_method=text_method)
        values = check.run(train, test).value
        for name in columns:
            measure = number_measure if name in NUMBERS else text_measure
            if (score := values[name]["Drift score"]) is not None:
                put(found, name, measure, score)
    for name in columns:
        put(found, name, "missing", new[name].isna().mean())
    return found


if __name__ == "__main__":
    run("deepchecks", work)
