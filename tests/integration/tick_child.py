"""What processes beside the test do with flows: run them for real, and die where they are told to.

A *point* is the moment just before or after a write; its label says which task and which write. Only
commits that changed something count, and every file that the plane or the lake puts in place.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from prefect.runtime import task_run
from sqlalchemy import Engine
from sqlalchemy.orm import configure_mappers

from flows.advance import advance
from flows.shadow import shadow
from headgate.adapters import places as file_room
from headgate.adapters.models import HttpModel
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.ports import Observed
from headgate.rollout.state import Decision
from tasks import wiring
from tests.conftest import flows_here
from tests.scenarios.world import SERVICE, adapters

configure_mappers()  # before children are forked: each would do it for itself


@dataclass(frozen=True)
class Job:
    """One child's work: in which home, against which Prefect server, at what played time.

    Attributes
    ----------
    port
        Of the Envoy whose folder is ``home / "plane"``; 0: there is none.
    kill_at
        Label of the point to die at; None: live.
    runs
        How often to run the flow at most; it stops early once there is nothing more to do.
    every
        Length of a shadow window; empty: run ``advance``.
    """

    home: Path
    api_url: str
    now: datetime
    port: int = 0
    kill_at: str | None = None
    runs: int = 1
    every: str = ""


def run(pipe: Connection, job: Job, barrier: Any = None) -> None:
    """Run the flow and send what came of it and every point that was passed."""
    points: list[str] = []

    def at(what: str) -> None:
        label = f"{task_run.task_name}: {what}"
        label += f" #{points.count(label) + 1}" if label in points else ""
        points.append(label)
        if label == job.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    plane = _MeetingPlane(job, at, barrier) if job.port else None
    wired = adapters(job.home, lambda _service: plane)
    _watch_commits(wired.engine, at)
    with flows_here(job.api_url, job.home / "prefect-home"), wiring.use(wired), _watched_shadow(at, barrier):
        results = []
        for _ in range(job.runs):
            results.append(_act(job))
            if results[-1] is None:
                break
    pipe.send((results, points))
    wired.engine.dispose()


def _act(job: Job) -> Decision | int | None:
    if job.every:
        return shadow(SERVICE, now=job.now, every=job.every)
    return advance(SERVICE, now=job.now)


class _MeetingPlane(EnvoyPlane):
    """The real plane; two processes that share a barrier both look before either goes on."""

    def __init__(self, job: Job, at: Callable[[str], None], barrier: Any) -> None:
        super().__init__(job.home / "plane", job.port, workers=1, on_write=at)
        self._barrier = barrier

    def observe(self) -> Observed:
        observed = super().observe()
        if self._barrier is not None:
            self._barrier.wait(30)
            self._barrier = None
        return observed


def _watch_commits(engine: Engine, at: Callable[[str], None]) -> None:
    commit, changes = engine.dialect.do_commit, {}

    def told(connection: Any) -> None:
        raw = connection.dbapi_connection
        changed = raw.total_changes > changes.get(raw, 0)
        if changed:
            at("before commit")
        commit(connection)
        changes[raw] = raw.total_changes
        if changed:
            at("after commit")

    engine.dialect.do_commit = told  # type: ignore[method-assign]


@contextmanager
def _watched_shadow(at: Callable[[str], None], barrier: Any):
    infer, link = HttpModel.infer, os.link
    met = []

    async def answered(self: HttpModel, columns: Any) -> Any:
        if barrier is not None and not met:
            met.append(barrier.wait(30))
        answers = await infer(self, columns)
        at("an answer came")
        return answers

    def linked(source: Any, target: Any) -> None:
        at("before the exchanges are in place")
        link(source, target)
        at("after the exchanges are in place")

    HttpModel.infer, file_room.os.link = answered, linked  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        HttpModel.infer, file_room.os.link = infer, link  # type: ignore[method-assign]
