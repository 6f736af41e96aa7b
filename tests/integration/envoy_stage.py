"""What the tests of proxies play with: model servers that misbehave on demand, callers, free ports."""

import asyncio
import http.client
import re
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import uvicorn

from deployments.processes import free_port
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.planes.haproxy import HAProxyPlane
from headgate.ports import Endpoint, Route, Side

#: Every proxy that keeps the rules of all; a third one is added here.
PROXIES = [
    pytest.param(EnvoyPlane, id="envoy", marks=pytest.mark.envoy),
    pytest.param(HAProxyPlane, id="haproxy", marks=pytest.mark.haproxy),
]


class Upstream:
    """A model server in a thread. ``status`` and ``delay`` may change at any time."""

    def __init__(self, side, port=0):
        self.side = side
        self.status = 200
        self.delay = 0.0
        self.seen = []  # headers of each request
        config = uvicorn.Config(
            self._answer,
            host="127.0.0.1",
            port=port,
            interface="asgi3",
            log_level="critical",
            lifespan="off",
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        self.endpoint = Endpoint("127.0.0.1", self._server.servers[0].sockets[0].getsockname()[1])

    async def _answer(self, scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        self.seen.append({k.decode(): v.decode("latin-1") for k, v in scope["headers"]})
        status, delay = self.status, self.delay
        if delay:
            await asyncio.sleep(delay)
        body = self.side.encode()
        headers = [(b"x-who", body), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def behave(self):
        self.status, self.delay = 200, 0.0
        self.seen.clear()

    def stop(self):
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(5)


@dataclass(frozen=True)
class Answer:
    status: int
    who: str
    side: str | None
    headers: dict[str, str] = field(repr=False)


class Caller:
    """One keep-alive connection to a plane."""

    def __init__(self, plane, timeout=20, over=None):
        port = int(plane.url.rpartition(":")[2])
        self._connection = (
            http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
            if over is None
            else http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=over)
        )

    @property
    def socket(self):
        return self._connection.sock

    def ask(self, entity=None, request_id=None, *, body=b"{}", extra=()):
        self.start(entity, request_id, body=body, extra=extra)
        return self.finish()

    def start(self, entity=None, request_id=None, *, body=b"{}", extra=()):
        headers = list(extra)
        if entity is not None:
            headers.append(("x-entity-id", entity.encode() if isinstance(entity, str) else entity))
        if request_id is not None:
            headers.append(("x-request-id", request_id))
        self._connection.putrequest("POST", "/v2/models/model/infer")
        for key, value in headers:
            self._connection.putheader(key, value)
        self._connection.putheader("content-length", str(len(body)))
        self._connection.endheaders(body)

    def finish(self):
        response = self._connection.getresponse()
        told = {k.lower(): v for k, v in response.getheaders()}
        return Answer(response.status, response.read().decode(), told.get("x-rollout-side"), told)

    def close(self):
        self._connection.close()


class Stage:
    """Two model servers and the planes and callers of one test."""

    def __init__(self, tmp_path: Path, incumbent: Upstream, candidate: Upstream, make=EnvoyPlane):
        self.tmp_path = tmp_path
        self.make = make
        self.incumbent = incumbent
        self.candidate = candidate
        self._planes = []
        self._callers = []

    def plane(self, name="plane", port=None, **more):
        plane = self.make(self.tmp_path / name, port or free_port(), **more)
        self._planes.append(plane)
        return plane

    def caller(self, plane, **more):
        caller = Caller(plane, **more)
        self._callers.append(caller)
        return caller

    def route(self, share_bp=0, generation=1, **more):
        route = Route(
            service="delays",
            rollout="gbm-1",
            salt="gbm-1",
            share_bp=share_bp,
            mirror=False,
            token=1,
            generation=generation,
            incumbent=self.incumbent.endpoint,
            candidate=self.candidate.endpoint,
            timeout_ms=3_000,  # both models run in this process; tests of patience set their own
        )
        return replace(route, **more)

    def close(self):
        for caller in self._callers:
            caller.close()
        for plane in self._planes:
            plane.stop()


def split_of(plane, entities):
    """Return the side each entity is assigned to, asked over one pipelined connection."""
    port = int(plane.url.rpartition(":")[2])
    sides = []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for start in range(0, len(entities), 100):
            part = entities[start : start + 100]
            asked = [b"GET / HTTP/1.1\r\nhost: x\r\nx-entity-id: %b\r\n\r\n" % e.encode() for e in part]
            connection.sendall(b"".join(asked))
            got = b""
            while len(found := _SIDE.findall(got)) < len(part):
                more = connection.recv(1 << 16)
                assert more, f"the plane hung up after {got[-300:]!r}"
                got += more
            sides += [Side(side.decode()) for side in found]
    return sides


_SIDE = re.compile(rb"x-rollout-side: (\w+)\r\n.*?\r\n\r\n", re.DOTALL)
