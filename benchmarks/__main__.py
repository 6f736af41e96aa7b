"""Runs the benchmarks one after the other and writes what they found."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import ROOT, machine, versions
from benchmarks.merging import merged
from benchmarks.results import render
from benchmarks.running import NAMES, measure, say

RESULTS = ROOT / "benchmarks" / "RESULTS.md"


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked; return 1 if a benchmark failed to run or a promise was broken.

    Other missed targets are results. A quick run is too short to break a promise.
    """
    options = _parsed(arguments)
    at, where = datetime.now(UTC), machine()
    names = options.only or NAMES
    sections = [measure(name, quick=options.quick) for name in names]
    notes = []
    if options.quick:
        notes.append(
            "A quick run, to see that everything works: few rounds, so its figures count for nothing."
        )
    if set(names) != set(NAMES):
        notes.append(f"Only these were run: {', '.join(names)}.")
    page = render(sections, where, versions(), at, notes)
    if options.merge:
        page = merged(RESULTS.read_text(encoding="utf-8"), sections, at)
    out = options.out or (None if notes and not options.merge else RESULTS)
    if out is None:
        print(page, end="")
    else:
        out.write_text(page, encoding="utf-8")
        say(f"wrote {out}")
    broken = not options.quick and any(
        figure.binding and figure.met is False for section in sections for figure in section.figures
    )
    return int(broken or any(section.failed for section in sections))


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that everything works")
    parser.add_argument(
        "--merge", action="store_true", help="put what was run into the page, and keep the rest of it"
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument(
        "--out",
        type=Path,
        help="where to write the page (default: benchmarks/RESULTS.md; a quick or partial run prints it)",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
