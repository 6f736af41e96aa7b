"""Profiles and comparisons against the mere scan and against monitoring libraries.

``python -m benchmarks --only monitoring`` measures ours at every size, and each peer that was not measured
yet.
``python -m benchmarks.monitoring --peer NAME --rows N`` measures one side alone.
"""

from __future__ import annotations

from benchmarks.results import Section

#: Rows of each of the two windows; peers are measured at all but the last.
SIZES = (100_000, 1_000_000, 10_000_000)
QUICK = (20_000,)


def run(*, quick: bool) -> Section:
    """Measure ours, and the peers that are not measured yet; quick: ours alone, on few rows."""
    from benchmarks.monitoring.found import OURS, kept, measure
    from benchmarks.monitoring.peers import PEERS
    from benchmarks.monitoring.telling import section
    from benchmarks.running import say

    ours = {}
    for rows in QUICK if quick else SIZES:
        say(f"monitoring: {OURS}, {rows:,} rows")
        ours[rows] = measure(OURS, rows)
    peers = {}
    for rows in () if quick else SIZES[:-1]:
        for name in PEERS:
            if (found := kept(name, rows)) is None:
                say(f"monitoring: {name}, {rows:,} rows")
                found = measure(name, rows)
            peers[name, rows] = found
    return section(ours, peers)
