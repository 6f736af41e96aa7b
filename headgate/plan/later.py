"""Words of schema version 1 that this version of Headgate cannot act on yet.

They are refused, each by name: a plan that asks for drift to be watched and is run by something that
does not watch it would promise what nobody does. A capability that arrives removes its line here.
"""

from __future__ import annotations

from typing import Any

from headgate.plan.finding import Finding, KeyPath, show

#: Keys by their path without list positions, and what each would do.
KEYS: dict[KeyPath, str] = {
    ("escalation",): "passing unanswered questions on",
    ("drift",): "watching for drift",
    ("retrain",): "retraining",
    ("notify",): "notices",
    ("slices",): "rolling out slice by slice",
    ("steps", "slices"): "rolling out slice by slice",
    ("incumbent", "column"): "recorded answers",
    ("candidate", "column"): "recorded answers",
    ("input", "freshness"): "checking how old an input is",
    ("serving", "confidence_below"): "sending unsure answers to review",
    ("outcomes", "depends_on_decision"): "outcomes that depend on the decision",
    ("outcomes", "missing", "audit"): "auditing missing outcomes",
    ("gates", "cap"): "capping unbounded losses",
}

#: Values likewise.
VALUES: dict[KeyPath, frozenset[str]] = {
    ("incumbent", "kind"): frozenset({"recorded"}),
    ("candidate", "kind"): frozenset({"recorded"}),
    ("prediction", "kind"): frozenset({"number"}),
    ("outcomes", "missing"): frozenset({"audit"}),
    ("serving", "fallback"): frozenset({"review", "queue", "safe_default"}),
    ("plane", "kind"): frozenset({"haproxy"}),
    ("gates", "metric"): frozenset(
        {
            "disagreement",
            "cost",
            "value",
            "accuracy",
            "absolute_error",
            "squared_error",
            "fallbacks",
            "rejects",
        }
    ),
}

_ASKED = "what this version of Headgate can act on"
_WHY = "a plan must not promise what nobody does yet"
#: What to do about a value, where removing it alone would not mend the plan.
_INSTEAD: dict[KeyPath, str] = {
    ("incumbent", "kind"): "serve it over HTTP and write http",
    ("candidate", "kind"): "serve it over HTTP and write http",
    ("prediction", "kind"): "write probability or label",
    ("outcomes", "missing"): 'write bound, or {exclude: "why absence cannot depend on the candidate"}',
    ("plane", "kind"): "write envoy",
    ("gates", "metric"): "remove the gate",
}


def later_key(path: KeyPath) -> Finding | None:
    """Return what to say of a key that belongs to the schema but not to this version, else None."""
    purpose = KEYS.get(_keys(path))
    if purpose is None:
        return None
    return Finding(path, _ASKED, f"`{path[-1]}` ({purpose}), which comes later", f"remove it: {_WHY}")


def later_value(path: KeyPath, value: Any) -> Finding | None:
    """Return what to say of a value that belongs to the schema but not to this version, else None."""
    words = VALUES.get(_keys(path), frozenset())
    spoken = {value} if isinstance(value, str) else set(value) if isinstance(value, dict) else set()
    if not spoken & words:
        return None
    todo = f"{_INSTEAD.get(_keys(path), 'remove it')}: {_WHY}"
    return Finding(path, _ASKED, f"{show(value)}, which comes later", todo)


def _keys(path: KeyPath) -> KeyPath:
    return tuple(part for part in path if isinstance(part, str))
