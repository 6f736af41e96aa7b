"""Which stay on which step was in force when, as the plane confirmed it."""

from __future__ import annotations

from headgate import rollout
from headgate.adapters import store
from headgate.evidence import Entry
from headgate.plan.model import ALL
from tasks import wiring


def by_generation(rollout_id: str, slice_: str = ALL) -> dict[int, Entry]:
    """Return the stay of a slice that each confirmed generation of the route belongs to."""
    confirmed = store.confirmations(wiring.build().engine, rollout_id, slice_)
    return {c.generation: c.stay for c in confirmed}


def stays(rollout_id: str, slice_: str = ALL) -> tuple[Entry, ...]:
    """Return all stays of a slice, contiguous and in order of time."""
    return rollout.stays(entry for _, entry in sorted(by_generation(rollout_id, slice_).items()))
