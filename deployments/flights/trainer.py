"""The example's trainer: gradient boosting with the settings of ``gbm-2``, on whatever window it is given.

    retrain: {trainer: "deployments.flights.trainer:train", window: 90d, holdout: 21d}

Headgate calls it in a process of its own with the requests that may be learned from, and keeps what it
returns in the form that `deployments.flights.serving` serves.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from deployments.flights.shelf import TRUSTED, Shelved
from deployments.flights.steps import chain_of
from deployments.flights.training import columns_of, fit_boosting
from headgate.training import Trained


def train(table: pa.Table, *, version: str) -> Trained:  # noqa: ARG001 - the signature of a trainer
    """Fit gradient boosting to a table of requests with their outcome ``late``."""
    late = table["late"].to_numpy().astype(np.int8)
    # A second thread gains little on so few rows, and on a busy machine costs ten times as much.
    with threadpool_limits(1):
        estimator, preprocessing = fit_boosting(columns_of(table), late)
    fitted = Shelved(estimator, preprocessing, {})
    return Trained(
        estimator,
        preprocessing=preprocessing.to_json(),
        answer=lambda requests: fitted.probability(columns_of(requests)),
        columns=(*preprocessing.numbers, *preprocessing.words),
        trusted=TRUSTED,
        chain=chain_of(preprocessing, estimator, columns_of),
    )
