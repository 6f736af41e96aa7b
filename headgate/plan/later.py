"""Words of schema version 1 that this version of Headgate cannot act on yet.

They are refused, each by name: a plan that compares with answers of a column and is run by something that
asks a server would promise what nobody does. A capability that arrives removes its line here.
"""

from __future__ import annotations

from typing import Any

from headgate.plan.finding import Finding, KeyPath, show, spell

#: Keys by their path without list positions, and what each would do.
KEYS: dict[KeyPath, str] = {
    ("incumbent", "column"): "recorded answers",
    ("candidate", "column"): "recorded answers",
}

#: Values likewise.
VALUES: dict[KeyPath, frozenset[str]] = {
    ("incumbent", "kind"): frozenset({"recorded"}),
    ("candidate", "kind"): frozenset({"recorded"}),
}

_ASKED = "what this version of Headgate can act on"
_WHY = "a plan must not promise what nobody does yet"
#: What to do about a value, where removing it alone would not mend the plan.
_INSTEAD: dict[KeyPath, str] = {
    ("incumbent", "kind"): "serve it over HTTP and write http",
    ("candidate", "kind"): "serve it over HTTP and write http",
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


def without_later(data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a plan's data without what comes later, and a sentence for each part left out.

    Answers that are recorded need no server: the model stays, with an address nobody listens at.
    """
    left: list[str] = []
    kept = _without(data, (), left)
    for side in ("incumbent", "candidate"):
        ref = kept.get(side)
        if isinstance(ref, dict) and "kind" not in ref and ("column" in data[side] or "kind" in data[side]):
            kept[side] = {"kind": "http", "url": "http://127.0.0.1:1", "model": "recorded"} | ref
    return kept, left


def _without(part: Any, path: KeyPath, left: list[str]) -> Any:
    if isinstance(part, dict):
        kept = {key: value for key, value in part.items() if not _left(path, key, value, left)}
        return {key: _without(value, (*path, key), left) for key, value in kept.items()}
    if isinstance(part, list):
        return [_without(value, path, left) for value in part if not _left(path, None, value, left)]
    return part


def _left(path: KeyPath, key: str | None, value: Any, left: list[str]) -> bool:
    """Say whether this key, or this item of a list, comes later; note it if so."""
    here = path if key is None else (*path, key)
    purpose = KEYS.get(_keys(here)) if key is not None else None
    if purpose is not None:
        left.append(f"`{spell(here)}` ({purpose}) is left aside: it changes no decision about history")
    elif later_value(here, value) is not None:
        left.append(f"`{spell(here)}: {show(value)}` is left aside: it changes no decision about history")
    else:
        return False
    return True


def _keys(path: KeyPath) -> KeyPath:
    return tuple(part for part in path if isinstance(part, str))
