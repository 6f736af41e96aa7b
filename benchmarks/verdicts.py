"""How many samples the gates need and how often they are wrong: `benchmarks.gates`, held to its targets.

It runs as a process of its own, as one would run it by hand: its arrays are large, and it takes its
time to give them back.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import Figure, Section

#: Wished for at the design distance of a gate alone, and tolerated.
TARGET, LIMIT = 1.3, 1.6
_WHOLE, _ROLLOUT = "whole engine", "whole rollout"

Row = dict[str, Any]


def run(*, quick: bool) -> Section:
    """Measure."""
    found, told = measured(["--quick"] if quick else [])
    runs = found["runs"]
    return Section(
        title="Verdicts: how soon, and how often wrong",
        what="Mean samples until a gate decides at its design distance, over N*: what somebody needs who "
        "knows the truth, or one batch where that is more. How often a verdict is ever wrong where nothing "
        "is to be found, with a look at every batch: each gate alone, the whole engine with all its gates, "
        "segments and start times, also where all requests of a block share a shock. The same of what teams "
        "use today. And how whole rollouts end.",
        how=f"{runs['nulls']:,} runs of every null and of every rule, {runs['rollouts']:,} of the two null "
        "rollouts and an eighth of that of the others, each row drawn with a fixed seed of its own and "
        "judged by the functions that judge real rollouts. A gate alone: independent units, no segments, no "
        "start times. Wrong verdicts are held against the nominal level + 2 standard errors: of so many rows "
        "a few would pass that by luck at the very edge of their null, but most nulls lie well inside.",
        figures=(*_speeds(found["speeds"]), *_wrongs(found["wrongs"]), *_watch(found["watch"])),
        detail=told,
    )


def measured(arguments: list[str]) -> tuple[Row, str]:
    """Run the gates' benchmark; return what it found as numbers and as markdown.

    Raises
    ------
    RuntimeError
        If it broke. A promise it found broken is a result.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "gates.json"
        command = [sys.executable, "-m", "benchmarks.gates", *arguments, "--json", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
        if not out.exists():
            raise RuntimeError(f"benchmarks.gates ended with code {done.returncode}: {done.stderr[-2000:]}")
        found: Row = json.loads(out.read_text(encoding="utf-8"))
    return found, done.stdout.strip()


def _speeds(rows: list[Row]) -> tuple[Figure, ...]:
    """Return the slowest gate alone, and how many are slower than what is aimed at."""
    alone = [row for row in rows if row["far"] == 1 and not row["judged"]]
    if not alone:
        return (Figure("mean samples / N*", None, at_most=LIMIT, binding=True),)
    slowest = max(alone, key=lambda row: row["score"])
    named = f"{slowest['gate']}, {slowest['verdict']}, looks of {slowest['batch']} {slowest['unit']}"
    above = sum(row["score"] > TARGET for row in alone)
    return (
        Figure(
            f"mean samples / N*, slowest of {len(alone)} gates alone ({named})",
            slowest["score"],
            at_most=LIMIT,
            digits=2,
            binding=True,
        ),
        Figure(f"gates alone above {TARGET} x N* (of {len(alone)})", above, at_most=0),
    )


def _wrongs(rows: list[Row]) -> tuple[Figure, ...]:
    kinds: dict[str, Callable[[str], bool]] = {
        "whole rollouts": lambda null: null.startswith(_ROLLOUT),
        "the whole engine": lambda null: null.startswith(_WHOLE),
        "one gate": lambda null: not null.startswith((_ROLLOUT, _WHOLE)),
    }
    return tuple(
        figure
        for kind, belongs in kinds.items()
        for figure in _wrongs_of(kind, [row for row in rows if belongs(row["null"])])
    )


def _wrongs_of(kind: str, rows: list[Row]) -> tuple[Figure, Figure]:
    beyond = f"nulls wrong more often than nominal + 2 SE, {kind}"
    if not rows:
        return Figure(beyond, None, at_most=0, binding=True), Figure(f"wrong verdicts, {kind}", None, "%")
    worst = max(rows, key=lambda row: row["wrong"] - row["allowed"])
    too_often = sum(not row["wrong"] <= row["allowed"] for row in rows)
    return (
        Figure(f"{beyond} (of {len(rows)})", too_often, at_most=0, binding=True),
        Figure(
            f"wrong verdicts, {kind}: the worst null ({worst['null']})",
            100 * worst["wrong"],
            "%",
            at_most=round(100 * worst["allowed"], 2),
            digits=2,
        ),
    )


def _watch(rows: list[Row]) -> tuple[Figure, ...]:
    if not rows:
        return ()
    least = min(rows, key=lambda row: row["run_length"])
    return (
        Figure(
            "blocks of the watch to a false alarm, in the mean",
            least["run_length"],
            at_least=least["promised"],
            binding=True,
        ),
    )
