"""The guard as a process of its own, killed: what was promised to callers is kept."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import httpx
import pytest
import yaml

from deployments.processes import free_port
from headgate.adapters.guard.queue import DurableQueue, State
from headgate.adapters.places import place_of
from headgate.plan.model import Plan
from tests.builders import PLAN
from tests.integration.guard_stage import INFER, INPUT, body, fails, says, standing
from tests.integration.oip_server import serve


@pytest.fixture
def home(tmp_path):
    """A folder with a plan whose guard queues what nobody answers, and two model servers."""
    with serve() as plane, serve() as incumbent:
        plane.fault = incumbent.fault = lambda _call: fails(503)
        serving = {
            "timeout": "200ms",
            "retry": {"attempts": 1, "base": "1ms"},
            "circuit": {"min_calls": 9999},
        }
        serving["fallback"] = ["incumbent", "queue"]
        text = PLAN | {
            "input": INPUT,
            "serving": serving,
            "incumbent": PLAN["incumbent"] | {"url": incumbent.url},
        }
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(text))
        yield tmp_path, plane, incumbent, text


def start(home, plane):
    """Run `headgate guard serve` and wait until it listens."""
    port = free_port()
    environment = os.environ | {
        "HEADGATE_HOME": str(home),
        "HEADGATE_STORE_URL": f"sqlite:///{home}/store.db",
    }
    command = [sys.executable, "-m", "headgate.cli", "guard", "serve", "plan.yaml", "--port", str(port)]
    process = subprocess.Popen([*command, "--plane", plane.url], cwd=home, env=environment)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            if client.get("/v2/health/live").status_code == 200:
                return process, client
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the guard did not come up: {process.poll()}")


def ask(client, name):
    return client.post(INFER, json=body(), headers={"x-request-id": name, "x-entity-id": "N1"}).status_code


def test_m20_a_queue_survives_kill_9_with_nothing_lost_and_nothing_doubled(home):
    folder, plane, incumbent, text = home
    process, client = start(folder, plane)
    try:
        promised = [name for name in (f"r{i}" for i in range(30)) if ask(client, name) == 202]
        assert len(promised) == 30
        # It dies in the middle of draining: some are leased, some asked, some recorded.
        plane.fault = lambda call: says(call / 10_000)
        plane.delay = 0.05
        time.sleep(1.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        client.close()

        queue = DurableQueue(
            f"sqlite:///{folder}/runs/guards/flight-delays/queue.db",
            "flight-delays",
            most=1000,
            keep=timedelta(days=7),
        )
        before = {name: queue.find(name) for name in promised}
        assert None not in before.values()
        answered = {name: kept.answer for name, kept in before.items() if kept.state is State.ANSWERED}
        with queue._engine.begin() as connection:
            connection.exec_driver_sql("UPDATE guard_queue SET due_at = 0")  # the leases run out

        plane.delay = 0.0
        with standing(folder, Plan.model_validate(text), plane, incumbent) as stage:  # its next life
            until = time.monotonic() + 60
            while (waiting := queue.backlog().waiting) and time.monotonic() < until:
                time.sleep(0.05)
            assert waiting == 0
            after = {name: queue.find(name) for name in promised}
            assert {kept.state for kept in after.values()} == {State.ANSWERED}
            # What was recorded before the crash still stands, whatever was asked again.
            assert all(after[name].answer == answer for name, answer in answered.items())
            for name in promised[:3]:
                told = stage.client.get(f"/v2/requests/{name}")
                assert (told.status_code, told.content) == (200, after[name].answer)
        queue.close()
        # An orderly end: the logs of both lives are Parquet, a row per request.
        assert not list((folder / "runs/guards/flight-delays/one").glob("*.jsonl"))
        logged = place_of(folder / "lake" / "requests").dataset().to_table(columns=["request_id"])
        assert sorted(logged["request_id"].to_pylist()) == sorted(promised)
    finally:
        client.close()
        process.kill()
        process.wait()
