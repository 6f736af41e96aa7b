"""A small Open Inference Protocol server that misbehaves on command."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Columns = dict[str, list[Any]]


def by_distance(columns: Columns) -> list[Any]:
    """Answer distance / 10,000: every row can be told from every other."""
    return [None if d is None else d / 10_000 for d in columns["distance"]]


@dataclass
class Server:
    """What it does now; a test changes it while it runs.

    ``fault(call)`` may return a Response instead of an answer; ``call`` counts from 0. ``headers`` are those
    of the last request.
    """

    url: str = ""
    version: str = "1"
    answer: Callable[[Columns], list[Any]] = by_distance
    fault: Callable[[int], Response | None] = lambda _call: None
    delay: float = 0.0
    calls: int = 0
    under_way: int = 0
    most_under_way: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    async def infer(self, request: Request) -> Response:
        call, self.calls = self.calls, self.calls + 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            body = orjson.loads(await request.body())
            self.seen.append(body)
            self.headers = dict(request.headers)
            fault = self.fault(call)
            if self.delay:
                await asyncio.sleep(self.delay)
            if fault is not None:
                return fault
            columns = {tensor["name"]: tensor["data"] for tensor in body["inputs"]}
            data = self.answer(columns)
            tensor = {"name": "p", "shape": [len(data)], "datatype": "FP64", "data": data}
            return answer({"model_name": "delays", "model_version": self.version, "outputs": [tensor]})
        finally:
            self.under_way -= 1

    async def ready(self, _request: Request) -> Response:
        return self.fault(-1) or Response()

    async def metadata(self, _request: Request) -> Response:
        said = {"name": "delays", "versions": [self.version], "platform": "test", "inputs": [], "outputs": []}
        return self.fault(-1) or answer(said)


def answer(body: Any) -> Response:
    """Return JSON with a 200."""
    return Response(orjson.dumps(body), media_type="application/json")


@contextmanager
def serve() -> Iterator[Server]:
    """Run a server on a free loopback port, in a thread of its own."""
    server = Server()
    app = Starlette(
        routes=[
            Route("/v2/models/delays/infer", server.infer, methods=["POST"]),
            Route("/v2/models/delays/ready", server.ready),
            Route("/v2/models/delays", server.metadata),
        ]
    )
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", date_header=False
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        threading.Event().wait(0.005)
    port = running.servers[0].sockets[0].getsockname()[1]
    server.url = f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        running.should_exit = True
        running.force_exit = True
        thread.join(timeout=10)
