"""Steps that can be run: the same chain is recorded at training and tells of itself where it is served."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from headgate.parity.recipe import Recipe, StepRecord, recipe_of

Floats: TypeAlias = npt.NDArray[np.float64]
Columns: TypeAlias = Mapping[str, Sequence[Any]]
"""n values per name: numbers, texts or booleans; None where one is missing."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step, and how it is run.

    Attributes
    ----------
    record
        What it is.
    run
        Takes what the step before gave, and returns what the next one gets; leaves its argument alone.
    """

    record: StepRecord
    run: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """From requests to answers, one step at a time.

    Attributes
    ----------
    steps
        In the order in which they run.
    start
        Takes n requests as they come (training: a `pyarrow.Table`) and returns what the first step gets.
    shown
        Takes what a step gives, or `start`, and returns it as columns of n values.
    answer
        Takes what the last step gives and returns n answers: the model itself.
    """

    steps: tuple[Step, ...]
    start: Callable[[Any], Any]
    shown: Callable[[Any], Mapping[str, Any]]
    answer: Callable[[Any], Any]

    @property
    def recipe(self) -> Recipe:
        """What the steps are."""
        return recipe_of([step.record for step in self.steps])


@dataclass(frozen=True, slots=True)
class Stages:
    """What became of n requests.

    Attributes
    ----------
    values
        Per step the columns that it added or changed, in any of the n rows.
    answers
        n answers.
    """

    values: tuple[Columns, ...]
    answers: tuple[float, ...]


def run(chain: Chain, requests: Any) -> Stages:
    """Run n requests through every step, and keep what each did."""
    state = chain.start(requests)
    before, values = plain(chain.shown(state)), []
    for step in chain.steps:
        state = step.run(state)
        after = plain(chain.shown(state))
        values.append({name: after[name] for name in after if before.get(name) != after[name]})
        before = after
    return Stages(tuple(values), answered(chain, state))


def answered(chain: Chain, state: Any) -> tuple[float, ...]:
    """Return the model's answers to what the last step gave."""
    return tuple(np.asarray(chain.answer(state), dtype=np.float64).tolist())


def plain(columns: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return columns as JSON has them: NaN is missing, a time is its ISO 8601 text.

    Examples
    --------
    >>> plain({"a": np.array([1.5, np.nan]), "b": ["x", None]})
    {'a': [1.5, None], 'b': ['x', None]}
    """
    return {name: [_plain(value) for value in _listed(values)] for name, values in columns.items()}


def _listed(values: Any) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        return None
    return value.isoformat() if isinstance(value, datetime) else value
