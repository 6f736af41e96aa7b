"""Golden examples as bytes: JSON, which people can read, and in which floats keep every bit."""

from __future__ import annotations

import json
from typing import Any

from headgate.errors import InputError
from headgate.parity.golden import Accident, Golden, Slip, columns_from
from headgate.parity.recipe import StepRecord, recipe_of

#: Raised when a reader of older files must tell them apart.
_FORMAT = 1


def to_bytes(golden: Golden) -> bytes:
    """Return golden examples as a file keeps them."""
    body = {
        "format": _FORMAT,
        "model": golden.model,
        "version": golden.version,
        "fingerprint": golden.fingerprint,
        "inputs": golden.inputs,
        "steps": None if golden.recipe is None else [step.to_json() for step in golden.recipe.steps],
        "stages": golden.stages,
        "answers": golden.answers,
        "accidents": [
            {"slip": one.slip.value, "steps": one.steps, "answers": one.answers} for one in golden.accidents
        ],
    }
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def from_bytes(body: bytes, named: str = "golden examples") -> Golden:
    """Return golden examples.

    Parameters
    ----------
    named
        What to call the file where it is no such file.

    Raises
    ------
    InputError
        If it is not what `to_bytes` wrote.
    """
    try:
        data: dict[str, Any] = json.loads(body)
        if data["format"] != _FORMAT:
            raise InputError(f"{named}: asked golden examples of format {_FORMAT}; found {data['format']!r}")
        steps = data["steps"]
        found = Golden(
            model=str(data["model"]),
            version=str(data["version"]),
            inputs=columns_from(data["inputs"]),
            recipe=None if steps is None else recipe_of([StepRecord.from_json(one) for one in steps]),
            stages=tuple(columns_from(one) for one in data["stages"]),
            answers=tuple(float(one) for one in data["answers"]),
            accidents=tuple(
                Accident(Slip(one["slip"]), tuple(one["steps"]), tuple(map(float, one["answers"])))
                for one in data["accidents"]
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise InputError(
            f"{named}: asked what `headgate parity record` writes; found {type(err).__name__}: {err}; "
            "record it again"
        ) from err
    lengths = {len(values) for values in found.inputs.values()}
    if data["fingerprint"] != found.fingerprint or lengths != {found.rows} or not found.rows:
        raise InputError(f"{named}: its parts do not fit together: somebody changed it; record it again")
    return found
