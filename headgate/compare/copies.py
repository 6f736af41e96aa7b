"""Live requests and their mirrored copies, matched by request id in whatever order they are logged."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from headgate.ports import Mirrored

MOST = 5_000
"""Requests, and copies, that may wait for their other half between two chunks."""
LONGEST = timedelta(days=14)
"""How far, in the time of the requests, one may lie behind the newest before it is given up."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A live request at share 0. ``judged``: the gates whose tau was frozen before it."""

    at: datetime
    latency_ms: float
    entry: int
    judged: tuple[str, ...]


Half = TypeVar("Half", Waiting, Mirrored)
Other = TypeVar("Other", Waiting, Mirrored)


@dataclass(frozen=True, slots=True)
class Copies:
    """What waits between two chunks: (request id, half), oldest line first."""

    live: tuple[tuple[str, Waiting], ...] = ()
    mirrored: tuple[tuple[str, Mirrored], ...] = ()

    def matching(self) -> Matching:
        """Return a copy that new lines can be matched against."""
        return Matching(_queues(self.live), _queues(self.mirrored))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; floats keep every bit."""
        return {
            "live": [[i, w.at.isoformat(), w.latency_ms, w.entry, list(w.judged)] for i, w in self.live],
            "mirrored": [[i, m.at.isoformat(), m.status, m.latency_ms] for i, m in self.mirrored],
        }

    @classmethod
    def from_json(cls, data: Any) -> Copies:
        """Return what `to_json` wrote."""
        when = datetime.fromisoformat
        return cls(
            tuple((i, Waiting(when(at), ms, entry, tuple(g))) for i, at, ms, entry, g in data["live"]),
            tuple((i, Mirrored(i, when(at), status, ms)) for i, at, status, ms in data["mirrored"]),
        )


@dataclass(slots=True)
class Matching:
    """The halves that wait while one chunk is read.

    An id that comes twice waits in a queue: the first request meets the first copy, the second the
    second, wherever chunks are cut.
    """

    _live: dict[str, deque[Waiting]]
    _mirrored: dict[str, deque[Mirrored]]

    def live(self, request_id: str, request: Waiting) -> Mirrored | None:
        """Return the copy that belongs to this request; None when it has to wait."""
        return _meet(request_id, request, self._live, self._mirrored)

    def copy(self, copy: Mirrored) -> Waiting | None:
        """Return the live request this copy belongs to; None when it has to wait."""
        return _meet(copy.request_id, copy, self._mirrored, self._live)

    def bounded(self) -> tuple[Copies, Mapping[str, int]]:
        """Return what still waits, the too old and too many left out, and how many those were."""
        live = [(i, half) for i, queue in self._live.items() for half in queue]
        mirrored = [(i, half) for i, queue in self._mirrored.items() for half in queue]
        newest = max([*(half.at for _, half in live), *(half.at for _, half in mirrored)], default=None)
        kept_live, kept_mirrored = _keep(live, newest), _keep(mirrored, newest)
        dropped = {
            "unmatched_live": len(live) - len(kept_live),
            "unmatched_mirrored": len(mirrored) - len(kept_mirrored),
        }
        return Copies(tuple(kept_live), tuple(kept_mirrored)), dropped


def _queues(halves: tuple[tuple[str, Half], ...]) -> dict[str, deque[Half]]:
    queues: dict[str, deque[Half]] = {}
    for request_id, half in halves:
        queues.setdefault(request_id, deque()).append(half)
    return queues


def _meet(
    request_id: str, half: Half, mine: dict[str, deque[Half]], others: dict[str, deque[Other]]
) -> Other | None:
    queue = others.get(request_id)
    if queue is None:
        mine.setdefault(request_id, deque()).append(half)
        return None
    other = queue.popleft()
    if not queue:
        del others[request_id]
    return other


def _keep(halves: list[tuple[str, Half]], newest: datetime | None) -> list[tuple[str, Half]]:
    if newest is None:
        return halves
    return [(i, half) for i, half in halves if newest - half.at <= LONGEST][-MOST:]
