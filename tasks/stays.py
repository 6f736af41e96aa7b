"""Which stay on which step was in force when, as the plane confirmed it."""

from __future__ import annotations

from headgate import rollout
from headgate.adapters import store
from headgate.evidence import Entry
from tasks import wiring


def by_generation(rollout_id: str) -> dict[int, Entry]:
    """Return the stay that each confirmed generation of the route belongs to."""
    confirmed = store.confirmations(wiring.build().engine, rollout_id)
    return {c.generation: c.stay for c in confirmed}


def stays(rollout_id: str) -> tuple[Entry, ...]:
    """Return all stays, contiguous and in order of time."""
    return rollout.stays(entry for _, entry in sorted(by_generation(rollout_id).items()))
