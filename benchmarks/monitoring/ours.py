"""Headgate's work on two files, and the mere scan it is measured against.

``python -m benchmarks.monitoring.ours timing|memory REFERENCE CURRENT OUT ROUNDS``: both sides take turns in
one process after a round to warm up, or only ours runs, so that the peak is ours alone.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.monitoring.rows import DECISIONS, LABEL, LATENCIES, NUMBERS, SCORES, TEXTS
from headgate.drift import Policy, ask
from headgate.profile import (
    Asked,
    Comparison,
    Outcomes,
    Profile,
    compare,
    merge,
    outline,
    survey,
    take,
    to_bytes,
)
from headgate.profile.grid import quantile

_COLUMNS = (*NUMBERS, *TEXTS, *LATENCIES)
_ASKED = Asked(LABEL, DECISIONS, SCORES)
#: Rows of a batch, of the scan as of ours.
_BATCH = 1 << 17
PARTS = 9


def scan(path: Path) -> None:
    """Read and decode every column of a file, as cheaply as we know: texts as dictionaries, one thread."""
    with pq.ParquetFile(path, read_dictionary=list(TEXTS), pre_buffer=False, buffer_size=1 << 20) as file:
        for _ in file.iter_batches(_BATCH, use_threads=False):
            pass


def work(reference: Path, current: Path) -> tuple[Profile, Profile, Comparison, Outcomes]:
    """Profile both windows, compare them, add the outcomes up."""
    old, _ = survey(reference, _ASKED, columns=_COLUMNS)
    new, outcomes = survey(current, _ASKED, columns=_COLUMNS, like=old)
    for side in SCORES:
        outcomes.auc(side)
    for name in LATENCIES:
        quantile(new.columns[name], 0.99)  # type: ignore[arg-type]  # latencies are numbers
    return old, new, compare(old, new), outcomes


def timing(reference: Path, current: Path, rounds: int) -> dict[str, Any]:
    """Return processor seconds of scan, ours and `headgate drift`, round by round, and what was found."""
    seconds: dict[str, list[float]] = {"scan": [], "ours": [], "drift": []}
    for turn in range(rounds + 1):
        begun = time.process_time()
        scan(reference)
        scan(current)
        between = time.process_time()
        old, new, comparison, outcomes = work(reference, current)
        ended = time.process_time()
        ask(reference, current, Policy())
        asked = time.process_time()
        if turn:  # the first round warms up
            seconds["scan"].append(between - begun)
            seconds["ours"].append(ended - between)
            seconds["drift"].append(asked - ended)
    return {
        **seconds,
        "bytes": [len(to_bytes(old)), len(to_bytes(new))],
        "columns": {column.name: asdict(column) for column in comparison.columns},
        "auc": {name: outcomes.auc(name) for name in SCORES},
        "pairs": outcomes.pairs.tolist(),
        "spread": {column.name: column.spread_reference for column in comparison.columns},
    }


def memory(reference: Path, current: Path) -> dict[str, Any]:
    """Return the most this process held, by the kernel's count."""
    work(reference, current)
    unit = 1 if sys.platform == "darwin" else 1024
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}


def merged(path: Path) -> list[str]:
    """Return the columns in which nine shuffled partitions do not add up to the whole: there are none."""
    import numpy as np

    table = pq.read_table(path, columns=list(_COLUMNS))
    table = table.take(np.random.default_rng(1).permutation(table.num_rows))
    like = outline(path, columns=_COLUMNS)
    whole = take(path, like=like, columns=_COLUMNS)
    size = -(-table.num_rows // PARTS)
    parts = merge(*(take(table.slice(i * size, size), like=like) for i in range(PARTS)))
    return [name for name, state in whole.columns.items() if not _same(state, parts.columns[name])]


def _same(one: Any, other: Any) -> bool:
    """Whether two states are equal; means, which are sums of floats in some order, to 12 digits."""
    import numpy as np

    for name in one.__dataclass_fields__:
        a, b = getattr(one, name), getattr(other, name)
        close = isinstance(a, float) and bool(np.isclose(a, b, rtol=1e-12))
        if not close and not (np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b):
            return False
    return True


def main(arguments: list[str]) -> None:
    """Do what is asked and write it down."""
    what, reference, current, out, rounds = arguments
    old, new = Path(reference), Path(current)
    match what:
        case "timing":
            found: Any = timing(old, new, int(rounds))
        case "memory":
            found = memory(old, new)
        case _:
            found = merged(old)
    Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
