"""What the tests of crashes play with: children, an Envoy for each, and what is left when all is over."""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from deployments.processes import free_port
from headgate.adapters import store
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.store import audit
from headgate.ports import Route
from headgate.rollout.state import LIVE, Phase
from tasks.ledger import case_of
from tasks.traffic import route_of
from tests.integration.tick_child import Job, run
from tests.scenarios.world import SERVICE, Snapshot, World, snapshot

# Forked from one process that has imported everything: a fresh one takes four seconds. What Prefect imports
# when the first flow is called would cost every child another quarter.
PROCESSES = multiprocessing.get_context("forkserver")
MODULES = [
    "tests.integration.tick_child", "tests.integration.store_child",
    "anyio._backends._asyncio", "fastapi.encoders", "prefect.flow_engine", "prefect.task_engine",
    "prefect.utilities.visualization",
]  # fmt: skip
KILLED = -9


def fork_ready() -> None:
    """Let children be forked from a process that knows the flows, if none was started before."""
    PROCESSES.set_forkserver_preload(MODULES)


@dataclass(frozen=True)
class Said:
    """What a child sent before it ended, if anything, and how it ended."""

    results: list[Any]
    points: list[str]
    code: int | None


def child(job: Job, barrier: Any = None) -> tuple[Any, Any]:
    """Start a child; return it and the pipe it will speak through."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=run, args=(there, job, barrier))
    process.start()
    there.close()
    return process, here


def ended(process: Any, pipe: Any) -> Said:
    """Wait for a child."""
    try:
        results, points = pipe.recv() if pipe.poll(60) else ([], [])
    except EOFError:
        results, points = [], []
    process.join(30)
    if process.exitcode is None:
        process.kill()
        process.join()
    return Said(results, points, process.exitcode)


def ran(job: Job) -> Said:
    """Run a child to its end."""
    return ended(*child(job))


@dataclass(frozen=True)
class Base:
    """A story just before the flow that is to be killed, and the route the plane holds by then."""

    kept: Snapshot
    route: Route | None
    api_url: str
    now: datetime

    @contextmanager
    def copied(self, home: Path, requests: int = 40) -> Iterator[Copy]:
        """Give a copy of the story an Envoy of its own, and callers that have been served already."""
        shutil.copytree(self.kept.home, home)
        if self.route is None:
            yield Copy(self, home, 0)
            return
        copy = Copy(self, home, free_port())
        plane = copy.plane()
        try:
            plane.reconcile(self.route)
            plane.apply(self.route)
            _call(plane, requests, self.now - timedelta(hours=2))
            yield copy
        finally:
            plane.stop()


@dataclass(frozen=True)
class Copy:
    """One copy of the story: its folder and its Envoy's port."""

    base: Base
    home: Path
    port: int

    def plane(self) -> EnvoyPlane:
        """Return the plane as any process finds it."""
        return EnvoyPlane(self.home / "plane", self.port, workers=1)

    def job(self, **more: Any) -> Job:
        """Return work for a child."""
        return Job(self.home, self.base.api_url, self.base.now, port=self.port, **more)

    def left(self) -> dict[str, Any]:
        """Return everything a crash must not change, as the store and the plane themselves tell it.

        Ticks and flow runs are not in it: a tick that died after it was written is mended by the next
        one, which writes a row of its own.
        """
        engine, rollout = store.connect(f"sqlite:///{self.home / 'store.db'}"), self.base.kept.rollout
        try:
            last = store.last_tick(engine, rollout)
            assert last is not None
            state = last.state
            told = {
                "state": (state.phase, state.step, state.share_bp, state.entry, state.generation),
                "ends": (state.outcome, state.paused, state.asked, state.attempt, state.reentries),
                "versions": (state.versions, state.fresh_since, state.restarts),
                "confirmed": store.confirmations(engine, rollout),
                "evidence": store.evidence(engine, rollout),
                "seen": {entry: store.seen(engine, rollout, entry) for entry in range(state.entry + 1)},
                "approvals": store.approvals(engine, rollout),
                "orders": (store.orders(engine, rollout), store.open_orders(engine, rollout)),
                "incidents": store.incidents(engine, rollout),
                "windows": [(w.start, w.end, w.digest, w.counts) for w in store.windows(engine, rollout)],
                "lease": store.holder(engine, SERVICE) is not None,
                "audit": audit.verify(engine).findings,
                "read": {k: v for k, v in store.cursor(engine, SERVICE).position.items() if "inode" not in k},
            }
        finally:
            engine.dispose()
        if self.port:
            told["plane"] = self.plane().observe()
            told["read"].pop("access.jsonl", None)  # latencies have more or fewer digits: so have offsets
            told["read"].pop("shadow.jsonl", None)
        return told


def base_of(small: World, api_url: str, folder: Path, *, envoy: bool = True) -> Base:
    """Keep a story as it stands, for children to go on with."""
    holder = store.holder(small.engine, SERVICE)
    assert holder is not None
    case = case_of(holder)
    assert case.state.phase in LIVE | {Phase.ROLLING_BACK, Phase.DONE}
    route = route_of(case, case.state) if envoy else None
    return Base(snapshot(small, folder), route, api_url, small.now)


def _call(plane: EnvoyPlane, requests: int, at: datetime) -> None:
    """Send requests as a caller does, and wait until Envoy has logged them."""
    body = {"inputs": [{"name": "signal", "shape": [1], "datatype": "FP64", "data": [0.9]}]}
    with httpx.Client(base_url=plane.url) as client:
        for i in range(requests):
            moment = (at + timedelta(minutes=i)).isoformat()
            headers = {"x-request-id": f"live-{i}", "x-entity-id": f"N{i:03d}", "x-request-at": moment}
            answer = client.post("/v2/models/delays/infer", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
    deadline = time.monotonic() + 10
    while len(plane.read_log({}).served) < requests:
        assert time.monotonic() < deadline, "Envoy logged too little"
        time.sleep(0.02)
