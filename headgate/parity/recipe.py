"""What happens to a request before a model sees it, as a list that can be compared: the recipe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: A parameter whose JSON is longer is kept as its digest: it is compared, not read.
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step, by what makes it what it is.

    Attributes
    ----------
    name
        Unique within its recipe: a step that gets lost is told by it.
    kind
        What sort of step it is, e.g. its class.
    parameters
        Set and learnt, by name; plain JSON, long ones as ``sha256:...``: see `parameters_of`.
    version
        Of the code that runs it, e.g. ``scikit-learn 1.7.2``; empty: not told.
    """

    name: str
    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "parameters": dict(self.parameters),
            "version": self.version,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StepRecord:
        """Return what `to_json` wrote; raises KeyError, TypeError or ValueError where it did not."""
        return cls(
            str(data["name"]), str(data["kind"]), dict(data["parameters"]), str(data.get("version", ""))
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """The steps in the order in which they run."""

    steps: tuple[StepRecord, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the steps, in their order."""
        return tuple(step.name for step in self.steps)

    @property
    def fingerprint(self) -> str:
        """sha256 over names, kinds, parameters, versions and order: two servers with the same run the same.

        Examples
        --------
        >>> minutes, words = StepRecord("minutes", "scale", {"factor": 60.0}), StepRecord("words", "one_hot")
        >>> Recipe((minutes, words)).fingerprint == Recipe((words, minutes)).fingerprint
        False
        """
        return hashlib.sha256(canonical([step.to_json() for step in self.steps]).encode()).hexdigest()


def parameters_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters (plain JSON) as a recipe keeps them: long ones as a digest.

    Examples
    --------
    >>> parameters_of({"factor": 60.0})
    {'factor': 60.0}
    >>> parameters_of({"shares": list(range(100))})["shares"][:14]
    'sha256:9dd50ad'
    """
    kept = {}
    for name, value in values.items():
        text = canonical(value)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        kept[name] = value if len(text) <= _LONGEST else f"sha256:{digest}"
    return kept


def canonical(value: Any) -> str:
    """Return the one JSON text of plain values; floats keep every bit."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def recipe_of(steps: Sequence[StepRecord]) -> Recipe:
    """Return the recipe of these steps.

    Raises
    ------
    ValueError
        If two have the same name: a lost one could not be told.
    """
    names = [step.name for step in steps]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"asked steps with names of their own; found {', '.join(twice)} more than once")
    return Recipe(tuple(steps))
