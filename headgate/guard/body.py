"""The body of a request: one row in the Open Inference Protocol v2, read strictly."""

from __future__ import annotations

from typing import Any

import orjson

from headgate.guard.problems import Problem, Refused

#: Datatypes of the protocol. They are not used to convert anything: the contract looks at the values.
DATATYPES = (
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64",
    "BYTES",
)  # fmt: skip
KEYS = ("id", "inputs", "parameters", "outputs")
MOST_COLUMNS = 2_000
_SHAPES = ([1], [1, 1])
_ONE_ROW = 'one row: {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1.5]}]}'


def read_body(body: bytes) -> tuple[dict[str, Any], str | None]:
    """Return the values of a request by column, and the id it names itself by, if any.

    Raises
    ------
    Refused
        If it is not JSON (400), or is not one row (422).
    """
    try:
        said = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as err:
        raise Refused(Problem(400, "malformed", f"asked JSON in UTF-8; found {err}; mend the body")) from None
    if not isinstance(said, dict):
        raise _no_row("#", f"a JSON {_kind(said)}")
    if foreign := sorted(set(said) - set(KEYS)):
        raise _no_row(f"#/{_pointer(foreign[0])}", f"the key {foreign[0][:40]!r}")
    own = said.get("id")
    if own is not None and not isinstance(own, str):
        raise _no_row("#/id", f"an id that is a JSON {_kind(own)}")
    inputs = said.get("inputs")
    if not isinstance(inputs, list) or not 0 < len(inputs) <= MOST_COLUMNS:
        found = f"{len(inputs)} tensors" if isinstance(inputs, list) else _kind(inputs)
        raise _no_row("#/inputs", found)
    row: dict[str, Any] = {}
    for i, tensor in enumerate(inputs):
        name, value = _tensor(tensor, f"#/inputs/{i}")
        if name in row:
            raise _no_row(f"#/inputs/{i}/name", f"the column {name[:40]!r} twice")
        row[name] = value
    return row, own or None


def _tensor(tensor: Any, at: str) -> tuple[str, Any]:
    if not isinstance(tensor, dict):
        raise _no_row(at, f"a JSON {_kind(tensor)}")
    name, data = tensor.get("name"), tensor.get("data")
    if not isinstance(name, str) or not name:
        raise _no_row(f"{at}/name", f"a name that is {_kind(name)}")
    if tensor.get("datatype") not in DATATYPES:
        raise _no_row(
            f"{at}/datatype", f"{str(tensor.get('datatype'))[:40]!r}, which is none of the protocol's"
        )
    # 1.0 and true are equal to 1 in Python and no counts in JSON.
    shape = tensor.get("shape")
    if shape not in _SHAPES or any(type(length) is not int for length in shape):
        raise _no_row(f"{at}/shape", f"the shape {str(shape)[:40]}")
    if isinstance(data, list) and len(data) == 1 and isinstance(data[0], list):
        data = data[0]  # [[1.5]]: the same row, nested as the protocol allows
    if not isinstance(data, list) or len(data) != 1:
        found = f"{len(data)} values" if isinstance(data, list) else _kind(data)
        raise _no_row(f"{at}/data", found)
    if isinstance(data[0], list | dict):
        raise _no_row(f"{at}/data/0", f"a JSON {_kind(data[0])}")
    return name, _within_64_bits(data[0])


def _within_64_bits(value: Any) -> Any:
    # Larger numbers come as floats already; those above the signed range are floats to Arrow too.
    return float(value) if type(value) is int and value >= 2**63 else value


def _no_row(pointer: str, found: str) -> Refused:
    detail = f"asked {_ONE_ROW}; found {found} at {pointer}; correct it"
    errors = ({"pointer": pointer, "code": "form", "detail": found},)
    return Refused(Problem(422, "form", detail, errors))


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "boolean"
        case str():
            return "text"
        case int() | float():
            return "number"
        case list():
            return "list"
        case _:
            return "object"


def _pointer(key: str) -> str:
    return key[:40].replace("~", "~0").replace("/", "~1")
