"""Ways from a caller to a model: direct, through other people's proxies, through planes and guard."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.traffic_peers import HAPROXY, NGINX, program, version_of
from deployments.processes import free_port
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.planes.haproxy import HAProxyPlane
from headgate.errors import PlaneUnavailable
from headgate.ports import Endpoint, Route

#: Worker threads of every proxy: the same for all.
THREADS = 2
_HOST = "127.0.0.1"
_CONTRACT = {
    "columns": {
        "carrier": {"type": "category", "values": ["AA", "B6", "DL", "UA"]},
        "origin": {"type": "category", "values": ["EWR", "JFK", "LGA"]},
        **{f"x{i}": {"type": "number", "min": -100, "max": 100, "missing": "allow"} for i in range(13)},
    }
}
#: A request that keeps the contract.
COLUMNS: dict[str, Any] = {"carrier": "AA", "origin": "JFK", **{f"x{i}": i / 2 for i in range(13)}}


@dataclass(frozen=True, slots=True)
class Way:
    """One way: where callers call, and the processes that are between them and the model."""

    name: str
    port: int
    pids: tuple[int, ...]

    def cpu_s(self) -> float:
        """Return the seconds of processor time those processes have used so far."""
        return sum(_cpu_s(pid) for pid in self.pids)


class Ways:
    """All ways that can be had here; what cannot is told in ``missing``."""

    def __init__(self, folder: Path, after: ExitStack) -> None:
        self._folder, self._after = folder, after
        self.missing: list[str] = []
        self.programs: dict[str, str] = {}
        self.models = (free_port(), free_port())
        command = [sys.executable, "-m", "benchmarks.traffic_model", *map(str, self.models)]
        self._start("models", command, self.models[1])

    def direct(self) -> Way:
        """Return the way without anything between."""
        return Way("direct", self.models[0], ())

    def others(self) -> list[Way]:
        """Return nginx and HAProxy as people set them up by hand, splitting half and half."""
        made = []
        for name, binary, config, command in (
            ("nginx", "nginx", NGINX, lambda b, f: [b, "-p", str(f.parent), "-c", str(f)]),
            ("HAProxy by hand", "haproxy", HAPROXY, lambda b, f: [b, "-db", "-f", str(f)]),
        ):
            found = program(binary)
            if found is None:
                self.missing.append(f"{name}: not installed (`apt-get install {binary}`)")
                continue
            self.programs[name] = version_of(found)
            folder = self._folder / binary
            folder.mkdir()
            port = free_port()
            file = folder / f"{binary}.conf"
            values = {"port": port, "threads": THREADS, "folder": folder}
            file.write_text(config.format(one=self.models[0], two=self.models[1], **values))
            process = self._start(binary, command(found, file), port)
            made.append(Way(name, port, _family(process.pid)))
        return made

    def planes(self) -> list[Way]:
        """Return Envoy and HAProxy as Headgate runs them, at a share of one half."""
        made = []
        for kind, plane_in in PLANES.items():
            port = free_port()
            folder = self._folder / f"plane-{kind}"
            plane = plane_in(folder, port)
            try:
                plane.apply(route_to(*self.models))
            except PlaneUnavailable as err:
                self.missing.append(f"{kind} plane: {err}")
                continue
            self._after.callback(plane.stop)
            made.append(Way(f"{kind} plane", port, _family(*_on(port))))
        return made

    def guards(self, plane: Way) -> list[Way]:
        """Return the guard before a plane: one with a contract for requests, and one without."""
        return [
            self._guard(name, plane, contract)
            for name, contract in (("guard", _CONTRACT), ("guard, no contract", None))
        ]

    def _guard(self, name: str, plane: Way, contract: dict[str, Any] | None) -> Way:
        folder = self._folder / name.replace(", ", "-").replace(" ", "-")
        (folder / "lake" / "requests").mkdir(parents=True)
        file = folder / "plan.yaml"
        file.write_text(yaml.safe_dump(_plan(self.models, contract)))
        port = free_port()
        command = [
            sys.executable, "-m", "headgate.cli", "guard", "serve", str(file),
            "--port", str(port), "--plane", f"http://{_HOST}:{plane.port}",
        ]  # fmt: skip
        process = self._start(name, command, port, cwd=folder)
        return Way(name, port, (*_family(process.pid), *plane.pids))

    def _start(
        self, name: str, command: list[str], port: int, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{name}.log").open("wb")
        self._after.callback(log.close)
        settings = (
            {} if cwd is None else {"HEADGATE_HOME": str(cwd), "HEADGATE_STORE_URL": f"sqlite:///{cwd}/s.db"}
        )
        process = subprocess.Popen(  # noqa: S603 - our own argument lists, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **settings},
            cwd=None,
        )
        self._after.callback(_end, process)
        wait_for(port, process, self._folder / f"{name}.log")
        return process


#: Planes as Headgate starts them.
PLANES: dict[str, Callable[[Path, int], EnvoyPlane | HAProxyPlane]] = {
    "envoy": lambda folder, port: EnvoyPlane(folder, port, workers=THREADS),
    "haproxy": lambda folder, port: HAProxyPlane(folder, port, threads=THREADS),
}


def route_to(incumbent: int, candidate: int, share_bp: int = 5_000) -> Route:
    """Return a route between two ports of this machine."""
    return Route(
        service="bench",
        rollout="bench-1",
        salt="bench-1",
        share_bp=share_bp,
        mirror=False,
        token=1,
        generation=1,
        incumbent=Endpoint(_HOST, incumbent),
        candidate=Endpoint(_HOST, candidate),
        timeout_ms=5_000,
    )


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((_HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    said = log.read_text(encoding="utf-8", errors="replace")[-500:]
    raise RuntimeError(f"{log.stem} does not listen on port {port}: {said}")


@contextmanager
def ways(folder: Path) -> Iterator[Ways]:
    """Run what the ways need; all of it is ended behind."""
    with ExitStack() as after:
        yield Ways(folder, after)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _family(*pids: int) -> tuple[int, ...]:
    """Return processes and all that they started."""
    found = [psutil.Process(pid) for pid in pids]
    return tuple(dict.fromkeys(p.pid for one in found for p in (one, *one.children(recursive=True))))


def _on(port: int) -> list[int]:
    """Return the processes of ours that listen on a port."""
    held = []
    for process in psutil.process_iter():
        try:
            listens = process.net_connections("tcp")
        except psutil.Error:
            continue
        if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in listens):
            held.append(process.pid)
    return held


def _cpu_s(pid: int) -> float:
    """Return a process's processor time: exact where the kernel tells, else in ticks of 10 ms."""
    try:
        threads = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
        if threads:
            return sum(int(one.read_text().split()[0]) for one in threads) / 1e9
    except (OSError, ValueError):
        pass
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _plan(models: tuple[int, int], contract: dict[str, Any] | None) -> dict[str, Any]:
    side = {"kind": "http", "model": "model"}
    body: dict[str, Any] = {
        "version": 1,
        "name": "bench",
        "service": "bench",
        "owner": {"name": "Bench", "contact": "bench@example.org"},
        "author": "bench@example.org",
        "incumbent": side | {"url": f"http://{_HOST}:{models[0]}", "version": "logistic-1"},
        "candidate": side | {"url": f"http://{_HOST}:{models[1]}", "version": "gbm-2"},
        "requests": {"path": "lake/requests"},
        "unit": {"entity": "entity", "block_bound": 0.2},
        "outcomes": {"path": "lake/outcomes", "label": "late", "known_at": "known_at", "maturity": "2d"},
        "prediction": {"kind": "probability"},
        "serving": {"timeout": "5s"},
        "gates": [{"name": "errors", "metric": "error_rate", "ceiling": 0.01}],
        "steps": [{"percent": 0}, {"percent": 50}, {"percent": 100}],
    }
    return body | ({"input": contract} if contract else {})
