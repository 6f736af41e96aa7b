"""Runs one command and watches what its processes cost; ends it when it takes more than it may."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

#: What a peer may take: 20 minutes of processor time, 8 GB, and an hour whatever the machine does meanwhile.
MOST_CPU, MOST_BYTES, MOST_WALL = 20 * 60.0, 8 * 10**9, 3_600.0
_EVERY = 0.1
#: One thread each, and nobody is told that they ran.
ALONE = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1", "DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1",
    "WHYLOGS_NO_ANALYTICS": "True", "TF_CPP_MIN_LOG_LEVEL": "3",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took.

    Attributes
    ----------
    cpu, wall
        Seconds, of all its processes.
    peak
        Most bytes its processes held at once.
    stopped
        Why it was ended or failed; empty if it finished.
    """

    cpu: float
    wall: float
    peak: int
    stopped: str


def watch(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end, or to the end of what it may take."""
    begun, cpu, peak, stopped = time.monotonic(), 0.0, 0, ""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - our own scripts, by the Python of their environment
            list(command),
            cwd=cwd,
            env={**os.environ, **ALONE, **(environment or {})},
            stdout=said,
            stderr=said,
        )
        while process.poll() is None:
            seconds, held = _taken(process.pid)
            cpu, peak = max(cpu, seconds), max(peak, held)
            if stopped := _too_much(cpu, held, time.monotonic() - begun):
                _end(process)
                break
            time.sleep(_EVERY)
        if not stopped and process.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            stopped = f"ended with {process.returncode}: {lines[-1][:200] if lines else 'nothing said'}"
    return Cost(cpu, time.monotonic() - begun, peak, stopped)


def _taken(pid: int) -> tuple[float, int]:
    """Return processor seconds and bytes of a process and all it started."""
    seconds, held = 0.0, 0
    try:
        parent = psutil.Process(pid)
        for one in (parent, *parent.children(recursive=True)):
            times = one.cpu_times()
            seconds += times.user + times.system
            held += one.memory_info().rss
    except psutil.Error:  # it ended while we looked
        return seconds, held
    return seconds, held


def _too_much(cpu: float, held: int, wall: float) -> str:
    if cpu > MOST_CPU:
        return f"did not finish in {MOST_CPU / 60:.0f} minutes of processor time"
    if held > MOST_BYTES:
        return f"did not finish with {MOST_BYTES / 10**9:.0f} GB"
    return f"did not finish in {MOST_WALL / 60:.0f} minutes" if wall > MOST_WALL else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        children = []
    for one in (*children, process):
        one.kill()
    process.wait()
