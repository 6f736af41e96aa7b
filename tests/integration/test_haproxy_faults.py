"""Whatever dies, and whenever: HAProxy's share stays where it was, and the next tick finds its way."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from headgate.adapters.planes.haproxy import HAProxyPlane
from headgate.adapters.planes.haproxy_admin import RuntimeSocket
from headgate.errors import PlaneRefused, PlaneUnavailable
from headgate.ports import Side
from tests.integration.plane_conformance import read
from tests.integration.proxy_stage import stage, upstreams

__all__ = ["stage", "upstreams"]  # fixtures
pytestmark = pytest.mark.haproxy


@pytest.fixture
def proxy():
    return HAProxyPlane


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "plane"


def pid_of(folder):
    return json.loads((folder / "haproxy.pid").read_text())["pid"]


def kill(folder):
    process = psutil.Process(pid_of(folder))
    process.kill()
    process.wait(5)


def test_killed_it_serves_the_same_share_again_and_its_log_goes_on(stage, folder):
    plane = stage.plane()
    plane.apply(stage.route(10_000, 3))
    stage.caller(plane).ask("N1", "r1")
    first = read(plane, {}, 1)
    kill(folder)
    with pytest.raises(PlaneUnavailable):
        plane.observe()
    assert plane.verify(stage.route(10_000, 3)) is None
    plane.reconcile(stage.route(0, 4))  # what is wanted by now plays no part
    assert plane.verify(stage.route(10_000, 3)) is True
    stage.caller(plane).ask("N1", "r2")
    assert [line.request_id for line in read(plane, first.position, 1).served] == ["r2"]
    assert [line.request_id for line in plane.read_log({}).served] == ["r1", "r2"]


KILLED = """
import json, os, signal, sys
from pathlib import Path
from headgate.adapters.planes.haproxy import HAProxyPlane
from headgate.ports import Endpoint, Route

run_dir, port, at, fields = sys.argv[1:]

def on_write(name):
    if name == at:
        os.kill(os.getpid(), signal.SIGKILL)

said = json.loads(fields)
for side in ("incumbent", "candidate"):
    said[side] = Endpoint(*said[side])
