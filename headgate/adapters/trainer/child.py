"""The trainer's own process: ``python -m headgate.adapters.trainer.child FOLDER``.

Trains twice with the same function: on what came before the held-out time, to be held against the models
that there are, and on all of the window, to be kept. Exit 0: the answer is in the folder. Exit 3:
``failed.json`` says why.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa

from headgate import parity
from headgate.adapters.trainer.job import FAILED, FAILED_EXIT, Job, leave, write_whole
from headgate.errors import TrainingError
from headgate.training import Made, Trained, answers_of, golden_of, returned
from headgate.training.card import fingerprint_of

_LIBRARIES = ("scikit-learn", "numpy", "scipy", "pyarrow", "skops")


def main(argv: list[str]) -> int:
    """Do the job of a folder; return the exit code."""
    folder = Path(argv[0])
    _end_with(os.getppid())
    try:
        _do(Job.read(folder), folder)
    except TrainingError as err:
        write_whole(folder / FAILED, json.dumps({"message": str(err)}).encode())
        return FAILED_EXIT
    return 0


def _do(job: Job, folder: Path) -> None:
    function = _imported(job.trainer)
    first = _trained(function, job, job.first)
    answers = answers_of(first, job.held, job.plan, job.trainer)
    whole = _trained(function, job, job.whole)
    again = answers_of(whole, job.held, job.plan, job.trainer)
    from headgate.adapters.model_file import to_bytes  # skops takes seconds; a trainer that fails needs none

    requests = job.whole.select(job.held.column_names)
    golden = parity.to_bytes(golden_of(whole, requests, job.plan, job.version, job.trainer))
    leave(folder, to_bytes(whole, job.trainer), golden, _made(job, whole), answers, again)


def _trained(function: Callable[..., Any], job: Job, table: pa.Table) -> Trained:
    try:
        found = function(table, version=job.version)
    except Exception as err:  # its author's code: whatever went wrong, say where
        where = traceback.extract_tb(err.__traceback__)[-1]
        traceback.print_exc()
        raise TrainingError(
            f"asked {job.trainer} to train {job.version} on {table.num_rows:,} requests; it raised "
            f"{type(err).__name__}: {err} ({Path(where.filename).name}:{where.lineno}); mend the trainer"
        ) from err
    return returned(found, job.trainer)


def _imported(trainer: str) -> Callable[..., Any]:
    module, _, name = trainer.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except Exception as err:  # a module may do anything while it is imported
        raise TrainingError(
            f"asked the trainer {trainer}; found {type(err).__name__}: {err}; install its module where "
            "Headgate runs, or put its folder on PYTHONPATH or into HEADGATE_HOME"
        ) from err
    if not callable(function):
        found = type(function).__name__
        raise TrainingError(f"asked the trainer {trainer}; found a {found}; name a function")
    return function  # type: ignore[no-any-return]  # what it returns is checked


def _made(job: Job, whole: Trained) -> Made:
    source = Path(str(sys.modules[job.trainer.partition(":")[0]].__file__))
    libraries = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in _LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue
    return Made(
        trainer=job.trainer,
        source_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        libraries=libraries,
        preprocessing_sha256=None if whole.preprocessing is None else fingerprint_of(whole.preprocessing),
        columns=tuple(whole.columns) or tuple(job.held.column_names),
        trusted=tuple(whole.trusted),
    )


def _end_with(parent: int) -> None:
    """End when whoever started this does, however that came: nobody waits for the model any more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
