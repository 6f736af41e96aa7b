"""Starts a trainer's process, watches its time and memory, and reads what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from headgate.adapters.trainer.job import DONE, FAILED, FAILED_EXIT, LOG, Fitted, Job, found, write_whole
from headgate.errors import TrainingError
from headgate.plan.durations import as_duration

#: Told seconds gone and bytes used, about once a second.
Tell = Callable[[float, int], None]

_LOOK, _TELL = 0.1, 1.0
_SHOWN = 1_500


def train(
    job: Job, folder: Path, tell: Tell = lambda _seconds, _bytes: None, *, home: Path | None = None
) -> Fitted:
    """Return what the plan's trainer made; what it made before for the very same question is taken as it is.

    Parameters
    ----------
    folder
        For this training alone; what is asked and what is answered stay there.
    home
        Folder that the process works in, where modules of one's own are found without being installed; None:
        the working directory.

    Raises
    ------
    TrainingError
        If it raises, takes longer or more memory than the plan allows, dies, or makes no model.
    """
    question = job.fingerprint
    if (known := found(folder, question)) is not None:
        return known
    job.write(folder)
    with (folder / LOG).open("wb") as log:
        command = [sys.executable, "-m", "headgate.adapters.trainer.child", str(folder.resolve())]
        # A group of its own: what it starts ends with it.
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            command, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            seconds, memory = _watch(process, job, tell)
        finally:
            _end(process)
    if process.returncode:
        raise _failure(process.returncode, job, folder)
    done = {"fingerprint": question, "seconds": seconds, "memory": memory}
    write_whole(folder / DONE, json.dumps(done).encode())
    made = found(folder, question)
    if made is None:
        raise TrainingError(f"asked {job.trainer} for a model; it left none in {folder}; see its {LOG}")
    return made


def _watch(process: subprocess.Popen[bytes], job: Job, tell: Tell) -> tuple[float, int]:
    """Wait for its end; return the seconds it took and the most memory it used."""
    asked = job.plan.retrain
    assert asked is not None  # noqa: S101 - there is no job without
    began, most, told = time.monotonic(), 0, 0.0
    while process.poll() is None:
        gone, used = time.monotonic() - began, _memory(process.pid)
        most = max(most, used)
        if used > asked.memory_bytes:
            raise TrainingError(
                f"asked {job.trainer} to train within {asked.memory}; it used {used / 1e9:.2f} GB after "
                f"{gone:.0f} s and was stopped; mend the trainer, or raise `retrain.memory`"
            )
        if gone > asked.timeout.total_seconds():
            raise TrainingError(
                f"asked {job.trainer} to train within {as_duration(asked.timeout)}; it was still at it and "
                "was stopped; mend the trainer, or raise `retrain.timeout`"
            )
        if gone - told >= _TELL:
            told = gone
            tell(gone, used)
        time.sleep(_LOOK)
    return time.monotonic() - began, most


def _memory(pid: int) -> int:
    """Return what a process and those it started hold in memory, in bytes."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += one.memory_info().rss
    return total


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failure(code: int, job: Job, folder: Path) -> TrainingError:
    if code == FAILED_EXIT:
        with suppress(OSError, ValueError):
            return TrainingError(json.loads((folder / FAILED).read_bytes())["message"])
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    said = (folder / LOG).read_text(encoding="utf-8", errors="replace")[-_SHOWN:].strip()
    return TrainingError(
        f"asked {job.trainer} to train {job.version}; its process {how}; mend the trainer; the end of what "
        f"it said:\n{said or '(nothing)'}"
    )
