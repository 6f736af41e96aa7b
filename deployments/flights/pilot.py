"""The measured pilot: how fast each model answers, before any traffic is at stake.

    python -m deployments.flights.pilot

Starts both servers on free ports and sends them the same requests of the training months, one at a time
and in turns, so that whatever else the machine does falls on both. The plan's latency ``ratio`` and
``tolerate`` come from the ratios printed here, with headroom; never from the verdicts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from deployments.flights.requests import NUMBERS, WORDS, build
from deployments.flights.training import NAME, train
from deployments.processes import Processes, answers, free_port
from headgate.errors import HeadgateError, ModelUnavailable

HOST = "127.0.0.1"
BATCH = 256
START_SECONDS = 60.0
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
Sides = dict[str, HTTPConnection]


def body_of(rows: pa.Table) -> bytes:
    """Return the body of a request for these rows of the request log."""
    size = [rows.num_rows]
    numbers = [{"name": c, "shape": size, "datatype": "FP64", "data": rows[c].to_pylist()} for c in NUMBERS]
    words = [{"name": c, "shape": size, "datatype": "BYTES", "data": rows[c].to_pylist()} for c in WORDS]
    return orjson.dumps({"inputs": [*numbers, *words]})


def serve(processes: Processes, model: Path, *options: str) -> int:
    """Start a server of this model on a free loopback port and return the port once it is ready.

    Raises
    ------
    StartError
        If the server does not come up; the message carries the end of its log.
    """
    port = free_port()
    command = [sys.executable, "-m", "deployments.flights.serving"]
    command += ["--model", str(model), "--name", NAME, "--port", str(port), *options]
    child = processes.start(model.stem, command, os.environ)
    processes.wait(child, lambda: answers(f"http://{HOST}:{port}/v2/health/ready"), START_SECONDS)
    return port


def measure(ports: Mapping[str, int], requests: pa.Table, *, count: int, seed: int) -> dict[str, Any]:
    """Ask both sides ``count`` single requests in turns, then batches, and return the figures.

    Parameters
    ----------
    ports
        Where ``incumbent`` and ``candidate`` listen.
    requests
        Rows of the request log to draw from.
    count
        Single requests per side, at least 1.
    seed
        Of the draw.

    Returns
    -------
    dict
        ``single_ms`` and ``rows_per_second`` per side, and ``ratio`` = candidate / incumbent per quantile.
    """
    drawn = requests.take(random.Random(seed).choices(range(requests.num_rows), k=count))
    singles = [body_of(drawn.slice(i, 1)) for i in range(count)]
    many = drawn.take([i % count for i in range(BATCH * max(1, count // BATCH))])
    batches = [body_of(many.slice(i, BATCH)) for i in range(0, many.num_rows, BATCH)]
    sides: Sides = {side: HTTPConnection(HOST, port, timeout=10) for side, port in ports.items()}
    in_turns(sides, singles[:200])  # warm
    single = in_turns(sides, singles)
    batched = in_turns(sides, batches)
    for connection in sides.values():
        connection.close()
    figures = {side: _quantiles(seconds) for side, seconds in single.items()}
    return {
        "single_requests_per_side": count,
        "single_ms": figures,
        "ratio": {name: figures["candidate"][name] / figures["incumbent"][name] for name in QUANTILES},
        "rows_per_second": {side: BATCH * len(took) / sum(took) for side, took in batched.items()},
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.machine(),
        },
    }


def in_turns(sides: Sides, bodies: list[bytes]) -> dict[str, list[float]]:
    """Send every body to every side, the first side changing each time; return seconds per side.

    Raises
    ------
    ModelUnavailable
        If a side does not answer 200.
    """
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    order = list(sides.items())
    for body in bodies:
        order.reverse()
        for side, connection in order:
            start = time.perf_counter()
            connection.request("POST", f"/v2/models/{NAME}/infer", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            seconds[side].append(time.perf_counter() - start)
            if answer.status != 200:
                raise ModelUnavailable(f"{side}: asked for 200, found {answer.status}: {text[:200]!r}")
    return seconds


def main(argv: list[str] | None = None) -> None:
    """Build and train what is missing, measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m deployments.flights.pilot", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--count", type=int, default=4000, help="single requests per side")
    parser.add_argument("--seed", type=int, default=2013)
    parser.add_argument("--out", type=Path, default=Path("runs/pilot.json"))
    asked = parser.parse_args(argv)
    if asked.count < 1:
        parser.error(f"--count: asked for at least 1, found {asked.count}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            lake = Path(folder) / "lake"
            build(asked.data, lake)
            trained = train(lake, Path(folder) / "shelf")
            requests = pq.read_table([lake / "requests" / f"2013-0{month}.parquet" for month in (1, 2, 3)])
            with Processes(Path(folder)) as processes:
                ports = {
                    "incumbent": serve(processes, trained.incumbent),
                    "candidate": serve(processes, trained.candidate),
                }
                figures = measure(ports, requests, count=asked.count, seed=asked.seed)
    except HeadgateError as err:
        sys.stderr.write(f"{err}\n")
        raise SystemExit(err.exit_code) from err
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{_table(figures)}\nwritten to {asked.out}\n")


def _table(figures: dict[str, Any]) -> str:
    lines = [f"{'':10}" + "".join(f"{name:>10}" for name in QUANTILES) + f"{'rows/s':>12}"]
    for side, quantiles in figures["single_ms"].items():
        cells = "".join(f"{quantiles[name]:>7.2f} ms" for name in QUANTILES)
        lines.append(f"{side:10}{cells}{figures['rows_per_second'][side]:>12,.0f}")
    lines.append(f"{'ratio':10}" + "".join(f"{figures['ratio'][name]:>10.2f}" for name in QUANTILES))
    return "\n".join(lines)


def _quantiles(seconds: list[float]) -> dict[str, float]:
    return {name: float(np.quantile(seconds, q)) * 1000 for name, q in QUANTILES.items()}


if __name__ == "__main__":
    main()
