"""Who decided about a request: what earlier rollouts of the service say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.compare.sides import sides_of
from headgate.compare.stays import column_micros, micros
from headgate.evidence import Entry
from headgate.plan.model import ALL, Plan
from headgate.tables.slices import slice_of

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Past:
    """One slice of an earlier rollout.

    Attributes
    ----------
    plan
        The whole plan of that rollout.
    salt
        Of its buckets.
    entries
        Its stays on steps, in order of time.
    until
        When it ended; None while it goes on.
    promoted
        From ``until`` on the candidate answers everything, until a later rollout says otherwise.
    """

    plan: Plan
    slice: str
    salt: str
    entries: tuple[Entry, ...]
    until: datetime | None = None
    promoted: bool = False


def decided_by_the_candidate(requests: pa.Table, pasts: Sequence[Past]) -> Mask:
    """Return which requests a candidate, or a model that was one before, decided: shape (n,).

    A request that was assigned to the candidate counts as its own, whoever answered in the end: fallbacks are
    not told apart, which leaves out too much rather than too little.

    Parameters
    ----------
    requests
        ``entity`` and ``at``, and the columns that slices name.
    pasts
        Every slice of every earlier rollout, in the order in which they were opened.
    """
    own: Mask = np.zeros(requests.num_rows, np.bool_)
    at = column_micros(requests["at"])
    for past in pasts:
        if not past.entries:
            continue
        here = at >= micros(past.entries[0].since)
        if past.slice != ALL:
            here &= np.asarray(
                pc.fill_null(pc.equal(slice_of(past.plan, requests), past.slice), False), np.bool_
            )
        if past.until is not None:
            over = at >= micros(past.until)
            own[here & over] |= past.promoted
            here &= ~over
        mine = np.flatnonzero(here)
        if len(mine):
            part = requests.select(["entity", "at"]).take(pa.array(mine))
            own[mine] |= sides_of(part, past.entries, at[mine], past.salt)[1]
    return own
