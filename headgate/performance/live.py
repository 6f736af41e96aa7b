"""How callers fared, by the hour, from the plane's log: requests, errors, fallbacks, latency.

The log comes in the order in which it was written, its lines carry the time of the request. Hours that have
not ended when it is read are carried to the next read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil, log2
from typing import Any

from headgate.compare.stays import hour_of
from headgate.ports import Served

#: Cells of latency per doubling: a quantile is known to within 9 %.
_PER_DOUBLING = 8
#: A caller got no useful answer.
_FAILED = 500


@dataclass(slots=True)
class Hour:
    """One hour of live requests; ``cells`` counts them by latency, a cell being an eighth of a doubling."""

    n: int = 0
    errors: int = 0
    fallbacks: int = 0
    cells: dict[int, int] = field(default_factory=dict)

    def add(self, line: Served) -> None:
        """Count one request."""
        self.n += 1
        self.errors += line.served is None or line.status == 0 or line.status >= _FAILED
        self.fallbacks += line.served is not None and line.served is not line.assigned
        cell = ceil(_PER_DOUBLING * log2(max(line.latency_ms, 2**-10)))
        self.cells[cell] = self.cells.get(cell, 0) + 1

    def merge(self, other: Hour) -> None:
        """Add what another read counted."""
        self.n, self.errors = self.n + other.n, self.errors + other.errors
        self.fallbacks += other.fallbacks
        for cell, count in other.cells.items():
            self.cells[cell] = self.cells.get(cell, 0) + count

    def quantile(self, q: float) -> float | None:
        """Return the latency, ms, that this part of the requests stayed below; None without requests.

        Examples
        --------
        >>> hour = Hour(3, cells={8: 2, 16: 1})
        >>> hour.quantile(0.5), hour.quantile(0.99), Hour().quantile(0.5)
        (2.0, 4.0, None)
        """
        left = ceil(q * self.n)
        for cell in sorted(self.cells):
            left -= self.cells[cell]
            if left <= 0:
                return float(2 ** (cell / _PER_DOUBLING))
        return None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "n": self.n,
            "errors": self.errors,
            "fallbacks": self.fallbacks,
            "p50": self.quantile(0.5),
            "p95": self.quantile(0.95),
            "p99": self.quantile(0.99),
            "cells": {str(cell): count for cell, count in sorted(self.cells.items())},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Hour:
        """Return what `to_json` wrote."""
        cells = {int(cell): count for cell, count in data["cells"].items()}
        return cls(data["n"], data["errors"], data["fallbacks"], cells)


def hours_of(lines: Iterable[Served]) -> dict[datetime, Hour]:
    """Return requests by the UTC hour they came in."""
    hours: dict[datetime, Hour] = {}
    for line in lines:
        hours.setdefault(hour_of(line.at), Hour()).add(line)
    return hours


def together(hours: Iterable[Hour]) -> Hour:
    """Return several hours as one."""
    whole = Hour()
    for hour in hours:
        whole.merge(hour)
    return whole
