"""One thing found wrong in a plan, before it is known on which line it stands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

#: Keys and list positions from the root of the plan, e.g. ``("gates", 0, "margin")``.
KeyPath = tuple[str | int, ...]

_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """What `headgate.errors.Problem` says, with a path in place of line and spelling."""

    path: KeyPath
    asked: str
    found: str
    todo: str


def spell(path: KeyPath) -> str:
    """Return a path as people write it; the root is ``plan``.

    Examples
    --------
    >>> spell(("gates", 0, "margin")), spell(())
    ('gates[0].margin', 'plan')
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "plan"


def show(value: Any) -> str:
    """Return a value of a plan as it would be written, shortened where it is long.

    Examples
    --------
    >>> show("daily"), show(None), show(True), show([1, 2]), show({"audit": 0.3})
    ('"daily"', 'nothing', 'true', 'a list of 2', '{audit: 0.3}')
    """
    match value:
        case None:
            return "nothing"
        case list() | tuple():
            return f"a list of {len(value)}" if value else "an empty list"
        case dict():
            text = "{" + ", ".join(f"{key}: {show(kept)}" for key, kept in value.items()) + "}"
        case _:
            text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
