"""Everything one machine needs for the flights service: data, models, servers, and where they listen."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from deployments.flights.requests import build
from deployments.flights.training import TO_MINUTES, Trained, train
from deployments.processes import ROOT, Processes, answers, free_port
from headgate.errors import InputError

#: The step of the candidate's preprocessing that the bad candidate's server lost.
LOST_STEP = TO_MINUTES.name


@dataclass(frozen=True, slots=True)
class Prepared:
    """The service's history and its trained models, on disk."""

    lake: Path
    models: Trained


def prepare(run: Path) -> Prepared:
    """Build the request and outcome logs from the committed data, and train both models on them.

    Raises
    ------
    InputError
        If the data is not there.
    """
    data = ROOT / "data"
    if not (data / "flights.parquet").exists():
        raise InputError(f"asked for the flights in {data}; found none; run `python data/rebuild.py`")
    lake = run / "lake"
    build(data, lake)
    return Prepared(lake, train(lake, run / "shelf"))


def serve_model(processes: Processes, name: str, model: Path, *options: str, port: int | None = None) -> str:
    """Start one model server on a loopback port, by default a free one; return its address when ready."""
    port = port or free_port()
    argv = [sys.executable, "-m", "deployments.flights.serving", "--model", str(model), "--name", "delays"]
    child = processes.start(name, [*argv, "--port", str(port), *options], os.environ)
    processes.wait(child, lambda: answers(f"http://127.0.0.1:{port}/v2/health/ready"), seconds=180)
    return f"http://127.0.0.1:{port}"
