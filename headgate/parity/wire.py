r"""How a server tells of its steps: an extension of the Open Inference Protocol v2 that others may ignore.

The metadata answer carries ``"parameters": {"steps_sha256": FINGERPRINT}``. An infer request with
``"parameters": {"headgate_stages": true}`` is answered as always; after the answer, which stays the first
output, come the steps (one JSON text each) and the columns that each of them added or changed:

    {"model_version": "gbm-2", "parameters": {"steps_sha256": "5d0c..."}, "outputs": [
      {"name": "probability", "datatype": "FP64", "shape": [2], "data": [0.21, 0.18]},
      {"name": "headgate/steps", "datatype": "BYTES", "shape": [1], "data": ["{\"name\":\"minutes\", ...}"]},
      {"name": "headgate/stage/0/sched_dep", "datatype": "FP64", "shape": [2], "data": [300.0, 1065.0]}]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from headgate.errors import ModelRefused
from headgate.parity.chain import Columns, Stages
from headgate.parity.recipe import Recipe, StepRecord, canonical, recipe_of

#: Of a request: the stages are asked for. Of an answer, and of metadata: the fingerprint.
ASKED, FINGERPRINT = "headgate_stages", "steps_sha256"
_STEPS, _STAGE = "headgate/steps", "headgate/stage/"


@dataclass(frozen=True, slots=True)
class Told:
    """What a server says to golden examples.

    Attributes
    ----------
    answers
        n answers; None where it had none.
    recipe, stages
        None where it tells nothing of its steps.
    fingerprint
        Of its steps, as it tells it; None where it does not.
    """

    version: str | None
    answers: tuple[float | None, ...]
    recipe: Recipe | None = None
    stages: tuple[Columns, ...] | None = None
    fingerprint: str | None = None


def asks_for_stages(body: Mapping[str, Any]) -> bool:
    """Say whether a request, as JSON was read, asks for them."""
    parameters = body.get("parameters")
    return isinstance(parameters, dict) and parameters.get(ASKED) is True


def asking(body: bytes) -> bytes:
    """Return the body of an infer request with the stages asked for besides."""
    asked: dict[str, Any] = orjson.loads(body)
    return orjson.dumps({**asked, "parameters": {**asked.get("parameters", {}), ASKED: True}})


def with_stages(answer: Mapping[str, Any], recipe: Recipe, stages: Stages) -> dict[str, Any]:
    """Return the body of an answer with what a server tells of its steps."""
    steps = [canonical(step.to_json()) for step in recipe.steps]
    tensors: list[dict[str, Any]] = [
        {"name": _STEPS, "datatype": "BYTES", "shape": [len(steps)], "data": steps}
    ]
    for position, columns in enumerate(stages.values):
        for name, values in columns.items():
            shape = [len(values)]
            tensor = {"name": f"{_STAGE}{position}/{name}", "datatype": _datatype(values), "shape": shape}
            tensors.append({**tensor, "data": values})
    parameters = {**answer.get("parameters", {}), FINGERPRINT: recipe.fingerprint}
    return {**answer, "parameters": parameters, "outputs": [*answer["outputs"], *tensors]}


def read(body: bytes, n: int) -> Told:
    """Return what a server says to n golden examples.

    Raises
    ------
    ModelRefused
        If it is no answer to n requests, or tells of its steps in another way than above.
    """
    try:
        said = json.loads(body)
        answers, *others = said["outputs"]
        version = said.get("model_version")
        data = answers["data"]
        if not isinstance(data, list) or len(data) != n:
            raise ModelRefused(f"asked {n} answers to the golden examples; found {str(data)[:80]}")
        recipe, stages = _told(others, n)
        fingerprint = (said.get("parameters") or {}).get(FINGERPRINT)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as err:
        raise ModelRefused(
            f"asked an answer of the Open Inference Protocol v2 with its stages; found {body[:120]!r} "
            f"({type(err).__name__}: {err}); docs/parity.md shows the form"
        ) from err
    numbers = tuple(_number(value) for value in data)
    told = fingerprint if isinstance(fingerprint, str) else None
    return Told(None if version is None else str(version), numbers, recipe, stages, told)


def _told(tensors: list[dict[str, Any]], n: int) -> tuple[Recipe | None, tuple[Columns, ...] | None]:
    found = {tensor["name"]: tensor["data"] for tensor in tensors}
    if _STEPS not in found:
        return None, None
    recipe = recipe_of([StepRecord.from_json(json.loads(text)) for text in found[_STEPS]])
    stages: list[dict[str, Any]] = [{} for _ in recipe.steps]
    for name, data in found.items():
        if name.startswith(_STAGE):
            position, _, column = name.removeprefix(_STAGE).partition("/")
            if len(data) != n:
                raise ValueError(f"{len(data)} values in {name}")
            stages[int(position)][column] = list(data)
    return recipe, tuple(stages)


def _datatype(values: Any) -> str:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        return "BOOL"
    return "FP64" if kinds <= {int, float} else "BYTES"


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float, bool) else None
