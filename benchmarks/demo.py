"""How much memory the demo takes with everything it starts, and how long.

``python -m benchmarks --only demo``. Processes that share pages (Python's own, the libraries') would be
counted several times by their resident sizes; the proportional size gives every page to its sharers in
equal parts, so that the sum is what the machine really had to hold.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.results import Figure, Section, table

#: Seconds between looks. A look reads a summary of each process's pages: some milliseconds.
EVERY = 0.5
LONGEST = 300.0
ROLES = ("the demo itself", "Prefect server", "model servers", "Envoy", "other")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of one or more processes: resident, and proportional (None where the system cannot tell)."""

    resident: int = 0
    proportional: int | None = 0

    def __add__(self, other: Sizes) -> Sizes:
        both = self.proportional, other.proportional
        told = None if None in both else sum(x for x in both if x is not None)
        return Sizes(self.resident + other.resident, told)

    @property
    def counted(self) -> int:
        """What counts: proportional if known."""
        return self.resident if self.proportional is None else self.proportional


@dataclass
class Peak:
    """The largest sum seen, what it was made of, and the largest of each role."""

    total: Sizes = Sizes()
    parts: dict[str, Sizes] = field(default_factory=dict)
    processes: int = 0
    roles: dict[str, int] = field(default_factory=dict)
    resident: int = 0
    looks: int = 0

    def see(self, seen: Mapping[str, list[Sizes]]) -> None:
        """Take one look into account."""
        parts = {role: sum(sizes, Sizes()) for role, sizes in seen.items()}
        total = sum(parts.values(), Sizes())
        self.looks += 1
        self.resident = max(self.resident, total.resident)
        for role, size in parts.items():
            self.roles[role] = max(self.roles.get(role, 0), size.counted)
        if total.counted > self.total.counted:
            self.total, self.parts = total, parts
            self.processes = sum(len(sizes) for sizes in seen.values())


def run(*, quick: bool) -> Section:
    """Measure; a quick run has no time for it."""
    section = Section(
        title="The demo: memory and time",
        what="The most memory that `headgate demo` and everything it starts hold at one time: the demo, "
        "which runs the flows, the Prefect server, the model servers and Envoy. And its time from start to "
        "end.",
        how=f"The demo as a child; every {EVERY:g} s the sizes of its process tree and of its Envoys, found "
        "by their run directories, are added up. Proportional sizes: a page that n processes share counts "
        "1/n for each.",
    )
    if quick:
        return replace(section, skipped="left out of a quick run: it takes minutes.")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        seconds, peak = watched(out, Path(folder) / "demo.log")
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return replace(section, figures=_figures(seconds, peak, summary), detail=_detail(peak, summary))


def watched(out: Path, log: Path) -> tuple[float, Peak]:
    """Run the demo to its end; return its seconds and the peak of what it held."""
    peak = Peak()
    began = time.perf_counter()
    with log.open("wb") as told:
        command = [sys.executable, "-m", "headgate.cli", "demo", "--out", str(out)]
        demo = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=told)  # noqa: S603 - ours
        try:
            while demo.poll() is None:
                peak.see(sizes(demo.pid, out))
                time.sleep(EVERY)
        finally:
            if demo.poll() is None:
                demo.terminate()  # it stops everything it started
                demo.wait(60)
    seconds = time.perf_counter() - began
    if demo.returncode:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"the demo ended with code {demo.returncode}: {tail}")
    return seconds, peak


def sizes(root: int, out: Path) -> dict[str, list[Sizes]]:
    """Return the sizes of a process, all below it, and the Envoys of its run, by role."""
    found = defaultdict(list)
    for process in _tree(root, out):
        try:
            role = role_of(process.pid, root, process.cmdline())
            full = process.memory_full_info()
        except psutil.Error:
            continue  # it ended while we looked
        found[role].append(Sizes(full.rss, getattr(full, "pss", None)))
    return dict(found)


def role_of(pid: int, root: int, command: Sequence[str]) -> str:
    """Return what a process of the demo is there for."""
    if pid == root:
        return ROLES[0]
    if command and Path(command[0]).name.startswith("envoy"):
        return "Envoy"
    if "deployments.flights.serving" in command:
        return "model servers"
    return "Prefect server" if any("prefect" in word for word in command) else "other"


def _tree(root: int, out: Path) -> Iterator[psutil.Process]:
    """Yield the processes of a run. Envoy outlives whoever starts it, so its own record is asked too."""
    seen: set[int] = set()
    try:
        demo = psutil.Process(root)
        found = [demo, *demo.children(recursive=True)]
    except psutil.NoSuchProcess:
        found = []
    for record in out.glob("planes/*/envoy.pid"):
        try:
            found.append(psutil.Process(json.loads(record.read_text(encoding="utf-8"))["pid"]))
        except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
            continue  # being written, or just stopped
    for process in found:
        if process.pid not in seen:
            seen.add(process.pid)
            yield process


def _figures(seconds: float, peak: Peak, summary: Mapping[str, Any]) -> tuple[Figure, ...]:
    known = peak.total.proportional is not None
    word = "proportional" if known else "resident: shared pages counted several times"
    return (
        Figure(f"the demo's peak memory ({word})", peak.total.counted / 2**20, "MiB"),
        Figure("the same by resident sizes", peak.resident / 2**20, "MiB"),
        Figure("the demo, start to end", seconds, "s", at_most=LONGEST),
        Figure("live requests", summary["live_requests"], at_least=10_000),
        Figure(
            "dropped requests and failed answers",
            summary["dropped_requests"] + summary["failed_answers"],
            at_most=0,
        ),
    )


def _detail(peak: Peak, summary: Mapping[str, Any]) -> str:
    rows = [
        (role, f"{peak.parts.get(role, Sizes()).counted / 2**20:.0f}", f"{peak.roles[role] / 2**20:.0f}")
        for role in ROLES
        if role in peak.roles
    ]
    ended = "; ".join(
        f"{one['name']} {one['outcome']}, at most {one['max_percent']:g} %" for one in summary["rollouts"]
    )
    return (
        table(("MiB", f"at the peak ({peak.processes} processes)", "its own peak"), rows)
        + f"\n\n{peak.looks} looks. Its rollouts: {ended}; {summary['flow_runs']} flow runs."
    )
