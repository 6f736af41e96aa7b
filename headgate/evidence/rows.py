"""Batches: sums with what they were observed of, where and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from headgate.evidence.sums import Sums

#: Names under which evidence of no gate is kept; a plan's gates may not be called so.
SPLIT, TRAFFIC = "split", "traffic"
#: Names of the watch detector's verdicts begin with it; a plan's gates may not.
WATCH = "watch-"


class Source(StrEnum):
    """Where a batch was seen."""

    SHADOW = "shadow"  # exchanges: both sides scored off the answer path
    PLANE = "plane"  # the plane's access log: what callers really got
    MIRROR = "mirror"  # the mirror's log: the candidate's latency on copies of live requests


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One batch of one gate and segment, as the store keeps it.

    Attributes
    ----------
    gate
        Name of the gate in the plan; ``split`` for the sample ratio.
    segment
        ``column=value``, or None for all requests.
    batch
        Start of the block or hour (aware UTC).
    entry
        Which entry into which step the batch belongs to: 0 for shadow, one more on every entry or
        re-entry. Fresh evidence counts only the current entry.
    share_bp
        Candidate's share in force, basis points.
    source
        Where it was seen.
    part
        Distinguishes parts of the same batch (a window start, a log offset). Unique with the rest.
    sums
        What was seen.
    slice
        Whose evidence it is; ``all`` where the plan has no slices.
    """

    gate: str
    segment: str | None
    batch: datetime
    entry: int
    share_bp: int
    source: Source
    part: str
    sums: Sums
    slice: str = "all"
