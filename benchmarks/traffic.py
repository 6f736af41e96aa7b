"""How fast a share changes: from the order to the plane's own report, under light load, nothing dropped.

``python -m benchmarks --only traffic``. Model servers and callers are processes of their own, so that
the clock measures the plane and not this interpreter.
"""

from __future__ import annotations

import http.client
import json
import math
import multiprocessing
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Event, Semaphore
from pathlib import Path
from typing import Any

import psutil
import uvicorn

from benchmarks.results import Figure, Section
from benchmarks.running import say
from benchmarks.traffic_paths import PLANES, route_to
from deployments.processes import free_port
from headgate.errors import PlaneUnavailable
from headgate.ports import Route, TrafficPlane

CHANGES, QUICK_CHANGES = 200, 30
KILLS, QUICK_KILLS = 10, 3
CALLERS = 2
TARGET_MS = 100
_STEPS = (0, 100, 500, 2_500, 5_000, 10_000)

_spawn = multiprocessing.get_context("spawn")


async def _answer(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def _serve(port: int) -> None:
    config: dict[str, Any] = {"interface": "asgi3", "lifespan": "off", "ws": "none", "log_level": "critical"}
    uvicorn.run(_answer, host="127.0.0.1", port=port, **config)


def _call(port: int, number: int, begun: Semaphore, stop: Event, results: Any) -> None:
    """Send about 200 requests a second on one connection until told to stop; report sent and failed.

    ``begun`` is released once, after the first answer.
    """
    sent = failed = 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    while not stop.is_set():
        sent += 1
        try:
            connection.request("POST", "/v2/models/model/infer", b"{}", {"x-entity-id": f"N{number}-{sent}"})
            response = connection.getresponse()
            response.read()
            failed += response.status != 200
            if sent == 1:
                begun.release()
        except (OSError, http.client.HTTPException):
            failed += 1
            connection.close()
        time.sleep(0.005)
    results.put((sent, failed))


@dataclass(frozen=True, slots=True)
class Changes:
    """What changing the share under load came to.

    Attributes
    ----------
    times
        Seconds from each call of ``apply`` to its return, the plane's own report read back.
    stale
        First requests after a read-back that the old route answered.
    sent, dropped
        Requests of the callers, and those without an answer of 200.
    restarts
        Seconds from each kill -9 to a request answered at the same share.
    """

    times: list[float]
    stale: int
    sent: int
    dropped: int
    restarts: list[float]


def run(*, quick: bool) -> Section:
    """Measure every plane that can be started here."""
    found, missing = {}, []
    say(f"traffic: {len(PLANES)} planes, about {10 if quick else 30} s each")
    for kind in PLANES:
        try:
            found[kind] = measure(kind, *((QUICK_CHANGES, QUICK_KILLS) if quick else (CHANGES, KILLS)))
        except PlaneUnavailable as err:
            missing.append(f"Not measured: {kind}: {err}")
    changes, kills = (QUICK_CHANGES, QUICK_KILLS) if quick else (CHANGES, KILLS)
    sent = ", ".join(f"{one.sent:,} ({kind})" for kind, one in found.items())
    return Section(
        title="Changing the share",
        what="How long it takes from the order to change the candidate's share until the plane itself "
        f"reports the new share (target: 99 % of the changes within {TARGET_MS} ms), whether a request is "
        "lost meanwhile, and how long nobody is served after the plane was killed.",
        how=f"For every plane {changes} changes between {_STEPS[0]} and {_STEPS[-1]:,} basis points while "
        f"{CALLERS} callers sent requests: {sent}; after every read-back one request looks which route "
        f"answers. Then kill -9 of the plane {kills} times, each mended at once as the next tick would: the "
        "time until a request is answered again, at the same share.",
        figures=tuple(figure for kind, one in found.items() for figure in _figures(kind, one)),
        detail="\n\n".join(missing),
    )


def _figures(kind: str, found: Changes) -> tuple[Figure, ...]:
    # On an exact rank: with few changes the 99th of a hundred is the slowest.
    p50, p99 = (1e3 * quantile(found.times, q) for q in (0.5, 0.99))
    kills = len(found.restarts)
    return (
        Figure(f"{kind}: share change to read-back, 99 % of changes", p99, "ms", at_most=TARGET_MS, digits=1),
        Figure(f"{kind}: share change to read-back, median", p50, "ms", digits=1),
        Figure(f"{kind}: requests dropped while the share changed", found.dropped, at_most=0),
        Figure(f"{kind}: first requests after a read-back answered by the old route", found.stale, at_most=0),
        Figure(f"{kind}: kill -9 to serving, median", 1e3 * statistics.median(found.restarts), "ms"),
        Figure(f"{kind}: kill -9 to serving, slowest of {kills}", 1e3 * max(found.restarts), "ms"),
    )


def quantile(values: list[float], q: float) -> float:
    """Return the smallest of the values that at least a part ``q`` of them does not exceed."""
    return sorted(values)[math.ceil(q * len(values)) - 1]


def measure(kind: str, changes: int, kills: int) -> Changes:
    """Change the share under load, then kill the plane."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as after:
        ports = [free_port() for _ in range(3)]
        for port in ports[:2]:
            server = _spawn.Process(target=_serve, args=(port,), daemon=True)
            server.start()
            after.callback(server.join, 5)
            after.callback(server.terminate)
            _wait_for(port)
        route = route_to(ports[0], ports[1], share_bp=0)
        plane = PLANES[kind](Path(folder), ports[2])
        after.callback(plane.stop)
        plane.apply(route)
        times, stale, sent, failed = _change_under_load(plane, route, ports[2], changes)
        restarts = [_restart(plane, route, Path(folder), ports[2]) for _ in range(kills)]
    return Changes(times, stale, sent, failed, restarts)


def _change_under_load(
    plane: TrafficPlane, route: Route, port: int, changes: int
) -> tuple[list[float], int, int, int]:
    begun, stop, results = _spawn.Semaphore(0), _spawn.Event(), _spawn.Queue()
    callers = [_spawn.Process(target=_call, args=(port, n, begun, stop, results)) for n in range(CALLERS)]
    for caller in callers:
        caller.start()
    if not all(begun.acquire(timeout=60) for _ in callers):
        raise RuntimeError("the callers did not begin within a minute: is the machine too busy?")
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


def _restart(plane: TrafficPlane, route: Route, folder: Path, port: int) -> float:
    """Return seconds from kill -9 of our own plane to a request answered at the same share."""
    before = plane.observe()
    (file,) = folder.glob("*.pid")
    process = psutil.Process(json.loads(file.read_text())["pid"])
    began = time.perf_counter()
    process.kill()
    plane.reconcile(route)
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    caller.request("GET", "/", headers={"x-entity-id": "probe"})
    status = caller.getresponse().status
    seconds = time.perf_counter() - began
    caller.close()
    if status != http.HTTPStatus.OK or plane.observe() != before:
        raise RuntimeError(f"after a kill: answer {status}, share {before} -> {plane.observe()}")
    return seconds


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
