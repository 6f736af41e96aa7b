"""How many samples the gates need and how often they are wrong: `benchmarks.gates`, held to its targets.

It runs as a process of its own, as one would run it by hand: its arrays are large, and it takes its
time to give them back.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.results import Figure, Section

RUNS, QUICK_RUNS = 2000, 200
TARGET = 1.3
#: What a gate is called where it is measured with what its hours cost it, besides alone.
_AS_JUDGED = "as judged"
_WHOLE = "whole engine"


def run(*, quick: bool) -> Section:
    """Measure."""
    runs = QUICK_RUNS if quick else RUNS
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "gates.json"
        command = [sys.executable, "-m", "benchmarks.gates", "--runs", str(runs), "--json", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
        if done.returncode:
            raise RuntimeError(f"benchmarks.gates ended with code {done.returncode}: {done.stderr[-2000:]}")
        found = json.loads(out.read_text(encoding="utf-8"))
    return Section(
        title="Verdicts: how soon, and how often wrong",
        what="Mean samples until a gate decides at its design distance, over N*: what somebody needs who "
        "knows the truth, or one batch where that is more. And how often a verdict is ever wrong where "
        "nothing is to be found, with a look at every batch: each gate alone, and the whole engine with all "
        "its gates, segments and start times, also where all requests of a block share a shock.",
        how=f"{runs:,} runs of every row, drawn with a fixed seed and judged by the functions that judge "
        "real rollouts. A gate alone: independent units, no segments, no start times. As judged: with what "
        "it costs to notice that requests of an hour fail together. Wrong verdicts are held against "
        "the nominal level + 2 standard errors.",
        figures=(*_speeds(found["alone"]), *_wrongs(found["nulls"])),
        detail=done.stdout.strip(),
    )


def _speeds(rows: list[dict[str, Any]]) -> tuple[Figure, ...]:
    """Return the slowest gate of each kind and batch: what a batch overshoots is no fault of the engine."""
    groups: dict[tuple[bool, int], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[_AS_JUDGED in row["gate"], row["batch"]].append(row)
    if not groups:
        return (Figure("mean samples / N*", None, at_most=TARGET),)
    return tuple(_slowest(rows, batch, judged=judged) for (judged, batch), rows in sorted(groups.items()))


def _slowest(rows: list[dict[str, Any]], batch: int, *, judged: bool) -> Figure:
    slowest = max(rows, key=lambda row: row["score"])
    kind = f"operational gates {_AS_JUDGED}" if judged else "gates alone"
    named = slowest["gate"].removesuffix(f", {_AS_JUDGED}")
    what = f"mean samples / N*, slowest of {len(rows)} {kind}, batches of {batch} ({named})"
    return Figure(what, slowest["score"], at_most=TARGET, digits=2)


def _wrongs(rows: list[dict[str, Any]]) -> tuple[Figure, ...]:
    whole = [row for row in rows if row["null"].startswith(_WHOLE)]
    alone = [row for row in rows if not row["null"].startswith(_WHOLE)]
    return (
        _beyond("nulls wrong more often than nominal + 2 SE, whole engine", whole),
        _worst("wrong verdicts of the whole engine, its worst null", whole),
        _beyond("nulls wrong more often than nominal + 2 SE, gates alone and as judged", alone),
        _worst("wrong verdicts of one gate, the worst null", alone),
    )


def _beyond(what: str, rows: list[dict[str, Any]]) -> Figure:
    if not rows:
        return Figure(what, None, at_most=0)
    return Figure(f"{what} (of {len(rows)})", sum(row["wrong"] > row["allowed"] for row in rows), at_most=0)


def _worst(what: str, rows: list[dict[str, Any]]) -> Figure:
    if not rows:
        return Figure(what, None, "%")
    worst = max(rows, key=lambda row: row["wrong"] - row["allowed"])
    return Figure(
        f"{what} ({worst['null']})",
        100 * worst["wrong"],
        "%",
        at_most=round(100 * worst["allowed"], 2),
        digits=2,
    )
