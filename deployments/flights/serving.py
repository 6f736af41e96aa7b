"""One trained model as one HTTP process, speaking the Open Inference Protocol v2.

    python -m deployments.flights.serving --model runs/shelf/delays/gbm-2.skops --name delays --port 8102

Every answer names the model's version, in the header ``x-model-version`` and, where the protocol has a
place for it, in the body. It listens on loopback only and stops on SIGTERM after the answers under way.
Asked for it, the server tells what each step made of a request: docs/parity.md.
``--lose-step`` serves the model without one step of its preprocessing: the accident for the gates to catch.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from deployments.flights import protocol
from deployments.flights.steps import chain_of
from headgate.errors import InputError
from headgate.parity import run
from headgate.parity.wire import with_stages

if TYPE_CHECKING:
    from starlette.requests import Request

    from deployments.flights.shelf import Shelved

HOST = "127.0.0.1"
# Longer than any caller keeps an idle connection: otherwise a request may meet a connection that
# this side is closing.
KEEP_ALIVE_SECONDS = 3600
DRAIN_SECONDS = 5


def build_app(model: Shelved, *, name: str, version: str) -> Starlette:
    """Return the application that serves ``model`` under ``name`` and ``version``.

    A request is computed on the event loop: it takes less time than handing it to a thread would.
    """
    header = {"x-model-version": version}
    chain = chain_of(model.preprocessing, model.estimator, lambda columns: columns)
    steps = chain.recipe
    about = protocol.metadata(model.preprocessing, name=name, version=version, steps=steps)

    def reply(body: dict[str, Any], status: int = 200) -> Response:
        return Response(orjson.dumps(body), status, header, "application/json")

    def unless_other(request: Request, body: dict[str, Any]) -> Response:
        asked = request.path_params["name"]
        if asked != name:
            return reply({"error": f"asked for model {asked!r}, this server has {name!r}"}, 404)
        return reply(body)

    async def live(request: Request) -> Response:  # noqa: ARG001 - the signature of an endpoint
        return reply({"live": True})

    async def ready(request: Request) -> Response:  # noqa: ARG001 - the signature of an endpoint
        return reply({"ready": True})

    async def model_ready(request: Request) -> Response:
        return unless_other(request, {"name": name, "version": version, "ready": True})

    async def model_metadata(request: Request) -> Response:
        return unless_other(request, about)

    async def infer(request: Request) -> Response:
        if request.path_params["name"] != name:
            return unless_other(request, {})
        said_by = {"model_name": name, "model_version": version}
        try:
            asked = protocol.read_request(await request.body(), model.preprocessing)
        except InputError as err:
            return reply({"error": str(err), **said_by}, 400)
        chances = model.probability(asked.columns)
        if not np.isfinite(chances).all():
            return reply(
                {"error": "the model's answer is not a number; the input is out of all range", **said_by}, 500
            )
        answer = protocol.answer(asked, chances, name=name, version=version)
        return reply(with_stages(answer, steps, run(chain, asked.columns)) if asked.stages else answer)

    return Starlette(
        routes=[
            Route("/v2/models/{name}/infer", infer, methods=["POST"]),
            Route("/v2/models/{name}/ready", model_ready),
            Route("/v2/models/{name}", model_metadata),
            Route("/v2/health/live", live),
            Route("/v2/health/ready", ready),
        ]
    )


def open_model(path: Path, lose_step: str | None = None) -> Shelved:
    """Load a model, take a step away if asked, and make sure that it answers.

    Raises
    ------
    InputError
        If the model cannot be loaded, there is no such step, or the model cannot be fed without it.
    """
    import sklearn

    from deployments.flights.shelf import Shelved, load

    # Requests are checked where they are read; scikit-learn's own checks would be most of an answer's time.
    sklearn.set_config(assume_finite=True, skip_parameter_validation=True)
    model = load(path)
    if lose_step is not None:
        model = Shelved(model.estimator, model.preprocessing.without(lose_step), model.card)
    nothing_known: Any = {
        **{name: np.array([np.nan]) for name in model.preprocessing.numbers},
        **{name: [None] for name in model.preprocessing.words},
    }
    model.preprocessing.matrix(nothing_known)
    return model


def main(argv: list[str] | None = None) -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m deployments.flights.serving", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a .skops file with its card beside it")
    parser.add_argument("--name", required=True, help="the model's name in the protocol's paths")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", help="announced in every answer; default: the card's")
    parser.add_argument("--lose-step", metavar="STEP", help="serve without this preprocessing step")
    asked = parser.parse_args(argv)

    # OpenMP reads this once, when scikit-learn is first imported. More threads than one make a single
    # request ten times slower: they wait for each other longer than they work.
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        model = open_model(asked.model, asked.lose_step)
    except InputError as err:
        sys.stderr.write(f"{err}\n")
        raise SystemExit(InputError.exit_code) from err

    app = build_app(model, name=asked.name, version=asked.version or model.card["version"])
    config = uvicorn.Config(
        app,
        host=HOST,
        port=asked.port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    # uvicorn drains and then raises the signal again for whoever was there before: us, leaving well.
    signal.signal(signal.SIGTERM, _leave)
    uvicorn.Server(config).run()


def _leave(signum: int, frame: object) -> NoReturn:  # noqa: ARG001 - the signature of a handler
    raise SystemExit(0)


if __name__ == "__main__":
    main()
