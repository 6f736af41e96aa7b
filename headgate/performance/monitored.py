"""One thing the monitor found out about one window of a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Which question was asked of a window."""

    WINDOW = "window"  # do its inputs and scores look like the reference?
    COHORT = "cohort"  # how good were the answers, now that their labels are mature?
    LIVE = "live"  # how did callers fare: errors, fallbacks, latency?
    PARITY = "parity"  # does the model do with its golden examples what was recorded?


class Word(StrEnum):
    """The answer in one word."""

    QUIET = "quiet"
    MOVED = "moved"  # inputs drifted, and what the model says did not
    DRIFT = "drift"
    LEARNING = "learning"  # before the model served alone: what its own windows are held against
    NO_REFERENCE = "no_reference"
    NO_DATA = "no_data"
    TOO_FEW = "too_few"
    FINE = "fine"
    DEGRADED = "degraded"
    NO_LABELS = "no_labels"
    SAME = "same"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Monitored:
    """One finding about one window, ``since`` inclusive, ``until`` exclusive.

    Attributes
    ----------
    kind
        Which question was asked of the window (`Kind`).
    version
        Of the model whose answers these are.
    verdict
        The answer in one word (`Word`).
    body
        All of it, as plain JSON; no data is null, never a number.
    at
        When it was found out, by the clock in use.
    """

    service: str
    kind: str
    since: datetime
    until: datetime
    version: str
    verdict: str
    body: Mapping[str, Any]
    at: datetime
