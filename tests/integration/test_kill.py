"""`headgate kill` as an operator runs it: a process of its own, a real Envoy, and Prefect's server down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from deployments.processes import free_port
from headgate.adapters import store
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.errors import PlaneUnavailable
from headgate.rollout.state import Outcome, Phase
from tasks import wiring
from tasks.ledger import case_of
from tasks.traffic import route_of
from tests.builders import APRIL, plan
from tests.integration.stores import OPENED_BY, tick

pytestmark = pytest.mark.envoy
SERVICE = "flight-delays"
KILL = ("kill", SERVICE, "--as", "chief@example.org", "--reason", "complaints", "--json")


class Installed:
    """A store, an Envoy that serves 5 % by it, and a command line that finds both and no Prefect."""

    def __init__(self, home: Path, empty_store: Path) -> None:
        self.home = home
        (home / "store.db").write_bytes(empty_store.read_bytes())
        port = free_port()
        self.environment = {
            **os.environ,
            "HEADGATE_STORE_URL": f"sqlite:///{home / 'store.db'}",
            "HEADGATE_HOME": str(home),
            "HEADGATE_PLANE_PORT": str(port),
            "PREFECT_API_URL": "http://127.0.0.1:9/api",  # the discard port: nobody listens
        }
        self.plane = EnvoyPlane(home / "runs" / "planes" / SERVICE, port, workers=1)
        self.engine = store.connect(f"sqlite:///{home / 'store.db'}")
        rollout = store.open_rollout(self.engine, plan(), APRIL, OPENED_BY)
        row = tick(
            rollout, phase=Phase.RAMP, share_bp=500, step=1, entry=1, generation=4, versions=("a", "b")
        )
        store.record(self.engine, rollout, row)
        lake = None  # nobody reads or writes exchanges here
        with wiring.use(wiring.Wiring(self.engine, lake, lambda _service: self.plane)):
            case = case_of(store.get(self.engine, rollout.id))
            self.plane.reconcile(route_of(case, case.state))
            self.plane.apply(route_of(case, case.state))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "headgate.cli", *words],
            cwd=self.home, env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


@pytest.fixture
def installed(tmp_path, empty_store):
    here = Installed(tmp_path, empty_store)
    yield here
    here.plane.stop()
    here.engine.dispose()


def test_a_kill_needs_no_prefect_server(installed):
    assert installed.plane.observe().share_bp == 500
    done = installed.run(*KILL)
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    assert (told["service"], told["share_bp"], told["mirror"], told["recorded"]) == (SERVICE, 0, False, True)
    assert installed.plane.observe().share_bp == 0
    over = store.last_tick(installed.engine, "flights-gbm-1")
    assert (over.state.phase, over.state.outcome) == (Phase.DONE, Outcome.ROLLED_BACK)
    assert over.at > APRIL + timedelta(days=365)


def test_without_its_store_a_kill_says_how_and_then_does_it(installed):
    installed.engine.dispose()
    (installed.home / "store.db").write_text("this is a diary, not a database" * 100)
    said = installed.run(*KILL)
    assert (said.returncode, said.stdout) == (1, "")
    assert "file is not a database" in said.stderr
    assert f"headgate kill {SERVICE} --unrecorded" in said.stderr
    assert "Traceback" not in said.stderr
    assert installed.plane.observe().share_bp == 500

    installed.environment["HEADGATE_CLOCK"] = str(installed.home / "lost.json")
    done = installed.run("kill", "--all", *KILL[2:], "--unrecorded")
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    assert (told["share_bp"], told["generation"], told["recorded"], told["trouble"]) == (0, 5, False, "")
    assert installed.plane.observe().share_bp == 0
    (note,) = (installed.home / "runs/planes/flight-delays.unrecorded.jsonl").read_text().splitlines()
    assert json.loads(note) == json.loads(told["note"])


def test_an_envoy_that_is_dead_starts_again_at_zero_after_an_unrecorded_kill(installed):
    installed.plane.stop()
    with pytest.raises(PlaneUnavailable, match="its files hold share 0 now"):
        installed.plane.cut_off()
    with wiring.use(wiring.Wiring(installed.engine, None, lambda _service: installed.plane)):
        case = case_of(store.get(installed.engine, "flights-gbm-1"))
        installed.plane.reconcile(route_of(case, case.state))
    assert installed.plane.observe().share_bp == 0
