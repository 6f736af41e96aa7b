"""The guard's HTTP face: thin, and every error is problem details."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from headgate.adapters.circuit import Position
from headgate.adapters.guard.draining import Drainer, drain_for_ever
from headgate.adapters.guard.guarding import Guard, Reply, json_reply, problem_reply
from headgate.adapters.guard.queue import in_time
from headgate.errors import StoreError
from headgate.guard.openapi import column_metadata, openapi
from headgate.guard.problems import Problem

_LOG = logging.getLogger("headgate.guard")
#: One request is one row: this is thousands of columns.
MAX_BODY_BYTES = 1024 * 1024
#: Seconds within which a body must have arrived.
BODY_PATIENCE = 10.0
#: Seconds between two looks at what is due: lines for the logs, requests in the queue.
ROUND = 1.0

Endpoint = Callable[[Request], Awaitable[Response]]


def guard_app(guard: Guard, *, body_patience: float = BODY_PATIENCE, every: float = ROUND) -> Starlette:
    """Return the application; while it lives it drains the queue and turns its logs into Parquet."""
    model = guard.plan.incumbent.model
    document = openapi(guard.plan, guard.door.columns)

    async def infer(request: Request) -> Response:
        _same_model(request, model)
        if (kind := request.headers.get("content-type", "")).split(";")[
            0
        ].strip().lower() != "application/json":
            detail = f"content-type: asked application/json; found {kind[:80]!r}; send JSON"
            return _response(problem_reply(Problem(415, "media_type", detail)))
        body = await _body(request, body_patience)
        if isinstance(body, Problem):
            return _response(problem_reply(body))
        return _response(await guard.infer(request.headers.raw, body))

    async def about_model(request: Request) -> Response:
        _same_model(request, model)
        versions = [guard.plan.incumbent.version, guard.plan.candidate.version]
        told = {"name": model, "versions": versions, "platform": "headgate-guard"}
        return _response(json_reply(told | {"inputs": column_metadata(guard.plan), "outputs": []}))

    async def ready(request: Request) -> Response:
        if "name" in request.path_params:
            _same_model(request, model)
        upstreams = (guard.resolver.plane, guard.resolver.incumbent)
        if all(one.position is Position.OPEN for one in upstreams):
            detail = "neither the plane nor the incumbent answers; requests go where the plan's fallbacks say"
            return _response(problem_reply(Problem(503, "nobody_answers", detail, (), {"retry-after": "1"})))
        return _response(json_reply({"ready": True}))

    async def find(request: Request) -> Response:
        return _response(await guard.find(request.path_params["request_id"]))

    async def counts(_request: Request) -> Response:
        return _response(json_reply(await _told(guard)))

    async def live(_request: Request) -> Response:
        return _response(json_reply({"live": True}))

    async def described(_request: Request) -> Response:
        return _response(json_reply(document))

    return Starlette(
        routes=[
            Route("/v2/models/{name}/infer", infer, methods=["POST"]),
            Route("/v2/models/{name}/ready", ready),
            Route("/v2/models/{name}", about_model),
            Route("/v2/requests/{request_id}", find),
            Route("/v2/guard", counts),
            Route("/v2/health/live", live),
            Route("/v2/health/ready", ready),
            Route("/openapi.json", described),
        ],
        exception_handlers={HTTPException: _http_problem, Exception: _bug},
        lifespan=_lifespan(guard, every),
    )


def _lifespan(guard: Guard, every: float) -> Callable[[Starlette], Any]:
    @asynccontextmanager
    async def living(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(_keep_notes(guard, every))]
        if guard.resolver.queue is not None:
            drainer = Drainer(guard.resolver, guard.resolver.queue, guard.notes, guard.clock)
            tasks.append(asyncio.create_task(drain_for_ever(drainer, every)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await guard.notes.publish(all_of_it=True)
            await guard.resolver.close()

    return living


async def _keep_notes(guard: Guard, every: float) -> None:
    while True:
        try:
            await guard.notes.publish()
        except Exception:  # noqa: BLE001 - or they never would be again, and nobody would know
            _LOG.exception("the logs cannot be turned into Parquet now")
        await asyncio.sleep(every)


async def _body(request: Request, patience: float) -> bytes | Problem:
    """Return the body; a problem where it is too large or takes too long."""
    too_large = Problem(413, "too_large", f"asked a body of at most {MAX_BODY_BYTES} bytes; send one row")
    parts, size = [], 0
    try:
        async with asyncio.timeout(patience):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY_BYTES:
                    return too_large
                parts.append(part)
    except TimeoutError:
        return Problem(408, "too_slow", f"asked the body within {patience:g} s; send it at once")
    except ClientDisconnect:
        return Problem(400, "gone", "the caller went away")
    return b"".join(parts)


async def _told(guard: Guard) -> dict[str, Any]:
    """Return what the guard counts and where it stands."""
    queue = guard.resolver.queue
    waiting: dict[str, Any] | None = None
    if queue is not None:
        try:
            backlog = await in_time(queue.backlog)
            oldest = None if backlog.oldest is None else backlog.oldest.isoformat()
            waiting = {"waiting": backlog.waiting, "oldest": oldest}
        except StoreError as err:
            waiting = {"waiting": None, "oldest": None, "error": str(err)}
    return {
        "service": guard.plan.service,
        "plan": guard.plan.name,
        "plan_hash": guard.plan.hash,
        "since": guard.counts.since.isoformat(),
        "counts": guard.counts.all(),
        "circuits": {one.name: one.position for one in (guard.resolver.plane, guard.resolver.incumbent)},
        "queue": waiting,
        "log_lines_lost": guard.notes.failed,
    }


def _same_model(request: Request, model: str) -> None:
    if (asked := request.path_params["name"]) != model:
        raise HTTPException(404, f"asked the model {asked[:80]!r}; this guard has {model!r}")


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, reply.headers, reply.media_type)


def _http_problem(_request: Request, err: Exception) -> Response:
    assert isinstance(err, HTTPException)  # noqa: S101 - what this handler is hung up for
    code = HTTPStatus(err.status_code).phrase.lower().replace(" ", "_")
    detail = (
        err.detail if err.detail != HTTPStatus(err.status_code).phrase else f"{err.detail}; see /openapi.json"
    )
    return _response(problem_reply(Problem(err.status_code, code, detail, (), dict(err.headers or {}))))


def _bug(_request: Request, _err: Exception) -> Response:
    detail = "the guard failed, not the request; this is a fault, report it with the log"
    return _response(problem_reply(Problem(500, "fault", detail)))
