"""What a trainer's process is asked and what it leaves behind: files in one folder.

job.json  first.arrow  whole.arrow  held.arrow        asked
model.skops  golden.parity  answers.arrow  made.json  log.txt  done.json    answered; or failed.json
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headgate.plan.model import Plan
from headgate.training import Made, digest_of, fingerprint_of

Floats = npt.NDArray[np.float64]

JOB, LOG, MODEL, ANSWERS, MADE = "job.json", "log.txt", "model.skops", "answers.arrow", "made.json"
GOLDEN, DONE, FAILED = "golden.parity", "done.json", "failed.json"
#: Exit code of a trainer's process that says why in `FAILED`.
FAILED_EXIT = 3


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be trained.

    Attributes
    ----------
    first
        What the model that is held against the others learns from.
    held
        Held-out requests, with the features alone.
    whole
        What the model that is kept learns from: all of the window.
    """

    plan: Plan
    version: str
    first: pa.Table
    held: pa.Table
    whole: pa.Table

    @property
    def trainer(self) -> str:
        """``module:function``."""
        assert self.plan.retrain is not None  # noqa: S101 - there is no job without
        return self.plan.retrain.trainer

    @property
    def fingerprint(self) -> str:
        """The same for the same question: what was answered before is not asked again."""
        tables = [digest_of(table) for table in (self.first, self.held, self.whole)]
        return fingerprint_of([self.plan.hash, self.version, tables])

    def write(self, folder: Path) -> None:
        """Put the question into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for left in (DONE, FAILED):
            (folder / left).unlink(missing_ok=True)
        for name in ("first", "held", "whole"):
            write_table(folder / f"{name}.arrow", getattr(self, name))
        body = {"plan": self.plan.canonical(), "version": self.version, "fingerprint": self.fingerprint}
        write_whole(folder / JOB, json.dumps(body).encode())

    @classmethod
    def read(cls, folder: Path) -> Job:
        """Return the question of a folder."""
        body = json.loads((folder / JOB).read_bytes())
        tables = {name: read_table(folder / f"{name}.arrow") for name in ("first", "held", "whole")}
        return cls(Plan.model_validate(body["plan"]), body["version"], **tables)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came of it.

    Attributes
    ----------
    model
        File of the model that learned from all of the window.
    golden
        File of its golden examples; None where an older Headgate made it.
    first, whole
        Answers to the held-out requests, shape (n,): of the model that learned from what came before them,
        and of the one that is kept, which has seen them.
    seconds, memory
        How long it took, and the most memory it used (bytes).
    """

    model: Path
    made: Made
    first: Floats
    whole: Floats
    seconds: float
    memory: int
    golden: Path | None = None


def leave(folder: Path, model: bytes, golden: bytes, made: Made, first: Floats, whole: Floats) -> None:
    """Leave the answer behind; the caller's process writes ``done.json`` when it has seen this one end."""
    write_whole(folder / MODEL, model)
    write_whole(folder / GOLDEN, golden)
    write_table(folder / ANSWERS, pa.table({"first": first, "whole": whole}))
    body = {
        "trainer": made.trainer,
        "source_sha256": made.source_sha256,
        "libraries": dict(made.libraries),
        "preprocessing_sha256": made.preprocessing_sha256,
        "columns": list(made.columns),
        "trusted": list(made.trusted),
    }
    write_whole(folder / MADE, json.dumps(body).encode())


def found(folder: Path, fingerprint: str) -> Fitted | None:
    """Return the answer that is there to this very question; None if there is none."""
    try:
        done = json.loads((folder / DONE).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if done["fingerprint"] != fingerprint:
        return None
    answers = read_table(folder / ANSWERS)
    made: Mapping[str, Any] = json.loads((folder / MADE).read_bytes())
    return Fitted(
        model=folder / MODEL,
        made=Made(
            made["trainer"],
            made["source_sha256"],
            made["libraries"],
            made["preprocessing_sha256"],
            tuple(made["columns"]),
            tuple(made["trusted"]),
        ),
        first=np.asarray(answers["first"]),
        whole=np.asarray(answers["whole"]),
        seconds=done["seconds"],
        memory=done["memory"],
        golden=folder / GOLDEN if (folder / GOLDEN).exists() else None,
    )


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table as one Arrow file."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_table(path: Path) -> pa.Table:
    """Return the table of an Arrow file."""
    with pa.OSFile(str(path), "rb") as source:
        return pa.ipc.open_file(source).read_all()


def write_whole(path: Path, body: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
