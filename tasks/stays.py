"""Which stay on which step was in force when, as the plane confirmed it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from headgate.adapters import store
from headgate.evidence import Entry
from tasks import wiring


def by_generation(rollout_id: str) -> dict[int, Entry]:
    """Return the stay that each confirmed generation of the route belongs to."""
    confirmed = store.confirmations(wiring.build().engine, rollout_id)
    return {c.generation: Entry(c.entry, c.step, c.share_bp, c.at) for c in confirmed}


def stays(rollout_id: str) -> tuple[Entry, ...]:
    """Return all stays, contiguous and in order of time.

    A stay lasts from its own confirmation to that of the next, whatever was decided in between: until
    then the plane served the old share. One that was never confirmed is left out.
    """
    first: dict[int, Entry] = {}
    for _, entry in sorted(by_generation(rollout_id).items()):
        first.setdefault(entry.entry, entry)
    ordered = [first[number] for number in sorted(first)]
    closed = [replace(stay, until=after.since) for stay, after in pairwise(ordered)]
    return (*closed, *ordered[-1:])
