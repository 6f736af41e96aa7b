"""What the guard's tests play with: a real guard over HTTP, model servers that misbehave, a plan."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvicorn
from starlette.responses import Response

from headgate.adapters.guard.app import guard_app
from headgate.adapters.guard.guarding import Guard
from headgate.ports import ReviewCase
from tasks import guarding, wiring
from tests.builders import plan, settings_in
from tests.integration.oip_server import Server, answer

INPUT: dict[str, Any] = {
    "columns": {
        "distance": {"type": "integer", "min": 1, "max": 6000},
        "temp": {"type": "number", "min": -40, "max": 130, "missing": "allow"},
        "carrier": {"type": "category", "values": ["AA", "UA"], "other": "flag"},
    },
}
ROW: dict[str, Any] = {"distance": 1400, "temp": 40.5, "carrier": "AA"}
INFER = "/v2/models/delays/infer"


def body(**changes: Any) -> dict[str, Any]:
    """Return a request's body; a column that is `...` is left out."""
    row = {name: value for name, value in (ROW | changes).items() if value is not ...}
    inputs = [{"name": n, "shape": [1], "datatype": "FP64", "data": [v]} for n, v in row.items()]
    return {"inputs": inputs}


def small_plan(**changes: Any) -> Any:
    """Return a plan whose guard has something to do; patient, because the machine may be busy."""
    serving = {"timeout": "5s", "retry": {"attempts": 1, "base": "1ms"}}
    serving |= changes.pop("serving", {})
    return plan(**({"input": INPUT, "serving": serving} | changes))


@dataclass
class Reviews:
    """The review queue's port, in memory; may refuse."""

    cases: list[ReviewCase] = field(default_factory=list)
    fault: Exception | None = None

    def put(self, case: ReviewCase) -> bool:
        if self.fault is not None:
            raise self.fault
        new = all(one.request_id != case.request_id for one in self.cases)
        self.cases += [case] if new else []
        return new


@dataclass
class Stage:
    """A guard that serves, and whom it asks."""

    guard: Guard
    client: httpx.Client
    plane: Server
    incumbent: Server
    reviews: Reviews
    home: Path

    def ask(self, request_id: str | None = None, headers: Any = (), **changes: Any) -> httpx.Response:
        named = {"x-request-id": request_id} if request_id else {}
        return self.client.post(INFER, json=body(**changes), headers=named | dict(headers))

    @property
    def counts(self) -> dict[str, int]:
        counted: dict[str, int] = self.client.get("/v2/guard").json()["counts"]
        return counted


def says(value: Any, version: str = "gbm-2", side: str | None = "candidate", **more: Any) -> Response:
    """Return a model's answer as the plane passes it on."""
    tensors = [{"name": "p", "shape": [1], "datatype": "FP64", "data": [value]}]
    tensors += [{"name": name, "shape": [1], "datatype": "FP64", "data": [v]} for name, v in more.items()]
    response = answer({"model_name": "delays", "model_version": version, "outputs": tensors})
    if side is not None:
        response.headers.update(
            {"x-rollout-side": side, "x-rollout": "flights-1", "x-rollout-generation": "3"}
        )
    return response


def fails(status: int, side: str | None = "candidate", **headers: str) -> Response:
    """Return a failure as the plane passes it on."""
    told = {"x-rollout-side": side} if side is not None else {}
    return Response(b"no", status, told | {name.replace("_", "-"): value for name, value in headers.items()})


@contextmanager
def standing(
    home: Path,
    asked: Any,
    plane: Server,
    incumbent: Server,
    *,
    plane_url: str | None = None,
    every: float = 0.05,
    replica: str = "one",
) -> Iterator[Stage]:
    """Serve a guard on a free loopback port, in a thread of its own."""
    settings = settings_in(home, home=home, store_url=f"sqlite:///{home}/store.db")
    urls = {"incumbent": {"kind": "http", "url": incumbent.url, "model": "delays", "version": "logistic-1"}}
    asked = type(asked).model_validate(asked.canonical() | urls)
    reviews = Reviews()
    with wiring.use(wiring.Wiring(None, None, None, settings)):  # type: ignore[arg-type]  # it needs none of them
        made = guarding.stand(asked, replica, plane_url or plane.url)
    made.guard.resolver._looking._reviews = reviews
    config = uvicorn.Config(
        guard_app(made.guard, body_patience=0.5, every=every), host="127.0.0.1", port=0, log_level="critical",
        http="httptools", access_log=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        threading.Event().wait(0.005)
    port = running.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield Stage(made.guard, client, plane, incumbent, reviews, home)
    finally:
        running.should_exit = True
        thread.join(timeout=10)
        made.lock.close()


def told(response: httpx.Response) -> Any:
    """Return the JSON of an answer."""
    return orjson.loads(response.content)
