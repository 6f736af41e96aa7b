"""What the guard counts, by labels that are few: never an id, never a value."""

from __future__ import annotations

from collections import Counter
from datetime import datetime


class Counts:
    """Counts since the guard started; ``name{label=value}`` as monitoring systems write it.

    Examples
    --------
    >>> counts = Counts(datetime(2026, 1, 1))
    >>> counts.add("fallback", to="review", failure="timeout")
    >>> counts.all()
    {'fallback{failure=timeout,to=review}': 1}
    """

    def __init__(self, since: datetime) -> None:
        self.since = since
        self._counts: Counter[str] = Counter()

    def add(self, name: str, **labels: str) -> None:
        """Count one more."""
        told = ",".join(f"{key}={labels[key]}" for key in sorted(labels))
        self._counts[f"{name}{{{told}}}" if told else name] += 1

    def all(self) -> dict[str, int]:
        """Return every count, in the order of the names."""
        return dict(sorted(self._counts.items()))
