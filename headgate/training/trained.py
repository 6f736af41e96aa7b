"""What a trainer returns, and what is asked of it before anything is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headgate.errors import TrainingError
from headgate.parity import Chain
from headgate.plan.model import Plan

Floats = npt.NDArray[np.float64]
Answer = Callable[[pa.Table], Any]
"""n requests, with the columns that models are sent, to n answers."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted model and everything it needs to answer.

    Attributes
    ----------
    model
        A fitted scikit-learn estimator or pipeline; it is kept with skops, which stores no code.
    preprocessing
        Plain JSON that is kept in the same file: what happens to a request before the model sees it.
    answer
        Answers n requests as the served model will: probabilities of 1, labels, or numbers. None: the model
        itself is asked, with a data frame of the requests (``predict_proba``'s second column, else
        ``predict``).
    columns
        Columns of a request that the model reads; empty: all that are sent.
    trusted
        Types in the model that skops does not know and the trainer vouches for.
    chain
        The steps before the model, so that golden examples of each are recorded: docs/parity.md. None: those
        of a scikit-learn pipeline are found; of any other model the answers alone are recorded.
    """

    model: Any
    preprocessing: Mapping[str, Any] | None = None
    answer: Answer | None = None
    columns: Sequence[str] = ()
    trusted: Sequence[str] = field(default=())
    chain: Chain | None = None


def returned(found: Any, trainer: str) -> Trained:
    """Return what a trainer returned, if it is a model.

    Raises
    ------
    TrainingError
        If it is something else.
    """
    if isinstance(found, Trained):
        return found
    if hasattr(found, "predict"):
        return Trained(found)
    raise TrainingError(
        f"asked {trainer} for a headgate.training.Trained, or a fitted scikit-learn model; found "
        f"{type(found).__name__}; return one"
    )


def answers_of(trained: Trained, requests: pa.Table, plan: Plan, trainer: str) -> Floats:
    """Return the model's answers to n requests, shape (n,), checked against the plan.

    Raises
    ------
    TrainingError
        If the model reads columns that requests do not have, fails, or answers otherwise than the plan says.
    """
    asked = f"asked the model of {trainer} for {requests.num_rows} answers"
    strangers = sorted(set(trained.columns) - set(requests.column_names))
    if strangers:
        raise TrainingError(
            f"{asked}; it reads {', '.join(strangers)}, which no request has "
            f"(it has {', '.join(requests.column_names)}); train on the columns of the plan's input alone"
        )
    try:
        found = np.asarray((trained.answer or _by_itself(trained.model, plan))(requests), dtype=np.float64)
    except Exception as err:  # its author's code: whatever went wrong, say where
        raise TrainingError(
            f"{asked} with the columns {', '.join(requests.column_names)}; it raised "
            f"{type(err).__name__}: {err}; the label and the time are there in training and never in a "
            "request"
        ) from err
    if found.shape != (requests.num_rows,):
        raise TrainingError(f"{asked}, one each; found shape {found.shape}; return one number per request")
    _refuse_strange(found, plan, asked)
    return found


def _refuse_strange(found: Floats, plan: Plan, asked: str) -> None:
    low, high = plan.answers
    wrong = ~((found >= low) & (found <= high) & np.isfinite(found))
    if plan.prediction.kind == "label":
        wrong |= (found != 0) & (found != 1)
    if not wrong.any():
        return
    kinds = {"probability": "probabilities", "label": "labels 0 or 1", "number": "numbers"}
    within = f" from {low:g} to {high:g}" if np.isfinite([low, high]).all() else ""
    raise TrainingError(
        f"{asked} that are {kinds[plan.prediction.kind]}{within}; found {found[int(np.argmax(wrong))]:g} and "
        f"{int(wrong.sum()) - 1} more that are not; train another model, or correct `prediction` in the plan"
    )


def _by_itself(model: Any, plan: Plan) -> Answer:
    """Ask a plain scikit-learn model, as nothing else is said."""
    if plan.prediction.kind == "probability":
        classes = [float(one) for one in getattr(model, "classes_", ())]
        if classes != [0.0, 1.0]:
            raise TrainingError(
                f"asked a model of the classes 0 and 1, for probabilities of 1; found the classes {classes}; "
                "train on labels of both kinds, or return an `answer` of your own"
            )
        return lambda requests: model.predict_proba(requests.to_pandas())[:, 1]
    return lambda requests: model.predict(requests.to_pandas())
