"""Load tests with real processes: an open loop through a real plane, and servers of every kind."""

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from deployments.processes import free_port
from headgate import cli
from headgate.adapters import store
from headgate.adapters.lake import Lake
from headgate.adapters.load import arrivals, fire
from headgate.capacity import Volume, stage_of
from headgate.rollout.state import Phase
from tasks import load_twin, loading, wiring
from tasks.load_check import load_checks
from tasks.load_pilot import Pilot
from tests.builders import APRIL, PLAN, plan, settings_in
from tests.unit.task_cases import opened, standing_at

SERVER = Path(__file__).with_name("load_server.py")
FALLBACK = "left to the fallback"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"


@pytest.fixture
def wired(tmp_path, empty_store):
    """A store and a lake in the test's folder; no load test asks for the service's own plane."""
    shutil.copy(empty_store, tmp_path / "store.db")

    def no_plane(service):
        raise AssertionError(f"a load test touched the plane of {service}")

    adapters = wiring.Wiring(
        engine=store.connect(f"sqlite:///{tmp_path / 'store.db'}"),
        lake=Lake(tmp_path / "exchanges", base=tmp_path),
        plane_of=no_plane,
        settings=settings_in(tmp_path),
    )
    with wiring.use(adapters):
        yield adapters
    adapters.engine.dispose()


@pytest.fixture
def short(monkeypatch):
    """End the search for the limit of a candidate that has none soon."""
    monkeypatch.setattr(loading, "MOST_PER_SECOND", 700.0)


@contextmanager
def serving(manner, version="gbm-2"):
    port = free_port()
    command = [sys.executable, str(SERVER), str(port), version, manner]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield port
        finally:
            process.kill()


def fired(port, rate, seconds, patience=5.0):
    due = arrivals(rate, seconds, seed=1)
    shots = fire(
        ("127.0.0.1", port), [POST], due, lambda status, *_: "" if status == 200 else "odd", patience=patience
    )
    return stage_of(rate, seconds, shots.due, shots.sent, shots.done, shots.faults), shots


def log_of(folder, n=2_000):
    at = [APRIL - timedelta(days=20) + timedelta(seconds=90 * i) for i in range(n)]
    (folder / "requests").mkdir()
    columns = {
        "request_id": [f"r{i}" for i in range(n)],
        "at": pa.array(at, pa.timestamp("us", tz="UTC")),
        "tailnum": [f"N{i % 7}" for i in range(n)],
        "distance": [100 + i if i % 100 else -1 for i in range(n)],
    }
    pq.write_table(pa.table(columns), folder / "requests" / "log.parquet")


def asked(port, incumbent=1, **load):
    ref = {"kind": "http", "model": "delays"}
    return {
        "incumbent": ref | {"url": f"http://127.0.0.1:{incumbent}", "version": "logistic-1"},
        "candidate": ref | {"url": f"http://127.0.0.1:{port}", "version": "gbm-2"},
        "requests": {"path": "requests", "id": "request_id", "at": "at"},
        "input": {"columns": {"distance": {"type": "integer", "min": 0}}},
        # The machine of a test may be busy with others: what is looked for is far from this.
        "serving": {"timeout": "3s"},
        "load": {"length": "2s", "pilot": 25.0} | load,
    }


def test_a_stall_of_the_server_is_felt_by_all_who_were_due_meanwhile():
    with serving("stalling") as port:
        found, shots = fired(port, 200, 3)
    assert found.failed == 0
    # It stands still for 40 % of the time; a caller that waits for it would find one slow answer a second.
    assert np.mean(shots.done - shots.due > 0.1) > 0.1
    assert found.p95 > 150


@pytest.mark.parametrize(
    ("manner", "fault"), [("silent", "no answer"), ("garbage", "no answer"), ("closing", "no answer")]
)
def test_a_server_that_is_none_costs_answers_and_hangs_nobody(manner, fault):
    with serving(manner) as port:
        found, _ = fired(port, 50, 0.5, patience=0.5)
    assert found.faults == {fault: 25}


def test_nobody_listening_is_said_of_every_request():
    found, _ = fired(free_port(), 50, 0.5)
    assert found.faults == {"no connection (ConnectionRefusedError)": 25}


@pytest.mark.envoy
@pytest.mark.usefixtures("wired", "short")
def test_m16_the_load_test_goes_through_a_plane_to_the_candidate_alone_and_is_recorded(tmp_path):
    log_of(tmp_path)
    with serving("fine") as port, serving("closing") as incumbent:
        case = opened(**asked(port, incumbent, failures_per_day=10))
        assert load_checks(case, APRIL)[0].reason.startswith("nobody has load-tested")
        found = loading.load_test(loading.of_rollout(case.rollout.id), lambda _: None)
    assert (found.version, found.plane, found.asked) == ("gbm-2", "envoy", 250.0)
    target = found.climb.target
    assert (target.rate, target.sent) == (300.0, 600)  # 250/s would not be 600 requests
    assert target.failed == 0, target.faults
    assert loading.newest_test(case.rollout.id) == found
    (check,) = load_checks(case, found.at)
    assert check.passed is True, check.reason
    assert load_checks(case, found.at + timedelta(days=31))[0].passed is None
    # 1 % are refused by the contract: under one a day at 71 requests a day.
    assert [(one.kind, one.events) for one in found.kinds] == [
        ("refused by the contract", 20), ("no usable answer", 0),
    ]  # fmt: skip


