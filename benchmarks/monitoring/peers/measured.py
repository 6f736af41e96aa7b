"""What every peer's script shares: its files, its clock, and where its answer goes.

Run by the Python of the peer's own environment; imports nothing but the standard library.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

NUMBERS = [f"n{i:02d}" for i in range(20)]
TEXTS = [f"c{i:02d}" for i in range(10)]
#: Per column and measure what was found.
Found = dict[str, dict[str, float]]


def run(package: str, work: Callable[[str, str], Found]) -> None:
    """Do the work on the two files named on the command line; write what it found and what it cost.

    Two small files come first, to warm up: imports and whatever is made at the first call are counted apart.
    """
    reference, current, out, *small = sys.argv[1:6]
    work(*small)
    imported = time.process_time()
    begun = time.monotonic()
    found = work(reference, current)
    answer: dict[str, Any] = {
        "package": package,
        "version": version(package),
        "warm_up_cpu": imported,
        "cpu": time.process_time() - imported,
        "wall": time.monotonic() - begun,
        "columns": found,
    }
    Path(out).write_text(json.dumps(answer), encoding="utf-8")


def put(found: Found, column: str, measure: str, value: object) -> None:
    """Note one figure."""
    found.setdefault(column, {})[measure] = float(value)  # type: ignore[arg-type]
