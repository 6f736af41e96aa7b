"""Where evidence belongs: which stay on which step was in force when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from headgate.evidence import Entry, Standing
from headgate.rollout.state import State


def stays(confirmed: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the stays that the plane confirmed, contiguous and in order of time.

    A stay lasts from its own confirmation to that of the next, whatever was decided in between: until
    then the plane served the old share. One that was never confirmed is left out.

    Parameters
    ----------
    confirmed
        One entry per confirmed generation, in order of generations; the first of a stay is its beginning.
    """
    first: dict[int, Entry] = {}
    for entry in confirmed:
        first.setdefault(entry.entry, entry)
    ordered = [first[number] for number in sorted(first)]
    closed = [replace(stay, until=after.since) for stay, after in pairwise(ordered)]
    return (*closed, *ordered[-1:])


def standing(
    state: State,
    now: datetime,
    attempt: int = 1,
    segments: dict[str, tuple[str, ...]] | None = None,
) -> Standing:
    """Return where the rollout stands, as the judge wants it.

    ``attempt`` is the rollout's, from 1; every re-entry since then is a further one.
    """
    return Standing(
        step=state.step,
        entry=state.entry,
        share_bp=state.share_bp,
        confirmed_at=state.confirmed_at,
        now=now,
        attempt=attempt + state.reentries,
        segments=segments,
        restarts=state.restarts,
        fresh_since=state.fresh_since,
    )
