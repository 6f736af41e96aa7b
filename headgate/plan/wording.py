"""What pydantic refuses, said in plain words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from headgate.plan.finding import Finding, KeyPath, show, spell
from headgate.plan.later import later_key, later_value
from headgate.plan.model import Plan

#: What stands where a required key is missing; also what the reference shows.
EXAMPLES: dict[str, str] = {
    "version": "1", "name": "flights-gbm", "service": "flight-delays",
    "owner": "{name: Owner of flight delays, contact: owner@example.org}",
    "owner.name": "Owner of flight delays", "owner.contact": "owner@example.org",
    "author": "ml-engineer@example.org",
    "incumbent": '{kind: http, url: "http://127.0.0.1:8101", model: delays, version: logistic-1}',
    "candidate": '{kind: http, url: "http://127.0.0.1:8102", model: delays, version: gbm-2}',
    "requests": "{path: data/lake/requests, id: request_id, at: scored_at}", "unit": "{entity: tailnum}",
    "unit.entity": "tailnum", "prediction": "{kind: probability}", "prediction.kind": "probability",
    "requests.path": "data/lake/requests", "outcomes.path": "data/lake/outcomes", "outcomes.label": "late",
    "outcomes.known_at": "known_at", "outcomes.maturity": "2d",
    "deadline.step": "120d", "deadline.rollout": "240d",
    "incumbent.kind": "http", "incumbent.url": '"http://127.0.0.1:8101"', "incumbent.model": "delays",
    "incumbent.version": "logistic-1", "candidate.kind": "http", "candidate.url": '"http://127.0.0.1:8102"',
    "candidate.model": "delays", "candidate.version": "gbm-2",
    "outcomes": "{path: data/lake/outcomes, label: late, known_at: known_at, maturity: 2d}",
    "serving.fallback[].safe_default": "0.2", "serving.confidence_below.value": "0.55",
    "serving.rate_limit.requests": "200",
    "gates": "[{name: quality, metric: brier, margin: 0.005}]",
    "steps": "[{percent: 0, dwell: 14d}, {percent: 5, dwell: 3d}, {percent: 100}]",
}  # fmt: skip

_PATTERNS = {
    r"^[a-z0-9][a-z0-9-]{0,62}$": "a name of lower-case letters, digits and dashes, at most 63 of them",
    r"^https?://[^/\s]+$": "an address like http://127.0.0.1:8101, without a path",
    r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$": "a function as module:function",
    r"^[1-9][0-9]*(MB|GB)$": "an amount of memory like 512MB or 2GB",
}
_KINDS = {
    "string_type": "text", "float_type": "a number", "int_type": "a whole number",
    "bool_type": "true or false", "finite_number": "a finite number", "tuple_type": "a list",
    "model_type": "a mapping of keys", "dict_type": "a mapping of keys",
    "time_delta_type": "a duration like 90s, 15m, 4h or 7d",
}  # fmt: skip
_LIMITS = {
    "greater_than": ("gt", "above"), "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "below"), "less_than_equal": ("le", "of at most"),
}  # fmt: skip
#: Either of two forms is legal here, and pydantic complains once for each.
_EITHER: dict[KeyPath, str] = {
    ("unit", "block"): "a duration like 1d, or none",
    (
        "outcomes",
        "missing",
    ): 'bound, {exclude: "why absence cannot depend on the candidate"}, or {audit: 0.3}',
}
#: Where one word that comes later explains every key that seems to be missing beside it.
_ONE_CHOICE: frozenset[KeyPath] = frozenset({("incumbent",), ("candidate",), ("outcomes", "missing")})


def in_plain_words(error: ValidationError, data: Any) -> list[Finding]:
    """Return one finding per key that the schema refuses, in the order of the schema."""
    found: dict[KeyPath, Finding] = {}
    later: set[KeyPath] = set()
    for raw in error.errors(include_url=False, include_context=True, include_input=False):
        path = _path_in(data, raw["loc"])
        coming = later_key(path) or later_value(path, _at(data, path))
        if coming:
            later.add(path)
            found[path] = coming
        else:
            found.setdefault(path, _say(path, raw["type"], raw.get("ctx", {}), data))
    meant = {(*kept.path[:-1], kept.todo) for kept in found.values()}
    return [
        kept
        for path, kept in found.items()
        if not _explained(path, later, found, data) and (*path[:-1], _did_you_mean(path[-1:])) not in meant
    ]


def _explained(path: KeyPath, later: set[KeyPath], found: Iterable[KeyPath], data: Any) -> bool:
    """Whether another finding already says what there is to do about this path."""
    if path in later:
        return path in _EITHER and any(other[:-1] == path for other in later)
    parent = path[:-1]
    beside = {other[:-1] for other in later} | later
    if parent in _ONE_CHOICE and parent in beside:
        return True
    below = (other for other in found if len(other) > len(path) and other[: len(path)] == path)
    return bool(_at(data, path)) and any(below)


def _path_in(data: Any, loc: Sequence[str | int]) -> KeyPath:
    """Return ``loc`` without the names pydantic gives to the branches of a union."""
    path: list[str | int] = []
    for i, part in enumerate(loc):
        is_key = isinstance(data, dict) and part in data
        is_item = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if is_key or is_item:
            data = data[part]
            path.append(part)
        elif isinstance(data, dict) and i == len(loc) - 1 and not _is_branch(part):
            path.append(part)  # a key that is missing
    return tuple(path)


def _is_branch(part: str | int) -> bool:
    return not isinstance(part, str) or re.fullmatch(r"[a-z][a-z0-9_]*", part) is None


def _say(path: KeyPath, kind: str, ctx: Mapping[str, Any], data: Any) -> Finding:
    value = _at(data, path)
    found = show(value)
    if path in _EITHER and kind not in ("string_too_short", "extra_forbidden", "missing"):
        return Finding(path, _EITHER[path], found, "write one of them")
    match kind:
        case "missing":
            return _missing(path)
        case "extra_forbidden":
            return _unknown(path)
        case "literal_error" | "enum":
            return _not_a_choice(path, re.findall(r"'?([\w.-]+)'?(?:, | or |$)", ctx["expected"]), value)
        case "value_error":
            asked = str(ctx["error"])
            return Finding(
                path, asked, found, "write number and unit, e.g. 4h" if "like" in asked else "change it"
            )
        case "string_pattern_mismatch":
            asked = _PATTERNS.get(ctx["pattern"], f"text like {ctx['pattern']}")
            return Finding(path, asked, found, f"change `{path[-1]}`")
        case "string_too_short":
            return Finding(path, f"at least {ctx['min_length']} characters", found, "say more")
        case "too_short":
            asked = (
                f"a list of at least {ctx['min_length']}" if isinstance(value, list) else "at least one key"
            )
            return Finding(path, asked, found, "add what is missing")
        case _ if kind in _LIMITS:
            key, word = _LIMITS[kind]
            return Finding(path, f"a number {word} {ctx[key]:g}", found, f"change `{path[-1]}`")
    return Finding(path, _KINDS.get(kind, kind.replace("_", " ")), found, _mend(kind, path, value))


def _mend(kind: str, path: KeyPath, value: Any) -> str:
    """Say what to do about a value of the wrong kind."""
    if value is None and spell(path) in EXAMPLES:
        return f"write `{path[-1]}: {EXAMPLES[spell(path)]}`"
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return f'put it in quotes: "{show(value)}"'
    if kind in ("float_type", "int_type") and isinstance(value, str):
        try:
            return f"write it without quotes: {float(value):g}"
        except ValueError:
            return "write a number"
    if kind == "bool_type" and isinstance(value, str) and value.lower() in ("yes", "on", "no", "off"):
        return f"write {'true' if value.lower() in ('yes', 'on') else 'false'}"
    if kind == "tuple_type" and value is not None:
        return f"write `{path[-1]}` as a list: [ … ]"
    return f"write {_KINDS.get(kind, 'what is asked')}" if path else "write a plan"


def _missing(path: KeyPath) -> Finding:
    key = str(path[-1])
    example = EXAMPLES.get(spell(path), "…")
    return Finding(path, f"the key `{key}`", "nothing", f"add `{key}: {example}`")


def _unknown(path: KeyPath) -> Finding:
    key, known = str(path[-1]), _keys_at(path[:-1])
    if near := difflib.get_close_matches(key, known, n=1):
        return Finding(path, "a key of the schema", f"`{key}`", _did_you_mean(near))
    return Finding(path, f"one of the keys {', '.join(known)}", f"`{key}`", "remove it")


def _did_you_mean(near: Sequence[str | int]) -> str:
    return f"did you mean `{near[0]}`?" if near else ""


def _not_a_choice(path: KeyPath, choices: Sequence[str], value: Any) -> Finding:
    asked = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    near = difflib.get_close_matches(str(value), choices, n=1)
    if near:
        return Finding(path, asked, show(value), f"did you mean {near[0]}?")
    return Finding(path, asked, show(value), f"write {choices[0] if len(choices) == 1 else 'one of them'}")


def _at(data: Any, path: KeyPath) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _keys_at(path: KeyPath) -> list[str]:
    """Return the keys the schema knows at a path, as they are written in a plan."""
    kinds: list[Any] = [Plan]
    for part in path:
        inside: list[Any] = []
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                fields = (f for name, f in kind.model_fields.items() if (f.alias or name) == part)
                inside += [leaf for field in fields for leaf in _leaves(field.annotation)]
            elif get_origin(kind) is dict:
                inside += _leaves(get_args(kind)[1])
            elif get_origin(kind) is tuple:
                inside += _leaves(get_args(kind)[0])
        kinds = inside
    models = (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _leaves(annotation: Any) -> list[Any]:
    """Return the members of a union, or the annotation itself."""
    if get_origin(annotation) in (None, dict, tuple):
        return [annotation]
    return [leaf for member in get_args(annotation) for leaf in _leaves(member)]
