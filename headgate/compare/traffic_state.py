"""What one chunk of the plane's log leaves to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from headgate.compare.copies import Copies
from headgate.compare.latency import Reference


@dataclass(frozen=True, slots=True)
class TrafficState:
    """What one chunk of the log leaves to the next.

    Attributes
    ----------
    reference
        Latencies gathered and frozen so far.
    copies
        Live requests and mirrored copies that wait for each other.
    seen
        Per entry the entities already counted in the split. They are many: the store keeps them in
        a table of their own, fed by what `traffic_rows` returns, so they are not part of the JSON.
    counts
        Lines never used, by reason, since the rollout began: ``unknown_generation``,
        ``other_rollout``, ``unmatched_live``, ``unmatched_mirrored``.
    """

    reference: Reference = field(default_factory=Reference)
    copies: Copies = field(default_factory=Copies)
    seen: Mapping[int, frozenset[str]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return plain JSON of all but ``seen``; floats keep every bit."""
        return {
            "reference": self.reference.to_json(),
            "copies": self.copies.to_json(),
            "counts": dict(sorted(self.counts.items())),
        }

    @classmethod
    def from_json(
        cls, data: Mapping[str, object], seen: Mapping[int, Iterable[str]] | None = None
    ) -> TrafficState:
        """Return the state that `to_json` wrote, with the entities the store has kept per entry.

        Examples
        --------
        >>> TrafficState.from_json(TrafficState().to_json()) == TrafficState()
        True
        """
        return cls(
            Reference.from_json(data["reference"]),
            Copies.from_json(data["copies"]),
            {entry: frozenset(entities) for entry, entities in (seen or {}).items()},
            dict(data["counts"]),  # type: ignore[call-overload]  # JSON of our own writing
        )
