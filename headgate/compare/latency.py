"""The latency every gate is held against: a quantile of the incumbent's, frozen once.

A gate's tau is the incumbent's p-quantile over its first requests at the plane: 2,000 of them up to
p95, 20,000 beyond, where a quantile needs more (statistics.md). Requests that freeze a tau are not
judged by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from headgate.plan.model import Gate


def needed(quantile: float) -> int:
    """Return how many incumbent requests freeze the quantile."""
    return 2_000 if quantile <= 0.95 else 20_000


def quantile_of(latencies: Iterable[float], quantile: float) -> float:
    """Return the smallest value that at least ``quantile`` of the latencies do not exceed.

    An observed value, not an interpolated one: at most 1 - p of the reference lies strictly above.

    Examples
    --------
    >>> quantile_of(range(1, 101), 0.95)
    95
    """
    ordered = sorted(latencies)
    # 0.999 * 20_000 is 19_980.000000000004 to a computer.
    return ordered[ceil(round(quantile * len(ordered), 6)) - 1]


def limits(gate: Gate, tau: float) -> tuple[float, float]:
    """Return the latency (ms) above which the candidate is too slow to advance, and to be fine."""
    ratio = gate.ratio if gate.ratio is not None else gate.tolerate
    return ratio * tau, gate.tolerate * tau


def slower(gate: Gate, tau: float, latency_ms: float, *, no_answer: bool) -> tuple[bool, bool]:
    """Return whether the candidate was too slow to advance, and slow enough to roll back.

    A request without an answer has no latency of its own: it counts as too slow against advancing,
    and towards rolling back only by the time that really passed (the errors gate judges the rest).
    """
    advance, harm = limits(gate, tau)
    return no_answer or latency_ms > advance, latency_ms > harm


@dataclass(frozen=True, slots=True)
class Reference:
    """What is gathered and what is frozen.

    Attributes
    ----------
    gathered
        The incumbent's first latencies, ms; emptied once every gate has its tau.
    taus
        Per gate its frozen quantile, ms. Never changes once it is there.
    """

    gathered: tuple[float, ...] = ()
    taus: Mapping[str, float] = field(default_factory=dict)

    def gathering(self, gates: Iterable[Gate]) -> Gathering:
        """Return a copy that more latencies can be added to."""
        wanted = {g.name: g.quantile for g in gates if g.name not in self.taus and g.quantile is not None}
        return Gathering(list(self.gathered), dict(self.taus), wanted)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; floats keep every bit."""
        return {"gathered": list(self.gathered), "taus": dict(sorted(self.taus.items()))}

    @classmethod
    def from_json(cls, data: Any) -> Reference:
        """Return what `to_json` wrote."""
        return cls(tuple(data["gathered"]), dict(data["taus"]))


@dataclass(slots=True)
class Gathering:
    """A reference while one chunk of the log is read. ``wanted``: gates without a tau, their quantiles."""

    gathered: list[float]
    taus: dict[str, float]
    wanted: dict[str, float]

    def add(self, latency_ms: float) -> None:
        """Add one latency of the incumbent, and freeze every tau that now has enough."""
        if not self.wanted:
            return
        self.gathered.append(latency_ms)
        for name, quantile in list(self.wanted.items()):
            if len(self.gathered) == needed(quantile):
                self.taus[name] = quantile_of(self.gathered, quantile)
                del self.wanted[name]
        if not self.wanted:
            self.gathered.clear()

    def frozen(self) -> Reference:
        """Return the reference as it is now."""
        return Reference(tuple(self.gathered), dict(self.taus))
