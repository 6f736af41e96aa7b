"""Measures one side at one size, and keeps what it found; without a side, tells what was found so far.

Examples: ``python -m benchmarks.monitoring --peer headgate --rows 10000000``, ``python -m
benchmarks.monitoring --peer evidently --rows 1000000``, ``python -m benchmarks.monitoring``. The first use of
a peer makes its environment under runs/monitoring. A peer may take 20 minutes of processor time and 8 GB.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from benchmarks.__main__ import RESULTS
from benchmarks.merging import merged
from benchmarks.monitoring import SIZES
from benchmarks.monitoring.found import OURS, kept, measure
from benchmarks.monitoring.peers import PEERS
from benchmarks.monitoring.telling import said, section
from benchmarks.results import figures_table


def main(arguments: list[str] | None = None) -> int:
    """Measure or tell; return 1 if what was measured did not finish."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.monitoring", description=__doc__)
    parser.add_argument("--peer", choices=[OURS, *PEERS], help="which side; default: tell all that was found")
    parser.add_argument("--rows", type=int, default=SIZES[0], help="rows of each window")
    parser.add_argument("--merge", action="store_true", help="put what was found so far into RESULTS.md")
    options = parser.parse_args(arguments)
    if options.peer:
        found = measure(options.peer, options.rows)
        print(said(found))
        return int(bool(found.get("stopped")))
    found = {
        (name, rows): body
        for rows in SIZES
        for name in (OURS, *PEERS)
        if (body := kept(name, rows)) is not None
    }
    ours = {rows: body for (name, rows), body in found.items() if name == OURS}
    if not ours:
        print(f"nothing of {OURS} was measured yet: --peer {OURS} --rows {SIZES[0]}")
        return 1
    told = section(ours, {key: body for key, body in found.items() if key[0] != OURS})
    if options.merge:
        page = merged(RESULTS.read_text(encoding="utf-8"), [told], datetime.now(UTC))
        RESULTS.write_text(page, encoding="utf-8")
    print(figures_table(told.figures), told.detail, sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
