"""Golden examples of a model that was just trained: what its server will be held against."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from headgate.errors import TrainingError
from headgate.parity import EXAMPLES, TOLERANCE, Chain, Golden, choose, inputs_of, record
from headgate.parity.pipeline import chain_of
from headgate.plan.model import Plan
from headgate.training.trained import Trained, answers_of


def golden_of(trained: Trained, requests: pa.Table, plan: Plan, version: str, trainer: str) -> Golden:
    """Record golden examples, chosen from the requests it learned from.

    Parameters
    ----------
    requests
        With the columns that models are sent, and no others.

    Raises
    ------
    TrainingError
        If the steps that the trainer names fail, or do not lead to the model's answers.
    """
    examples = choose(requests, EXAMPLES)
    right = answers_of(trained, examples, plan, trainer)
    model = plan.candidate.model
    if trained.chain is not None:
        asked = f"asked the steps that {trainer} names for the model's answers"
        try:
            found = record(trained.chain, examples, model=model, version=version)
        except Exception as err:  # its author's code: whatever went wrong, say where
            raise TrainingError(f"{asked}; found {type(err).__name__}: {err}; mend its `chain`") from err
        if not _same(found.answers, right):
            raise TrainingError(f"{asked}; they lead to others; mend its `chain`, or leave it out")
        return found
    found_out = _of_a_pipeline(trained, examples, plan, version)
    if found_out is not None and _same(found_out.answers, right):
        return found_out
    return Golden(model, version, inputs_of(examples), None, (), tuple(right.tolist()))


def _of_a_pipeline(trained: Trained, examples: pa.Table, plan: Plan, version: str) -> Golden | None:
    """Return what is recorded of a scikit-learn pipeline; None where it is none, or a strange one."""
    probability = plan.prediction.kind == "probability"

    def answer(last: Any, read: Any) -> Any:
        return last.predict_proba(read)[:, 1] if probability else last.predict(read)

    try:
        chain: Chain | None = chain_of(trained.model, lambda requests: requests.to_pandas(), answer)
        if chain is None:
            return None
        return record(chain, examples, model=plan.candidate.model, version=version)
    except Exception:  # noqa: BLE001 - steps of others, taken apart: what cannot be is known by its answers
        return None


def _same(found: Any, right: Any) -> bool:
    return bool(np.allclose(np.asarray(found), np.asarray(right), rtol=TOLERANCE, atol=TOLERANCE))
