"""What happens to a request before a model sees it: an ordered tuple of named steps.

Training learns the steps and serving runs the very same ones, so there is nothing to write twice.
A step is plain data (it goes to JSON and back) and every step has a name, so that a step that got
lost can be named.

The departure time shows why. On the wire ``sched_dep`` is in hours, the models were trained on
minutes, and the step ``departure-minutes`` stands between the two. Without it every flight seems to leave
a few minutes past midnight: nothing breaks, no column is missing, only the answers are wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from headgate.errors import InputError

Floats: TypeAlias = npt.NDArray[np.float64]
Column: TypeAlias = Floats | Sequence[str | None]
"""n values: numbers with NaN where missing, or words with None where missing."""
Columns: TypeAlias = dict[str, Column]


@dataclass(frozen=True, slots=True)
class Scale:
    """Multiply a column of numbers, to change its unit."""

    name: str
    column: str
    factor: float
    kind: ClassVar[str] = "scale"

    def __call__(self, columns: Columns) -> Columns:
        """Return the columns with the scaled one in place of the old."""
        return {**columns, self.column: _numbers(columns, self.column) * self.factor}


@dataclass(frozen=True, slots=True)
class Standardise:
    """Shift and stretch a column of numbers to mean 0 and standard deviation 1 in training."""

    name: str
    column: str
    mean: float
    deviation: float
    kind: ClassVar[str] = "standardise"

    def __call__(self, columns: Columns) -> Columns:
        """Return the columns with the standardised one in place of the old."""
        return {**columns, self.column: (_numbers(columns, self.column) - self.mean) / self.deviation}


@dataclass(frozen=True, slots=True)
class OneHot:
    """Replace a column of words by one 0/1 column ``column=word`` per word seen in training.

    A word that training never saw, and a missing one, is 0 everywhere.
    """

    name: str
    column: str
    words: tuple[str, ...]
    kind: ClassVar[str] = "one_hot"

    def __call__(self, columns: Columns) -> Columns:
        """Return the columns without the words and with their indicators."""
        found = _words(columns, self.column)
        rest = {name: values for name, values in columns.items() if name != self.column}
        hot = {
            f"{self.column}={word}": np.array([value == word for value in found], dtype=np.float64)
            for word in self.words
        }
        return {**rest, **hot}


@dataclass(frozen=True, slots=True)
class ShareLate:
    """Replace each word by the share of late flights it had in training, drawn to the mean.

    Trees then split words by how late they tend to be. A word that training never saw, and a missing
    one, gets ``otherwise``, the share over all flights.
    """

    name: str
    column: str
    shares: Mapping[str, float]
    otherwise: float
    kind: ClassVar[str] = "share_late"

    def __call__(self, columns: Columns) -> Columns:
        """Return the columns with numbers in place of the words."""
        shares, otherwise = self.shares, self.otherwise
        found = _words(columns, self.column)
        numbers = np.array([shares.get(word, otherwise) for word in found], dtype=np.float64)  # type: ignore[arg-type]
        return {**columns, self.column: numbers}


Step: TypeAlias = Scale | Standardise | OneHot | ShareLate
_KINDS: dict[str, type[Step]] = {step.kind: step for step in (Scale, Standardise, OneHot, ShareLate)}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The steps in their order, and the order of the features the model was trained on.

    Attributes
    ----------
    numbers, words
        Columns that must arrive: the request's part of the contract.
    steps
        Applied first to last.
    features
        Columns of the matrix, left to right.
    required
        Numbers without which the model has no answer; others may be missing.
    """

    numbers: tuple[str, ...]
    words: tuple[str, ...]
    steps: tuple[Step, ...]
    features: tuple[str, ...]
    required: tuple[str, ...] = ()

    def matrix(self, columns: Columns) -> Floats:
        """Return the n x k matrix of features for n requests.

        Raises
        ------
        InputError
            If a column is missing or still holds words after the last step.
        """
        for step in self.steps:
            columns = step(columns)
        return stacked(columns, self.features)

    def without(self, name: str) -> Preprocessing:
        """Return the same steps but one: the accident that a gate must catch.

        Raises
        ------
        InputError
            If there is no step of that name.
        """
        kept = tuple(step for step in self.steps if step.name != name)
        if len(kept) == len(self.steps):
            raise InputError(f"asked to lose step {name!r}; the steps are {', '.join(s.name for s in kept)}")
        return replace(self, steps=kept)

    @property
    def fingerprint(self) -> str:
        """sha256 of the canonical JSON: two servers with the same one feed their models the same."""
        body = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(body.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; numbers keep every bit."""
        return {
            "numbers": list(self.numbers),
            "words": list(self.words),
            "steps": [{"kind": step.kind, **asdict(step)} for step in self.steps],
            "features": list(self.features),
            "required": list(self.required),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessing:
        """Return what `to_json` wrote.

        Raises
        ------
        InputError
            If a key or a kind of step is not known.
        """
        try:
            steps = tuple(_step(dict(item)) for item in data["steps"])
            names = (tuple(data[key]) for key in ("numbers", "words", "features", "required"))
            numbers, words, features, required = names
            return cls(numbers, words, steps, features, required)
        except (KeyError, TypeError) as err:
            raise InputError(
                f"these preprocessing steps cannot be read: {err!r}; train the model again"
            ) from err


def stacked(columns: Columns, features: Sequence[str]) -> Floats:
    """Return the n x k matrix of these columns, left to right.

    Raises
    ------
    InputError
        If one is missing or holds words.
    """
    return np.column_stack([_numbers(columns, feature) for feature in features])


def _step(data: dict[str, Any]) -> Step:
    kind = _KINDS[data.pop("kind")]
    if "words" in data:
        data["words"] = tuple(data["words"])
    return kind(**data)


def _numbers(columns: Columns, name: str) -> Floats:
    values = columns.get(name)
    if isinstance(values, np.ndarray):
        return values
    found = "nothing" if values is None else "words"
    raise InputError(f"asked for numbers in {name!r}, found {found}; a step is missing or out of order")


def _words(columns: Columns, name: str) -> Sequence[str | None]:
    values = columns.get(name)
    if values is None or isinstance(values, np.ndarray):
        found = "nothing" if values is None else "numbers"
        raise InputError(f"asked for words in {name!r}, found {found}; a step is missing or out of order")
    return values
