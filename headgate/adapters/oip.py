"""Open Inference Protocol v2 on the wire: columns become a request body, an answer becomes statuses."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from headgate.plan.model import ColumnKind
from headgate.ports import Answers, Status

_DATATYPES = {
    ColumnKind.INTEGER: "INT64",
    ColumnKind.NUMBER: "FP64",
    ColumnKind.CATEGORY: "BYTES",
    ColumnKind.BOOLEAN: "BOOL",
    ColumnKind.TIMESTAMP: "BYTES",
}


class Shared(dict[str, Sequence[Any]]):
    """Columns of a batch that both sides are sent: the body made for one is kept for the other."""

    made: tuple[Mapping[str, ColumnKind], bytes] | None = None


def encode(columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, ColumnKind]) -> bytes:
    """Return the body of an infer request: one tensor of shape [n] per column.

    Missing values and NaN become JSON null; aware timestamps become ISO 8601 text. Columns may be
    lists or numpy arrays.

    Examples
    --------
    >>> encode({"distance": [1400, None]}, {})
    b'{"inputs":[{"name":"distance","shape":[2],"datatype":"INT64","data":[1400,null]}]}'
    """
    if isinstance(columns, Shared) and columns.made is not None and columns.made[0] == kinds:
        return columns.made[1]
    inputs = [
        {"name": name, "shape": [len(values)], "datatype": _datatype(values, kinds.get(name)), "data": values}
        for name, values in columns.items()
    ]
    body = orjson.dumps({"inputs": inputs}, option=orjson.OPT_SERIALIZE_NUMPY)
    if isinstance(columns, Shared):
        columns.made = (kinds, body)
    return body


def _datatype(values: Sequence[Any], kind: ColumnKind | None) -> str:
    if kind is not None:
        return _DATATYPES[kind]
    types = {type(value) for value in values} - {type(None)}
    if types == {bool}:
        return "BOOL"
    if types == {int}:
        return "INT64"
    return "FP64" if types and types <= {int, float} else "BYTES"


def decode(body: bytes, n: int, answers: tuple[float, float]) -> Answers:
    """Return what an infer answer says about n requests.

    A body that is no answer of n values makes the whole batch invalid; a single value that is null,
    no number, not finite or outside ``answers`` makes only its own row invalid. A second tensor named
    ``cost`` of n numbers says what each answer cost; what is no finite number there is unknown.

    Examples
    --------
    >>> body = b'{"model_version":"2","outputs":[{"name":"p","shape":[2],"datatype":"FP64","data":[0.5,7]}]}'
    >>> said = decode(body, 2, (0.0, 1.0))
    >>> said.predictions, said.details
    ([0.5, None], {1: '7 is outside 0 to 1'})
    """
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            # Python servers write NaN and Infinity, which JSON does not know: only those rows are bad.
            said = json.loads(body)
        except (ValueError, RecursionError):
            return all_alike(n, Status.INVALID, f"not JSON: {body[:80]!r}")
    try:
        version, tensor = said.get("model_version"), said["outputs"][0]
        data, datatype = tensor["data"], tensor.get("datatype")
    except (KeyError, IndexError, TypeError, AttributeError):
        return all_alike(n, Status.INVALID, f"no outputs[0].data in the answer: {body[:80]!r}")
    version = None if version is None else str(version)
    if not isinstance(data, list) or len(data) != n:
        found = f"{len(data)}" if isinstance(data, list) else type(data).__name__
        return all_alike(n, Status.INVALID, f"asked {n} values; found {found}", version)

    low, high = answers
    costs = _costs(said, n)
    if n and set(map(type, data)) == {float}:
        values = np.array(data)
        # A NaN makes the smallest and the largest NaN, which is inside of nothing.
        if values.min() >= low and values.max() <= high and np.isfinite(values).all():
            return Answers(data, [Status.OK] * n, version, costs=costs)
    predictions: list[float | None] = []
    details: dict[int, str] = {}
    for row, value in enumerate(data):
        # bool is an int to Python; it is a number here only if the server declares the tensor so.
        number = type(value) in (float, int) or (datatype == "BOOL" and type(value) is bool)
        if number and low <= value <= high and math.isfinite(value):
            predictions.append(float(value))
            continue
        predictions.append(None)
        outside = f"{value} is outside {low:g} to {high:g}"
        details[row] = outside if number else f"{str(value)[:40]!r} is no number"
    statuses = (
        [Status.INVALID if row in details else Status.OK for row in range(n)] if details else [Status.OK] * n
    )
    return Answers(predictions, statuses, version, details, costs)


def _costs(said: Mapping[str, Any], n: int) -> Sequence[float | None]:
    """Return what each of n answers cost; empty where the answer says nothing of n costs."""
    for tensor in said["outputs"][1:]:
        if isinstance(tensor, dict) and tensor.get("name") == "cost":
            data = tensor.get("data")
            if isinstance(data, list) and len(data) == n:
                return [
                    float(value) if type(value) in (float, int) and math.isfinite(value) else None
                    for value in data
                ]
    return ()


def all_alike(n: int, status: Status, reason: str, version: str | None = None) -> Answers:
    """Return the same failure for all n requests of a batch."""
    return Answers([None] * n, [status] * n, version, dict.fromkeys(range(n), reason))
