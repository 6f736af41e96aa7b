"""Evidently: one report with every drift method and the missing values of every column."""

from __future__ import annotations

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import MissingValueCount, ValueDrift
from measured import NUMBERS, TEXTS, Found, put, run

#: Its Wasserstein distance is in standard deviations, its Jensen-Shannon distance to the base e; KS and
#: chi-square answer with p-values, and the latter takes the reference for the truth (one sample, not two).
NUMERIC = {"psi": "psi_own", "jensenshannon": "js_own", "ks": "ks_p", "wasserstein": "wasserstein_sd"}
CATEGORICAL = {"psi": "psi_own", "jensenshannon": "js_e", "chisquare": "chi2_p_own"}


def work(reference: str, current: str) -> Found:
    """Return every measure it has."""
    shape = DataDefinition(numerical_columns=NUMBERS, categorical_columns=TEXTS)
    old, new = (
        Dataset.from_pandas(pd.read_parquet(path, columns=NUMBERS + TEXTS), data_definition=shape)
        for path in (reference, current)
    )
    asked = [(name, method, measure) for name in NUMBERS for method, measure in NUMERIC.items()]
    asked += [(name, method, measure) for name in TEXTS for method, measure in CATEGORICAL.items()]
    metrics = [ValueDrift(column=name, method=method) for name, method, _ in asked]
    missing = [MissingValueCount(column=name) for name in NUMBERS + TEXTS]
    answers = Report([*metrics, *missing]).run(new, old).dict()["metrics"]
    found: Found = {}
    for (name, _, measure), answer in zip(asked, answers, strict=False):
        put(found, name, measure, answer["value"])
    for name, answer in zip(NUMBERS + TEXTS, answers[len(asked) :], strict=True):
        put(found, name, "missing", answer["value"]["share"])
    return found


if __name__ == "__main__":
    run("evidently", work)
