"""A plane like the service's own that leads nowhere but to the candidate: what a load test goes through."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from headgate.adapters.planes.folder import lives_in
from headgate.errors import PlaneError
from headgate.plan import Plan
from headgate.ports import Endpoint, Route
from headgate.routing import FULL_BP
from tasks import wiring

_LOOPBACK = "127.0.0.1"
#: A twin's folder is named by this and by the process that has it.
_FOLDER = "headgate-load-"


@contextmanager
def twin_plane(plan: Plan) -> Iterator[tuple[str, int]]:
    """Run a plane of the plan's kind with all traffic on the candidate; yields its address.

    The service's own plane is not touched: its share stays, and no caller of it meets the load but on the
    candidate's server. Where the candidate fails, the plane asks the incumbent; here nobody listens there, so
    that the incumbent is left in peace and a fallback shows as a 503. Its log is thrown away: no request of
    a test becomes evidence.

    Raises
    ------
    PlaneUnavailable
        If it cannot be started.
    """
    _bury()
    with ExitStack() as after:
        named = f"{_FOLDER}{os.getpid()}-"
        folder = Path(after.enter_context(tempfile.TemporaryDirectory(prefix=named)))
        nobody = after.enter_context(_taken_port())
        listen = after.enter_context(_taken_port())
        port = listen.getsockname()[1]
        listen.close()
        plane = wiring.twin(plan.plane.kind, folder, port)
        after.callback(_end, plane)
        plane.apply(_route(plan, nobody.getsockname()[1]))
        yield _LOOPBACK, port


def _route(plan: Plan, nobody: int) -> Route:
    url = urlsplit(plan.candidate.url)
    return Route(
        service=plan.service,
        rollout="load-test",
        salt="load-test",
        share_bp=FULL_BP,
        mirror=False,
        token=1,
        generation=1,
        incumbent=Endpoint(_LOOPBACK, nobody),
        candidate=Endpoint(url.hostname or "", url.port or (443 if url.scheme == "https" else 80)),
        model=plan.candidate.model,
        timeout_ms=max(1, round(plan.serving.timeout.total_seconds() * 1_000)),
    )


@contextmanager
def _taken_port() -> Iterator[socket.socket]:
    """Hold a port without listening: whoever connects is refused at once, and nobody else can take it."""
    with socket.socket() as held:
        held.bind((_LOOPBACK, 0))
        yield held


def _bury() -> None:
    """End the twins of tests that were killed: a plane outlives whoever started it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        with suppress(OSError, ValueError):
            owner = int(folder.name.removeprefix(_FOLDER).partition("-")[0])
            if psutil.pid_exists(owner) or folder.stat().st_uid != os.getuid():
                continue
            kind = lives_in(folder)
            if kind is not None:
                _end(wiring.twin(kind, folder, 1))  # the port is not looked at to end one
            shutil.rmtree(folder)


def _end(plane: wiring.Twin) -> None:
    with suppress(PlaneError, OSError):
        plane.stop()