@pytest.mark.envoy
@pytest.mark.usefixtures("wired", "short")
def test_m16_a_candidate_that_saturates_below_the_target_fails_and_its_limit_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["headgate.capacity.climb"], "_MOST", 3)  # 600/s, 300/s, and one between
    log_of(tmp_path)
    with serving("serial") as port:
        case = opened(**asked(port, pilot=60.0, length="1s") | {"serving": {"timeout": "500ms"}})
        found = loading.load_test(loading.of_rollout(case.rollout.id), lambda _: None)
    assert found.climb.kept is None or found.climb.kept < 334  # 3 ms each, one after the other
    assert found.climb.broken is None or found.climb.broken <= 600
    verdict = found.verdict(case.plan)
    assert verdict.passed is not True
    assert found.climb.target.p99 is None or found.climb.target.p99 > 500


@pytest.mark.usefixtures("wired")
@pytest.mark.parametrize(
    "kind",
    [pytest.param("envoy", marks=pytest.mark.envoy), pytest.param("haproxy", marks=pytest.mark.haproxy)],
)
def test_what_a_failing_or_late_candidate_leaves_to_the_fallback_is_a_fault_through_every_plane(
    kind, monkeypatch
):
    monkeypatch.setattr(loading, "_WARM_UP", (20.0, 0.1))
    monkeypatch.setattr(loading, "_WARM_UPS", 1)
    pilot = Pilot(Volume(71.0, 25.0, "test"), (POST,), ())
    for manner in ("failing", "late"):
        with serving(manner) as port:
            made = plan(**asked(port) | {"plane": {"kind": kind}, "serving": {"timeout": "200ms"}})
            stage = loading._Firing(made, pilot, 0.5, print).stage(100.0, 0.5)
        assert stage.faults == {FALLBACK: 50}, manner


@pytest.mark.haproxy
@pytest.mark.usefixtures("wired")
def test_the_plane_of_a_test_that_was_killed_is_ended_by_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = plan(plane={"kind": "haproxy"})
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f"headgate-load-{dead.pid}-x"
    left.mkdir()
    plane, port = wiring.twin("haproxy", left, free_port()), free_port()
    plane.apply(load_twin._route(made, port))
    (pid,) = (json.loads(file.read_text())["pid"] for file in left.glob("*.pid"))
    with load_twin.twin_plane(made):
        assert not left.exists()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert list(tmp_path.glob("headgate-load-*")) == []


@pytest.mark.usefixtures("wired")
def test_a_candidate_that_has_callers_or_evidence_is_not_loaded(monkeypatch):
    case = opened(**asked(8102))
    shadow = standing_at(case, Phase.SHADOW)
    monkeypatch.setattr(loading.store, "last_tick", lambda *_: shadow.last)
    with pytest.raises(loading.InputError, match="found it in shadow"):
        loading.load_test(loading.of_rollout(case.rollout.id), lambda _: None)


@pytest.mark.usefixtures("wired")
def test_a_server_of_another_version_is_not_tested(tmp_path):
    log_of(tmp_path)
    with serving("fine", "gbm-9") as port:
        subject = loading.Subject(opened(**asked(port)).plan, APRIL)
        with pytest.raises(loading.InputError, match="its server answers as gbm-9"):
            loading.load_test(subject, lambda _: None)


@pytest.mark.haproxy
@pytest.mark.usefixtures("wired", "short")
def test_a_rehearsal_from_a_plan_file_tells_json_and_remembers_nothing(tmp_path, monkeypatch):
    log_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    with serving("fine") as port:
        body = PLAN | asked(port, length="1s") | {"plane": {"kind": "haproxy"}}
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(body))
        words = ["load", "test", "plan.yaml", "--now", "2013-04-01T00:00:00Z"]
        done = CliRunner().invoke(cli.app, [*words, "--json", "load.json"])
    assert done.exit_code in (0, 1), done.output  # 1: the machine was too busy to tell
    told = json.loads((tmp_path / "load.json").read_text())
    assert told["plane"] == "haproxy"
    assert [step["percent"] for step in told["forecast"]["steps"]] == [5, 50, 100]
    forecast = CliRunner().invoke(cli.app, ["load", "forecast", *words[2:]])
    assert forecast.exit_code == 0, forecast.output
    assert "71" in forecast.output  # requests a day
