"""How fast a share changes: from the order to Envoy's own report, under light load, nothing dropped.

Run ``python benchmarks/traffic.py``; it prints a table and one line of JSON. Model servers and callers
are processes of their own, so that the clock measures the plane and not this interpreter.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import psutil
import uvicorn

from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.ports import Endpoint, Route

CHANGES = 100
CALLERS = 2
_STEPS = (0, 100, 500, 2_500, 5_000, 10_000)

_spawn = multiprocessing.get_context("spawn")


async def _answer(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def _serve(port: int) -> None:
    config = {"interface": "asgi3", "lifespan": "off", "ws": "none", "log_level": "critical"}
    uvicorn.run(_answer, host="127.0.0.1", port=port, **config)


def _call(port: int, number: int, stop: Event, results: Any) -> None:
    """Send about 200 requests a second on one connection until told to stop; report sent and failed."""
    sent = failed = 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    while not stop.is_set():
        sent += 1
        try:
            connection.request("POST", "/v2/models/model/infer", b"{}", {"x-entity-id": f"N{number}-{sent}"})
            response = connection.getresponse()
            response.read()
            failed += response.status != 200
        except (OSError, http.client.HTTPException):
            failed += 1
            connection.close()
        time.sleep(0.005)
    results.put((sent, failed))


def run(changes: int = CHANGES) -> dict[str, float]:
    """Change the share ``changes`` times under load.

    Returns
    -------
    dict
        ``changes``, ``p50_ms`` and ``p99_ms`` from the call of ``apply`` to its return (read back),
        ``requests``, ``dropped``, ``restart_ms`` from kill -9 to serving again at the same share, and
        ``stale``: how many of the first requests after a read-back were answered by the old route.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as after:
        ports = [_free_port() for _ in range(3)]
        for port in ports[:2]:
            server = _spawn.Process(target=_serve, args=(port,), daemon=True)
            server.start()
            after.callback(server.join, 5)
            after.callback(server.terminate)
            _wait_for(port)
        route = _route(ports[0], ports[1])
        plane = EnvoyPlane(Path(folder), ports[2])
        after.callback(plane.stop)
        plane.apply(route)
        times, stale, sent, failed = _change_under_load(plane, route, ports[2], changes)
        restart = _restart(plane, replace(route, generation=1), Path(folder))
        return {
            "changes": changes,
            "p50_ms": round(statistics.median(times) * 1e3, 1),
            "p99_ms": round(statistics.quantiles(times, n=100)[98] * 1e3, 1),
            "requests": sent,
            "dropped": failed,
            "stale": stale,
            "restart_ms": round(restart * 1e3),
        }


def _change_under_load(
    plane: EnvoyPlane, route: Route, port: int, changes: int
) -> tuple[list[float], int, int, int]:
    stop, results = _spawn.Event(), _spawn.Queue()
    callers = [_spawn.Process(target=_call, args=(port, n, stop, results)) for n in range(CALLERS)]
    for caller in callers:
        caller.start()
    time.sleep(1.0)
    probe = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    times, stale = [], 0
    try:
        for generation in range(2, changes + 2):
            asked = replace(route, share_bp=_STEPS[generation % len(_STEPS)], generation=generation)
            began = time.perf_counter()
            plane.apply(asked)
            times.append(time.perf_counter() - began)
            probe.request("GET", "/", headers={"x-entity-id": "probe"})
            response = probe.getresponse()
            response.read()
            stale += response.headers["x-rollout-generation"] != str(generation)
            time.sleep(0.02)
    finally:
        stop.set()
        counts = [results.get(timeout=20) for _ in callers]
        for caller in callers:
            caller.join(10)
        probe.close()
    return times, stale, sum(sent for sent, _ in counts), sum(failed for _, failed in counts)


def _restart(plane: EnvoyPlane, route: Route, folder: Path) -> float:
    """Return seconds from kill -9 of our own Envoy to serving again."""
    before = plane.observe()
    envoy = psutil.Process(json.loads((folder / "envoy.pid").read_text())["pid"])
    began = time.perf_counter()
    envoy.kill()
    plane.reconcile(route)
    seconds = time.perf_counter() - began
    if plane.observe() != before:
        raise RuntimeError(f"share changed over a restart: {before} -> {plane.observe()}")
    return seconds


def _route(incumbent: int, candidate: int) -> Route:
    return Route(
        service="bench",
        rollout="bench-1",
        salt="bench-1",
        share_bp=0,
        mirror=False,
        token=1,
        generation=1,
        incumbent=Endpoint("127.0.0.1", incumbent),
        candidate=Endpoint("127.0.0.1", candidate),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the model server on port {port} did not start")


def markdown(result: dict[str, float]) -> str:
    """Return the figures as a table."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in result.items())
    return f"| share change | |\n|---|---|\n{rows}"


if __name__ == "__main__":
    figures = run()
    print(markdown(figures))
    print(json.dumps({"traffic": figures}))
