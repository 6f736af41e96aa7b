"""The Open Inference Protocol, version 2, as JSON: reading a request, writing an answer.

https://github.com/kserve/open-inference-protocol. A request holds named column tensors of shape
[n]: numbers (FP64, FP32, INT64, INT32) or words (BYTES), ``null`` where a value is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from deployments.flights.preprocessing import Columns, Floats, Preprocessing
from headgate.errors import InputError
from headgate.parity import Recipe, wire

NUMBERS = frozenset({"FP64", "FP32", "INT64", "INT32", "INT16", "INT8"})
WORDS = "BYTES"
OUTPUT = "probability"
LARGEST = 10_000
"""Rows in one request; more would keep every other caller waiting."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read.

    Attributes
    ----------
    id
        The caller's own id, given back in the answer; None where there was none.
    rows
        How many, n >= 1.
    columns
        Only the columns the model reads; each of n values.
    stages
        Whether the steps are asked for besides the answer: docs/parity.md.
    """

    id: str | None
    rows: int
    columns: Columns
    stages: bool = False


def read_request(body: bytes, reads: Preprocessing) -> Asked:
    """Return the columns that a model ``reads`` from the body of a request.

    Tensors of other names are left alone: callers send both sides of a rollout the same columns, and
    the incumbent reads fewer of them.

    Raises
    ------
    InputError
        If the body is not such a request. The message names the tensor.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as err:
        raise InputError(f"asked for a JSON object, this is not JSON: {err}") from err
    if not isinstance(request, dict) or not isinstance(request.get("inputs"), list):
        raise InputError("asked for an object with a list of tensors under 'inputs', there is none")
    asked_id = request.get("id")
    if asked_id is not None and not isinstance(asked_id, str):
        raise InputError(f"'id': asked for text, found {_kind(asked_id)}")
    tensors = _by_name(request["inputs"])
    columns: Columns = {}
    rows = 0
    for name in (*reads.numbers, *reads.words):
        tensor = tensors.get(name)
        if tensor is None:
            raise InputError(f"tensor {name!r}: missing; send it, with null where a value is not known")
        data = _data(name, tensor)
        if rows and len(data) != rows:
            raise InputError(f"tensor {name!r}: {len(data)} rows where the tensors before it have {rows}")
        rows = len(data)
        columns[name] = _words(name, tensor, data) if name in reads.words else _numbers(name, tensor, data)
        if name in reads.required and None in data:
            raise InputError(
                f"tensor {name!r}: null in row {data.index(None)}; this model has no answer without it"
            )
    return Asked(asked_id, rows, columns, wire.asks_for_stages(request))


def answer(asked: Asked, chances: Floats, *, name: str, version: str) -> dict[str, Any]:
    """Return the body of an answer: one tensor ``probability`` of n values in [0, 1]."""
    body: dict[str, Any] = {
        "model_name": name,
        "model_version": version,
        "outputs": [{"name": OUTPUT, "datatype": "FP64", "shape": [asked.rows], "data": chances.tolist()}],
    }
    return body if asked.id is None else {**body, "id": asked.id}


def metadata(reads: Preprocessing, *, name: str, version: str, steps: Recipe) -> dict[str, Any]:
    """Return what the model says about itself."""
    return {
        "name": name,
        "versions": [version],
        "platform": "scikit-learn",
        "inputs": [
            *({"name": column, "datatype": "FP64", "shape": [-1]} for column in reads.numbers),
            *({"name": column, "datatype": WORDS, "shape": [-1]} for column in reads.words),
        ],
        "outputs": [{"name": OUTPUT, "datatype": "FP64", "shape": [-1]}],
        "parameters": {wire.FINGERPRINT: steps.fingerprint},
    }


def _by_name(inputs: list[Any]) -> dict[str, dict[str, Any]]:
    tensors: dict[str, dict[str, Any]] = {}
    for position, tensor in enumerate(inputs):
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str):
            raise InputError(
                f"inputs[{position}]: asked for a tensor with a name, found {_kind(tensor)} without"
            )
        if name in tensors:
            raise InputError(f"tensor {name!r}: given twice; send it once")
        tensors[name] = tensor
    return tensors


def _data(name: str, tensor: dict[str, Any]) -> list[Any]:
    data, shape = tensor.get("data"), tensor.get("shape")
    if not isinstance(data, list):
        raise InputError(f"tensor {name!r}: asked for a list under 'data', found {_kind(data)}")
    if shape != [len(data)]:
        raise InputError(
            f"tensor {name!r}: asked for shape [{len(data)}], the length of its data, found {shape!r}"
        )
    if not 1 <= len(data) <= LARGEST:
        raise InputError(f"tensor {name!r}: asked for 1 to {LARGEST} rows, found {len(data)}")
    return data


def _numbers(name: str, tensor: dict[str, Any], data: list[Any]) -> Floats:
    if tensor.get("datatype") not in NUMBERS:
        raise InputError(
            f"tensor {name!r}: asked for datatype FP64 or INT64, found {tensor.get('datatype')!r}"
        )
    for value in data:
        # type() and not isinstance(): True is an int to Python and a mistake to us.
        if type(value) is not float and type(value) is not int and value is not None:
            raise InputError(f"tensor {name!r}: asked for numbers or null, found {_kind(value)}")
    values = np.array(data, dtype=np.float64)
    if np.isinf(values).any():
        raise InputError(f"tensor {name!r}: asked for finite numbers, found an infinite one")
    return values


def _words(name: str, tensor: dict[str, Any], data: list[Any]) -> list[str | None]:
    if tensor.get("datatype") != WORDS:
        raise InputError(f"tensor {name!r}: asked for datatype {WORDS}, found {tensor.get('datatype')!r}")
    for value in data:
        if type(value) is not str and value is not None:
            raise InputError(f"tensor {name!r}: asked for words or null, found {_kind(value)}")
    return data


def _kind(value: Any) -> str:
    """Name the JSON type of a value; the value itself may be a secret and stays out of messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"
