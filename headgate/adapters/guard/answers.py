"""A model's answer to one request, held against the output contract; and answers that are the guard's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from headgate.adapters.oip import decode
from headgate.guard.confidence import confidence_of
from headgate.plan.model import Plan
from headgate.ports import Status


@dataclass(frozen=True, slots=True)
class Answer:
    """What one answer says; ``value`` is None where it is of no use, and ``detail`` says why."""

    value: float | None
    status: Status
    version: str | None
    confidence: float | None = None
    detail: str = ""


def read_answer(plan: Plan, body: bytes) -> Answer:
    """Read the answer to one request by the same rules as those of a shadow window."""
    said = decode(body, 1, plan.answers)
    value, status = said.predictions[0], said.statuses[0]
    if value is None:
        return Answer(None, status, said.version, detail=said.details.get(0, "no answer"))
    told = _told_confidence(body) if b'"confidence"' in body else None
    return Answer(value, status, said.version, confidence_of(plan.prediction, value, told))


def _told_confidence(body: bytes) -> float | None:
    """Return what the model says of how sure it is: a second tensor named ``confidence``, of one number."""
    try:
        tensors = orjson.loads(body)["outputs"][1:]
        found = [tensor["data"][0] for tensor in tensors if tensor.get("name") == "confidence"]
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
        return None
    # What is there and of no use is unknown, and unknown is never sure.
    number = found and type(found[0]) in (float, int) and math.isfinite(found[0])
    return float(found[0]) if number else math.inf if found else None


def safe_answer(plan: Plan, value: float, request_id: str, why: str) -> bytes:
    """Return the plan's safe default as an answer of the protocol, which says what it is."""
    tensor = {"name": "safe_default", "shape": [1], "datatype": "FP64", "data": [value]}
    return orjson.dumps(
        {
            "model_name": plan.incumbent.model,
            "model_version": "safe-default",
            "id": request_id,
            "parameters": {"decision": "safe_default", "why": why},
            "outputs": [tensor],
        }
    )


def later_answer(decision: str, request_id: str, why: str, **more: Any) -> bytes:
    """Return what a caller is told who gets no answer yet."""
    told: Mapping[str, Any] = {"decision": decision, "request_id": request_id, "why": why, **more}
    return orjson.dumps(told)
