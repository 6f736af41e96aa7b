"""Where evidence belongs: which stay on which step was in force when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from headgate.evidence import Entry, Standing
from headgate.rollout.state import LIVE, Phase, State


def entries(
    states: Iterable[State], confirmations: Mapping[int, datetime] | None = None
) -> tuple[Entry, ...]:
    """Return the stays that the plane confirmed, contiguous and in order of time.

    A stay lasts from its own confirmation to that of the next, whatever was decided in between: until
    then the plane served the old share. One that was never confirmed is left out.

    Parameters
    ----------
    states
        One slice's states in order of their ticks.
    confirmations
        When the plane was first seen serving a generation, for confirmations that the states do not
        hold yet.
    """
    seen = dict(confirmations or {})
    stays: dict[int, Entry] = {}
    for state in states:
        at = state.confirmed_at or seen.get(state.generation)
        if state.phase not in LIVE | {Phase.ROLLING_BACK} or at is None or state.entry in stays:
            continue
        stays[state.entry] = Entry(state.entry, state.step, state.share_bp, max(at, state.entered_at))
    ordered = [stays[entry] for entry in sorted(stays)]
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
