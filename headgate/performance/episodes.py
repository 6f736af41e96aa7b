"""Drift that goes on is one drift: where it began, which columns it has taken in, and what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from headgate.performance.monitored import Monitored, Word

#: Windows that end a drift; those that say nothing (too few, no data) leave it as it is.
_OVER = frozenset({Word.QUIET, Word.MOVED, Word.FINE})


@dataclass(frozen=True, slots=True)
class Episode:
    """A drift, or a time of worse answers, that goes on.

    Attributes
    ----------
    since, until
        Of the window it was first seen in; ``last`` is the end of the newest that shows it.
    columns
        All that drifted in it, in the order they joined.
    reason
        In the words of the newest window.
    trainable
        Whether a retraining would answer it: something other than a broken pipeline shows.
    """

    since: datetime
    until: datetime
    last: datetime
    columns: tuple[str, ...]
    reason: str
    trainable: bool


def episode(found: Sequence[Monitored]) -> Episode | None:
    """Return what goes on by these findings of one kind, in order of time; None where nothing does."""
    current: Episode | None = None
    for one in found:
        if one.verdict in _OVER:
            current = None
        elif one.verdict in (Word.DRIFT, Word.DEGRADED):
            drift = one.body.get("drift") or {}
            columns = current.columns if current else ()
            current = Episode(
                current.since if current else one.since,
                current.until if current else one.until,
                one.until,
                tuple(dict.fromkeys([*columns, *drift.get("alarming", ())])),
                "; ".join(one.body["reasons"]),
                bool(drift.get("worth_training_on", True)),
            )
    return current


def joined(before: Sequence[Monitored], found: Monitored) -> tuple[str, ...]:
    """Return the alarming columns of a window that the drift under way did not have before it."""
    going_on = episode(before)
    known = set(going_on.columns) if going_on else set()
    return tuple(name for name in found.body["drift"]["alarming"] if name not in known)
