"""The guard's own description (OpenAPI 3.1), made from the plan: callers and fuzzers read the same one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.guard.body import DATATYPES
from headgate.guard.headers import ID, LONGEST_ENTITY
from headgate.guard.problems import MEDIA_TYPE
from headgate.plan.model import ColumnContract, ColumnKind, Plan

Json = dict[str, Any]

_KINDS = {
    ColumnKind.INTEGER: ("INT64", "integer"),
    ColumnKind.NUMBER: ("FP64", "number"),
    ColumnKind.CATEGORY: ("BYTES", "string"),
    ColumnKind.BOOLEAN: ("BOOL", "boolean"),
    ColumnKind.TIMESTAMP: ("BYTES", "string"),
}
_PROBLEMS = {
    400: "The body is no JSON, or a header is not what it should be.",
    404: "There is no such model, request or page.",
    405: "There is no such method here.",
    408: "The body took too long to arrive.",
    409: "This request id was used for another request.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "The request is not as the input contract asks; `errors` names every value.",
    429: "Too many requests; `retry-after` says when to come back.",
    503: "Nobody could answer; `retry-after` says when to come back.",
}


def openapi(plan: Plan, columns: tuple[str, ...]) -> Json:
    """Return the document; ``columns`` are those a request must have, () where any will do."""
    model = plan.incumbent.model
    described = f"Checks and guards requests for the models of {plan.service!r} (plan {plan.name!r})."
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Headgate guard of {plan.service}",
            "version": plan.hash[:12],
            "description": described,
        },
        "paths": {
            f"/v2/models/{model}/infer": {"post": _infer(plan, columns)},
            f"/v2/models/{model}": {"get": _get("Name, columns and datatypes.")},
            f"/v2/models/{model}/ready": {"get": _get("Whether somebody can answer.", 503)},
            "/v2/requests/{request_id}": {"get": _request()},
            "/v2/health/live": {"get": _get("Whether the guard runs.")},
            "/v2/health/ready": {"get": _get("Whether somebody can answer.", 503)},
            "/v2/guard": {"get": _get("Counts, circuit breakers and queue of this guard.")},
        },
        "components": {"schemas": {"Problem": _problem()}},
    }


def column_metadata(plan: Plan) -> list[Json]:
    """Return the contract's columns as the protocol describes inputs."""
    columns = plan.input.columns if plan.input else {}
    return [{"name": name, "datatype": _KINDS[rule.type][0], "shape": [-1]} for name, rule in columns.items()]


def _infer(plan: Plan, columns: tuple[str, ...]) -> Json:
    later = {
        "description": "A person, or the models later, will answer.",
        "content": _json({"type": "object"}),
    }
    return {
        "operationId": "infer",
        "summary": "Ask for one answer.",
        "parameters": [
            _header(
                "x-entity-id",
                "Who it is about: keeps its side as the share rises.",
                {"maxLength": LONGEST_ENTITY},
            ),
            _header(
                "x-request-id", "What it is called; the same id is the same request.", {"pattern": f"^{ID}$"}
            ),
            _header(
                "x-request-at", "When it came (ISO 8601 with a zone); default: now.", {"format": "date-time"}
            ),
        ],
        "requestBody": {"required": True, "content": _json(_body(plan, columns))},
        "responses": {
            "200": {"description": "The answer.", "content": _json(_answer())},
            "202": later,
            **_problems(400, 404, 405, 408, 409, 413, 415, 422, 429, 503),
        },
    }


def _body(plan: Plan, columns: tuple[str, ...]) -> Json:
    rules = plan.input.columns if plan.input else {}
    tensors = [_tensor(name, rules.get(name)) for name in columns]
    inputs: Json = {"type": "array", "minItems": 1, "items": _tensor(None, None)}
    if tensors:
        inputs = {
            "type": "array",
            "prefixItems": tensors,
            "items": False,
            "minItems": len(tensors),
            "description": "Every column once, in any order.",
        }
    return {
        "type": "object",
        "required": ["inputs"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": "string", "pattern": f"^{ID}$"},
            "parameters": {"type": "object"},
            "outputs": {"type": "array"},
            "inputs": inputs,
        },
    }


def _tensor(name: str | None, rule: ColumnContract | None) -> Json:
    value: Json = {}
    if rule is not None:
        value = {"type": _KINDS[rule.type][1]}
        value |= {"minimum": rule.min} if rule.min is not None else {}
        value |= {"maximum": rule.max} if rule.max is not None else {}
        value |= {"enum": [*rule.values]} if rule.values is not None and rule.other == "reject" else {}
        value |= {"format": "date-time"} if rule.type is ColumnKind.TIMESTAMP else {}
        value = {"oneOf": [value, {"type": "null"}]} if rule.missing == "allow" else value
    return {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"const": name} if name is not None else {"type": "string", "minLength": 1},
            "shape": {"const": [1]},
            "datatype": {"enum": [*DATATYPES]},
            "data": {"type": "array", "minItems": 1, "maxItems": 1, "items": value},
        },
    }


def _answer() -> Json:
    tensor = {"type": "object", "required": ["data"], "properties": {"data": {"type": "array"}}}
    return {
        "type": "object",
        "required": ["outputs"],
        "properties": {"outputs": {"type": "array", "minItems": 1, "items": tensor}},
    }


def _request() -> Json:
    named = {
        "name": "request_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": f"^{ID}$"},
    }
    return {
        "summary": "The answer to a request that was queued for later.",
        "parameters": [named],
        "responses": {
            "200": {"description": "The one recorded answer.", "content": _json(_answer())},
            "202": {"description": "Not answered yet.", "content": _json({"type": "object"})},
            **_problems(404, 405, 410, 503),
        },
    }


def _get(summary: str, *problems: int) -> Json:
    answered = {"200": {"description": "Told.", "content": _json({"type": "object"})}}
    return {"summary": summary, "responses": answered | _problems(404, 405, *problems)}


def _problems(*statuses: int) -> Json:
    schema = {"$ref": "#/components/schemas/Problem"}
    told = _PROBLEMS | {410: "It waited longer than the plan keeps it."}
    return {
        str(status): {"description": told[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def _problem() -> Json:
    return {
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "request_id": {"type": "string"},
            "errors": {"type": "array", "items": {"type": "object"}},
        },
    }


def _header(name: str, description: str, schema: Mapping[str, Any]) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string", **schema}}


def _json(schema: Mapping[str, Any]) -> Json:
    return {"application/json": {"schema": dict(schema)}}
