"""What was observed, as sums that add up over windows and partitions.

Every row is one *batch* of one gate and segment. A batch is a block of time (paired quality) or a
calendar hour (operation). Rows are written once and never rewritten; verdicts are computed by
folding them in order of time, so a replay of the same rows gives the same bits.
"""

from headgate.evidence.rows import SPLIT, TRAFFIC, WATCH, EvidenceRow, Source
from headgate.evidence.standing import Entry, Standing
from headgate.evidence.sums import (
    BlockSum,
    CalibrationSum,
    LatencyPairSum,
    LatencySplitSum,
    RateSum,
    SplitSum,
    Sums,
    TrafficSum,
    UnitSum,
    UnpairedSum,
    from_json,
    to_json,
)

__all__ = [
    "SPLIT",
    "TRAFFIC",
    "WATCH",
    "BlockSum",
    "CalibrationSum",
    "Entry",
    "EvidenceRow",
    "LatencyPairSum",
    "LatencySplitSum",
    "RateSum",
    "Source",
    "SplitSum",
    "Standing",
    "Sums",
    "TrafficSum",
    "UnitSum",
    "UnpairedSum",
    "from_json",
    "to_json",
]
