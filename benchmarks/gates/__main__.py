"""Measure, print a markdown fragment, and end with 1 if a promise was broken."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.gates.alone import LIMIT
from benchmarks.gates.everything import PARTS, Runs, measure
from benchmarks.gates.fragment import fragment

_FULL, _QUICK = Runs(), Runs(nulls=40, speeds=20, rollouts=4)


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked; return 1 if wrong verdicts are too frequent or a gate alone is too slow."""
    options = _parsed(arguments)
    runs = _QUICK if options.quick else Runs(options.runs, max(2, options.runs // 4), options.rollouts)
    found = measure(runs, tuple(options.only), options.processes)
    print(fragment(found))
    missed = found.missed(LIMIT)
    if options.json:
        body = {**asdict(found), "runs": asdict(runs), "missed": missed}
        options.json.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    # So few runs say nothing about a promise.
    return 0 if options.quick else int(bool(missed))


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gates", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few runs, to see that everything works")
    parser.add_argument("--runs", type=int, default=_FULL.nulls, help="of every null and every rival")
    parser.add_argument(
        "--rollouts", type=int, default=_FULL.rollouts, help="of each of the two null rollouts"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
