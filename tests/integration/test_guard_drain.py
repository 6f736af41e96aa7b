"""What waits is answered without a guard that serves: `headgate guard drain`."""

import json
from datetime import timedelta

import pytest
import yaml
from typer.testing import CliRunner

from headgate.adapters.guard.journal import own_folder
from headgate.adapters.guard.queue import DurableQueue, State
from headgate.adapters.places import place_of
from headgate.cli import app
from headgate.plan.model import Plan
from tests.builders import PLAN
from tests.integration.guard_stage import INPUT, fails, says, standing
from tests.integration.oip_server import serve

NAMES = [f"r{i}" for i in range(6)]


@pytest.fixture
def left(tmp_path, monkeypatch):
    """What a guard left in its queue while nobody answered, and the servers."""
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path))
    monkeypatch.setenv("HEADGATE_STORE_URL", f"sqlite:///{tmp_path}/store.db")
    with serve() as plane, serve() as incumbent:
        plane.fault = incumbent.fault = lambda _call: fails(503)
        serving = {"timeout": "5s", "retry": {"attempts": 1}, "fallback": ["incumbent", "queue"]}
        asked = PLAN | {"input": INPUT, "serving": serving}
        asked["incumbent"] = PLAN["incumbent"] | {"url": incumbent.url}
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(asked))
        with standing(tmp_path, Plan.model_validate(asked), plane, incumbent, every=60) as stage:
            assert {stage.ask(name).status_code for name in NAMES} == {202}
        yield tmp_path, plane


def run(home, plane, *options):
    command = ["guard", "drain", str(home / "plan.yaml"), "--plane", plane.url, *options]
    return CliRunner().invoke(app, command)


def test_m20_what_a_guard_left_is_drained_from_the_command_line_and_what_is_left_is_told(left):
    home, plane = left
    done = run(home, plane, "--for", "100ms", "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told.pop("put_off") >= 6  # asked in vain
    assert told == {"answered": 0, "expired": 0, "waiting": 6}

    plane.fault = lambda call: says(call / 1000)
    done = run(home, plane)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "answered 6, expired 0, 0 still wait")
    again = run(home, plane, "--json")
    assert (again.exit_code, json.loads(again.stdout)["answered"]) == (0, 0)

    queue = DurableQueue(
        f"sqlite:///{home}/runs/guards/flight-delays/queue.db", "flight-delays", most=9, keep=timedelta(1)
    )
    assert {queue.find(name).state for name in NAMES} == {State.ANSWERED}
    queue.close()
    answers = place_of(home / "runs/guards/flight-delays/answers").dataset().to_table().to_pylist()
    late = {row["request_id"]: row for row in answers if row["decision"] == "served"}
    assert sorted(late) == NAMES
    assert {(row["stood_in"], row["side"]) for row in late.values()} == {("queue", "candidate")}
    assert all(row["latency_ms"] > 0 and row["answer"] is not None for row in late.values())


def test_a_drain_that_cannot_begin_says_why(left, monkeypatch):
    home, plane = left
    assert run(home, plane, "--for", "soon").exit_code == 2
    held = own_folder(home / "runs/guards/flight-delays/drain")
    assert "--replica" in run(home, plane).output
    held.close()
    monkeypatch.setenv("HEADGATE_GUARD_QUEUE", "postgresql://me:hunter2@127.0.0.1:1/x")
    refused = run(home, plane)
    assert refused.exit_code == 1
    assert "the guard's queue" in refused.output
    assert "hunter2" not in refused.output
