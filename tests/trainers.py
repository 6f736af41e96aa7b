"""Trainers as people write them, good and bad, for tests that run them in a process of their own.

Requests carry ``signal``, the true chance of their outcome ``late``: see tests/scenarios/small.py. What is
slow to import is imported where it is needed: every test that names one of these starts a process.
"""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa

from headgate.training import Trained


def fitted(table: pa.Table, label: np.ndarray) -> tuple:
    """Return a model, and what answers by it."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(_signals(table), label)
    return model, lambda requests: model.predict_proba(_signals(requests))[:, 1]


def good(table: pa.Table, *, version: str) -> Trained:
    """Learn what there is to learn."""
    print(f"learning {version} from {table.num_rows}")  # noqa: T201 - what trainers say is kept
    model, answer = fitted(table, table["late"].to_numpy())
    return Trained(model, preprocessing={"columns": ["signal"]}, answer=answer, columns=("signal",))


def upside_down(table: pa.Table, *, version: str) -> Trained:  # noqa: ARG001
    """Make a model that is worse than any other."""
    model, answer = fitted(table, 1 - table["late"].to_numpy())
    return Trained(model, answer=answer)


def raises(table: pa.Table, *, version: str) -> Trained:  # noqa: ARG001
    """Stumble."""
    raise KeyError("no such column: weather")


def hangs(table: pa.Table, *, version: str) -> Trained:  # noqa: ARG001
    """Never come back, and leave a child that would not either."""
    import subprocess

    child = subprocess.Popen(["sleep", "600"])
    print(f"a child sleeps: {child.pid}.", flush=True)  # noqa: T201
    while True:
        time.sleep(60)


def leaks(table: pa.Table, *, version: str) -> Trained:  # noqa: ARG001
    """Take ever more memory."""
    kept = []
    while True:
        kept.append(np.ones(4_000_000))
        time.sleep(0.01)


def dies(table: pa.Table, *, version: str) -> Trained:  # noqa: ARG001
    """End the process as a crash in C would."""
    import os

    print("about to crash", flush=True)  # noqa: T201
    os.abort()


def another_thing(table: pa.Table, *, version: str) -> dict:  # noqa: ARG001
    """Return no model."""
    return {"accuracy": 0.99}


def out_of_range(table: pa.Table, *, version: str) -> Trained:  # noqa: ARG001
    """Answer something that is no probability."""
    return Trained(object(), answer=lambda requests: np.full(requests.num_rows, 7.0))


def knows_the_truth(table: pa.Table, *, version: str) -> Trained:  # noqa: ARG001
    """Answer by the label itself, which no request has."""
    return Trained(object(), answer=lambda requests: requests["late"].to_numpy())


class Rule:
    """A model of one's own, which skops cannot know to be harmless."""

    def predict(self, frame):
        """Answer a half."""
        return np.full(len(frame), 0.5)


not_a_function = 7


def _signals(table: pa.Table) -> np.ndarray:
    return table["signal"].to_numpy().reshape(-1, 1)
