"""What a stack that was killed has left running, found and ended before the next one starts."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from deployments.processes import Processes
from headgate.errors import InputError

_SAME_START_S = 0.5


@contextmanager
def only_one(run: Path) -> Iterator[None]:
    """Hold the folder: a second stack in it is refused.

    Raises
    ------
    InputError
        If a stack runs in this folder.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"asked to start a stack in {run}; found one that runs there; end it, or name another --out"
            ) from None
        yield


def note(run: Path, processes: Processes) -> None:
    """Write down what was started, for the next start to find should we be killed."""
    started = []
    for child in processes.children:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(child.process.pid)
            started.append({"pid": process.pid, "started": process.create_time()})
    (run / "processes.json").write_text(json.dumps(started))


def end_leftovers(run: Path) -> int:
    """End what an earlier stack in this folder started and could not stop; return how many."""
    path = run / "processes.json"
    if not path.exists():
        return 0
    found = [process for entry in json.loads(path.read_text()) if (process := _still(entry)) is not None]
    everybody = [child for process in found for child in process.children(recursive=True)] + found
    for process in everybody:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(everybody, timeout=8)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    path.unlink()
    return len(found)


def _still(entry: dict[str, float]) -> psutil.Process | None:
    """Return the very process that was noted; one that merely has its old pid is not it."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(int(entry["pid"]))
        if abs(process.create_time() - entry["started"]) < _SAME_START_S:
            return process
    return None