HAProxyPlane(Path(run_dir), int(port), on_write=on_write).apply(Route(**said))
"""


def killed_at(folder, plane, write, route):
    fields = {name: getattr(route, name) for name in route.__slots__}
    for side in ("incumbent", "candidate"):
        fields[side] = [fields[side].host, fields[side].port]
    arguments = [str(folder), plane.url.rpartition(":")[2], write, json.dumps(fields)]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("write", ["routes.map.tmp", "routes.map", "committed"])
def test_killed_at_any_write_of_a_change_it_is_the_old_route_or_the_new_and_applying_again_mends(
    stage, folder, write
):
    plane = stage.plane()
    old, new = stage.route(500), stage.route(2_500, 2, timeout_ms=200)
    plane.apply(old)
    killed_at(folder, plane, write, new)
    assert plane.verify(new if write == "committed" else old) is True
    kill(folder)
    plane.reconcile(stage.route(0, 1, rollout="gbm-2", token=2))  # that tick belongs to nobody yet
    assert plane.verify(old if write == "routes.map.tmp" else new) is True
    plane.apply(new)
    assert plane.verify(new) is True


@pytest.mark.parametrize("write", ["routes.map", "haproxy.cfg", "spawned", "haproxy.pid"])
def test_killed_at_any_write_of_the_start_one_haproxy_serves_in_the_end(stage, folder, write):
    plane = stage.plane()
    killed_at(folder, plane, write, stage.route(500))
    plane.apply(stage.route(500))
    config = str(folder / "haproxy.cfg")
    ours = [p for p in psutil.process_iter(["cmdline"]) if config in (p.info["cmdline"] or [])]
    assert [p.pid for p in ours] == [pid_of(folder)]


@pytest.mark.parametrize("garbage", [b"{nonsense", b"", b"\xff\xfe", b"rest 9000|300\n"], ids=repr)
def test_garbage_in_the_map_file_changes_nothing_and_found_at_a_start_means_the_incumbent_alone(
    stage, folder, garbage
):
    plane = stage.plane()
    plane.apply(stage.route(9_000, 4))
    (folder / "routes.map").write_bytes(garbage)
    assert plane.verify(stage.route(9_000, 4)) is True
    kill(folder)
    # By a supervisor: nobody mends the file, and HAProxy makes of it what it can.
    with subprocess.Popen([folder / "start"], start_new_session=True) as started:
        try:
            caller = patient(stage, plane)
            assert {caller.ask(f"N{n}").who for n in range(20)} == {"incumbent"}
        finally:
            started.kill()
    plane.reconcile(stage.route(9_000, 4))
    assert (plane.observe().share_bp, plane.observe().generation) == (0, None)
    plane.apply(stage.route(9_000, 4))
    assert plane.observe().share_bp == 9_000


def patient(stage, plane):
    """A caller of a plane that is being started."""
    port = int(plane.url.rpartition(":")[2])
    for _ in range(1_000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return stage.caller(plane)
        except OSError:
            continue
    raise AssertionError("nobody listens")


def test_a_damaged_file_is_mended_by_the_next_look(stage, folder):
    plane = stage.plane()
    plane.apply(stage.route(500))
    before = (folder / "routes.map").read_text()
    (folder / "routes.map").write_text(before.replace("500|", "9000|", 1))
    plane.reconcile(stage.route(500))
    assert (folder / "routes.map").read_text() == before


def test_a_share_set_by_hand_at_the_socket_is_reported_as_it_acts(stage, folder):
    plane = stage.plane()
    plane.apply(stage.route(500))
    admin = RuntimeSocket(folder / "admin.sock")
    (told,) = admin.entries().values()
    admin.ask(f"set map routes.map rest {told.replace('500|', '7000|', 1)}")
    assert (plane.observe().share_bp, plane.observe().generation) == (7_000, 1)
    assert plane.verify(stage.route(500)) is False
    admin.ask(f"set map routes.map rest {told.replace('500|', 'much|', 1)}")
    with pytest.raises(PlaneRefused, match="did not write"):
        plane.observe()
    assert stage.caller(plane).ask("N1").who == "incumbent"


def test_a_route_that_no_header_can_hold_is_refused_and_the_old_one_stays(stage):
    plane = stage.plane()
    plane.apply(stage.route(500))
    with pytest.raises(PlaneRefused, match="the old one stays"):
        plane.apply(stage.route(0, 1, rollout="line\nbreak", token=2))
    assert plane.verify(stage.route(500)) is True


def test_a_taken_port_is_named_and_two_planes_never_share_one(stage):
    one = stage.plane("one")
    one.reconcile(stage.route())
    two = stage.plane("two", int(one.url.rpartition(":")[2]))
    with pytest.raises(PlaneUnavailable, match="found the port taken"):
        two.reconcile(stage.route())
    assert stage.caller(one).ask("N1").status == 200


def test_a_folder_with_a_long_path_and_one_that_is_gone_are_no_hindrance(stage, tmp_path):
    name = "a-service-with-a-name-that-is-longer-than-any-socket-may-be-called/" * 2
    plane = stage.plane(name)
    plane.apply(stage.route(500))
    assert plane.observe().share_bp == 500
    haproxy = psutil.Process(pid_of(tmp_path / name))
    shutil.rmtree(tmp_path / name)
    plane.stop()
    assert not haproxy.is_running() or haproxy.status() == psutil.STATUS_ZOMBIE


def test_an_answer_that_is_cut_off_half_way_becomes_one_of_the_incumbent(stage):
    with socket.create_server(("127.0.0.1", 0)) as cutting:
        at = type(stage.candidate.endpoint)("127.0.0.1", cutting.getsockname()[1])
        plane = stage.plane()
        plane.apply(stage.route(10_000, candidate=at, timeout_ms=5_000))
        caller = stage.caller(plane)
        caller.start("N1", "r1")
        connection, _ = cutting.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it")
        answer = caller.finish()
    assert (answer.status, answer.who) == (200, "incumbent")
    assert read(plane, {}, 1).served[0].served is Side.INCUMBENT


def test_headers_too_large_are_refused_and_reach_nobody(stage):
    plane = stage.plane()
    plane.apply(stage.route(0))
    answer = stage.caller(plane).ask("N1", extra=[("x-much", "x" * 20_000)])
    assert answer.status == 431
    assert not stage.incumbent.seen
    assert os.path.getsize(stage.tmp_path / "plane" / "access.jsonl")  # noqa: PTH202 - there is a line of it
