"""A route as one small JSON file: what callers need who pick the side themselves, in their own process.

It is put in place by one rename and read again when it changes. What cannot be read leaves the last
good route in force, as a proxy does with garbage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from headgate.errors import PlaneRefused, PlaneUnavailable
from headgate.ports import Endpoint, Route, SliceShare

#: Of the text. It is read by callers that may be older than who writes it.
VERSION = 1

_NAMES = frozenset(field.name for field in fields(Route))


def as_text(route: Route) -> str:
    """Return the route as JSON text; the same route gives the same text."""
    return json.dumps({"version": VERSION, **asdict(route)}, sort_keys=True, ensure_ascii=False)


def render(route: Route) -> Mapping[str, str]:
    """Return the text by the name of its file, as every plane renders a route."""
    return {"share.json": as_text(route)}


def from_text(text: str) -> Route:
    """Return the route that `as_text` wrote.

    Raises
    ------
    PlaneRefused
        If the text is no route, or of a version that this Headgate does not know.
    """
    try:
        said = json.loads(text)
        typed = _typed(said)
        return Route(**said | typed)
    except (LookupError, TypeError, ValueError, AttributeError) as err:
        raise PlaneRefused(
            f"asked for a route of version {VERSION}; found text that Headgate did not write "
            f"({type(err).__name__}: {err}); render it anew with `headgate plane render`"
        ) from err


def _typed(said: dict[str, Any]) -> dict[str, Any]:
    if said.pop("version") != VERSION or said.keys() != _NAMES:
        raise ValueError(f"version or names {sorted(said)}")
    numbers = ("share_bp", "token", "generation", "timeout_ms")
    if not all(type(said[name]) is int for name in numbers) or not isinstance(said["salt"], str):
        raise ValueError("a number or the salt is of another type")
    candidate = said["candidate"]
    return {
        "incumbent": Endpoint(**said["incumbent"]),
        "candidate": Endpoint(**candidate) if candidate else None,
        "slices": tuple(SliceShare(**part) for part in said["slices"]),
    }


class ShareFile:
    """The route in a file, read again whenever the file is another one.

    Parameters
    ----------
    path
        Where the file is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._route: Route | None = None
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why the route is not the one of the file as it is now; None: it is."""
        return self._trouble

    def route(self) -> Route:
        """Return the last good route.

        Raises
        ------
        PlaneUnavailable
            If there never was one.
        """
        try:
            stat = self._path.stat()
            now = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if now != self._seen:
                self._route = from_text(self._path.read_text(encoding="utf-8"))
                self._seen, self._trouble = now, None
        except (OSError, ValueError, PlaneRefused) as err:
            self._trouble = str(err)
        if self._route is None:
            raise PlaneUnavailable(
                f"asked for the share in {self._path}; found none ({self._trouble}); put the file there"
            )
        return self._route
