"""Processes of a run: started with a log, waited for, and all of them gone at the end."""

import os
import signal
import sys
import time

import psutil
import pytest

from deployments.processes import Processes, StartError, answers, free_port

SLEEPS = "import time; time.sleep(60)"
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def start(processes, code, name="child", **env):
    return processes.start(name, [sys.executable, "-c", code], {**os.environ, **env})


def says(child, word):
    return lambda: word in child.log.read_text()


def test_a_child_writes_into_its_own_log(tmp_path):
    with Processes(tmp_path / "logs") as processes:
        child = start(
            processes, "import os, sys; print(os.environ['WORD']); print('oh', file=sys.stderr)", WORD="hello"
        )
        child.process.wait(30)
        processes.wait(child, says(child, "hello"), seconds=5)
    assert child.log == tmp_path / "logs" / "child.log"
    assert sorted(child.log.read_text().split()) == ["hello", "oh"]


def test_a_child_that_dies_is_told_with_its_code_and_the_end_of_its_log(tmp_path):
    code = "import sys; print('x' * 5000); print('no such port'); sys.exit(3)"
    with Processes(tmp_path) as processes:
        child = start(processes, code, "server")
        with pytest.raises(StartError) as told:
            processes.wait(child, lambda: False, seconds=30)
    message = str(told.value)
    assert message.startswith(f"server: ended with code 3; see {child.log}\n")
    assert message.endswith("no such port\n")
    assert len(message) < 2_500


def test_a_child_that_is_never_ready_is_given_up(tmp_path):
    with Processes(tmp_path) as processes:
        child = start(processes, SLEEPS)
        with pytest.raises(StartError, match="child: not ready in 0 s"):
            processes.wait(child, lambda: False, seconds=0.1)
    assert child.process.poll() is not None


def test_leaving_the_block_ends_every_child_also_after_an_error(tmp_path):
    children = []

    def fails():
        with Processes(tmp_path) as processes:
            children.extend(start(processes, SLEEPS, f"child-{n}") for n in range(3))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert [child.process.returncode for child in children] == [-signal.SIGTERM] * 3
    assert not any(psutil.pid_exists(child.process.pid) for child in children)


def test_the_last_started_is_told_first(tmp_path):
    code = """
import signal, sys, time
def leave(*_):
    print(time.monotonic_ns(), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
time.sleep(60)
"""
    with Processes(tmp_path) as processes:
        first, second = (start(processes, code, name) for name in ("first", "second"))
        for child in (first, second):
            processes.wait(child, says(child, "ready"), seconds=30)
        told = []
        for child in (first, second):
            real = child.process.send_signal
            child.process.send_signal = lambda number, c=child, s=real: (told.append(c.name), s(number))
        processes.stop()
    assert told == ["second", "first"]


def test_a_child_that_will_not_listen_is_killed(tmp_path, monkeypatch):
    # The eight seconds of grace are over at once.
    clock = iter([0.0, *[100.0] * 10])
    with Processes(tmp_path) as processes:
        child = start(processes, STUBBORN)
        processes.wait(child, says(child, "ready"), seconds=30)
        with monkeypatch.context() as patch:
            patch.setattr("deployments.processes.time.monotonic", lambda: next(clock))
            processes.stop()
    assert child.process.returncode == -signal.SIGKILL


def test_stopping_twice_and_a_child_that_is_gone_are_no_trouble(tmp_path):
    with Processes(tmp_path) as processes:
        child = start(processes, "pass")
        child.process.wait(30)
        processes.stop()
        processes.stop()
    assert child.process.returncode == 0


def test_ctrl_c_at_the_terminal_does_not_reach_a_child(tmp_path):
    with Processes(tmp_path) as processes:
        child = start(processes, SLEEPS)
        assert os.getsid(child.process.pid) == child.process.pid != os.getsid(0)


def test_a_free_port_is_free():
    port = free_port()
    assert 1_024 < port < 65_536
    assert not answers(f"http://127.0.0.1:{port}/")


def test_an_address_answers_only_with_ok(tmp_path):
    (tmp_path / "there").write_text("hello")
    port = free_port()
    with Processes(tmp_path / "logs") as processes:
        child = processes.start(
            "files",
            [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(tmp_path)],
            os.environ,
        )
        began = time.monotonic()
        processes.wait(child, lambda: answers(f"http://127.0.0.1:{port}/there"), seconds=30)
        assert not answers(f"http://127.0.0.1:{port}/not-there")
        assert time.monotonic() - began < 30
