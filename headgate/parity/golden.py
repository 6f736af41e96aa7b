"""What is recorded of a model at training: its recipe, and what becomes of a few requests at every step.

Besides what does happen, the record holds what would: the answers with one step missing, and with two
neighbours the other way round. A server that tells nothing of its steps shows an accident by its answers.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa

from headgate.parity.chain import Chain, Columns, Step, answered, plain, run
from headgate.parity.recipe import Recipe


class Slip(StrEnum):
    """How preprocessing can differ from what was recorded."""

    DROPPED = "dropped"
    ADDED = "added"
    REORDERED = "reordered"
    CHANGED = "changed"  # other parameters, or another kind
    VALUES = "values"  # told as recorded, and it does something else
    ANSWERS = "answers"  # the model answers otherwise, and no step explains it
    UNTOLD = "untold"  # the steps were to be compared, and are not known
    VERSION = "version"  # other code that gives the same values: told, and no failure


@dataclass(frozen=True, slots=True)
class Accident:
    """What the model would answer after a slip with its steps; ``steps`` as recorded."""

    slip: Slip
    steps: tuple[str, ...]
    answers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Golden:
    """Golden examples of one version of a model.

    Attributes
    ----------
    inputs
        n requests, as models are sent them.
    recipe
        None: nothing is known of its steps, only the answers are.
    stages
        Per step of the recipe the columns that it added or changed, n values each.
    answers
        n answers.
    accidents
        See `Accident`; only those that change an answer and that the model survives.
    """

    model: str
    version: str
    inputs: Columns
    recipe: Recipe | None
    stages: tuple[Columns, ...]
    answers: tuple[float, ...]
    accidents: tuple[Accident, ...] = ()

    @property
    def rows(self) -> int:
        """How many examples there are."""
        return len(self.answers)

    @property
    def fingerprint(self) -> str | None:
        """That of the recipe; None where there is none."""
        return self.recipe.fingerprint if self.recipe is not None else None

    def summary(self) -> dict[str, Any]:
        """Return what a model card says of it, plain JSON."""
        return {
            "fingerprint": self.fingerprint,
            "steps": list(self.recipe.names) if self.recipe is not None else None,
            "examples": self.rows,
        }


def record(chain: Chain, examples: pa.Table, *, model: str, version: str) -> Golden:
    """Record a model as it was trained.

    Parameters
    ----------
    examples
        A few requests, with the columns that models are sent: see `headgate.parity.choose`.

    Raises
    ------
    ValueError
        If there is no request, two steps have one name, or an answer is not finite.
    """
    stages = run(chain, examples)
    if not np.isfinite(stages.answers).all():
        raise ValueError("asked finite answers to the golden examples; found one that is not")
    return Golden(
        model=model,
        version=version,
        inputs=inputs_of(examples),
        recipe=chain.recipe,
        stages=stages.values,
        answers=stages.answers,
        accidents=tuple(_accidents(chain, examples, stages.answers)),
    )


def inputs_of(requests: pa.Table) -> dict[str, list[Any]]:
    """Return requests as plain columns."""
    return plain({name: requests[name].to_pylist() for name in requests.column_names})


def _accidents(chain: Chain, requests: pa.Table, right: Sequence[float]) -> list[Accident]:
    steps = chain.steps
    slips: list[tuple[Slip, tuple[str, ...], tuple[Step, ...]]] = [
        (Slip.DROPPED, (step.record.name,), steps[:i] + steps[i + 1 :]) for i, step in enumerate(steps)
    ]
    for i in range(len(steps) - 1):
        pair = (steps[i].record.name, steps[i + 1].record.name)
        slips.append((Slip.REORDERED, pair, (*steps[:i], steps[i + 1], steps[i], *steps[i + 2 :])))
    found = []
    for slip, names, others in slips:
        answers = _survived(replace(chain, steps=others), requests)
        if answers is not None and answers != tuple(right):
            found.append(Accident(slip, names, answers))
    return found


def _survived(chain: Chain, requests: pa.Table) -> tuple[float, ...] | None:
    """Return the answers of a chain that is not as it should be; None where there are none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = chain.start(requests)
            for step in chain.steps:
                state = step.run(state)
            answers = answered(chain, state)
    except Exception:  # noqa: BLE001 - the author's steps, run as they never should be: any failure is one
        return None
    return answers if len(answers) == requests.num_rows and np.isfinite(answers).all() else None


def columns_from(data: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return columns as read from JSON."""
    return {str(name): list(values) for name, values in data.items()}
