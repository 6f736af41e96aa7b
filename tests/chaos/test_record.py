"""Plane and record part ways: law 12 on the real planes, and a control plane that dies between the two."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest

from headgate.adapters import store
from headgate.rollout.state import Move, Outcome, Phase, Waiting
from tasks import killing, wiring
from tasks.ledger import case_of
from tasks.traffic import route_of
from tests.chaos.callers import Callers, errors
from tests.chaos.rigs import KINDS, Rig, ended, eventually
from tests.scenarios.world import OPERATOR, SERVICE, adapters

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect")]

INFER = "/v2/models/delays/infer"
BODY = b'{"inputs": [{"name": "signal", "shape": [1], "datatype": "FP64", "data": [0.9]}]}'


@pytest.fixture
def ramp(kind, tmp_path, climb, models):
    """Return a story at 10 % of live traffic, its plane a real one that serves what the record says."""
    with _on_the_ramp(kind, tmp_path, climb, models) as both:
        yield both


@contextmanager
def _on_the_ramp(kind, folder, climb, models):
    rig = Rig(kind, folder / "plane", models.incumbent, models.candidate)
    try:
        with climb["ramp"].resumed(folder / "ramp", models, plane=rig.plane) as small:
            case = case_of(store.holder(small.engine, SERVICE))
            rig.plane.apply(route_of(case, case.state))
            assert rig.plane.observe().share_bp == 1_000
            yield small, rig
    finally:
        rig.close()


def called(rig):
    return Callers(rig.url, path=INFER, body=BODY)


def by_hand(rig):
    """Push the share of the plane that serves."""
    rig.push(3_000)


def in_its_file_while_it_is_down(rig):
    """Push the share, and let a supervisor start the plane from the files that hold it."""
    rig.push_on_file(9_000)
    rig.kill()
    process = rig.supervised()
    eventually(lambda: rig.share() == 9_000)
    return process


def past_the_record(rig):
    """Set a share as Headgate's own code would, under a generation that no ledger knows."""
    seen = rig.plane.observe()
    held = rig.plane._held()
    rig.again().apply(replace(held, share_bp=5_000, generation=seen.generation + 1))


@pytest.mark.parametrize("pushed", [by_hand, in_its_file_while_it_is_down, past_the_record])
def test_m19_a_share_that_nobody_wrote_down_is_taken_back_told_and_waits_for_an_operator(ramp, pushed, tell):
    small, rig = ramp
    process = None
    try:
        with called(rig) as callers:
            callers.wait_for(10)
            process = pushed(rig)
            found = rig.plane.observe().share_bp
            last = small.tick()
            callers.wait_for(10)
        assert (last.decision.move, last.decision.waiting_for) == (Move.PAUSE, (Waiting.OPERATOR,))
        assert last.state.share_bp == rig.plane.observe().share_bp == 1_000
        (incident,) = store.incidents(small.engine, small.rollout)
        assert f"{found} basis points" in incident.text
    finally:
        if process is not None:
            rig.again().stop()
            ended(process)
    what = pushed.__name__.replace("_", " ")
    tell(f"share pushed to {found} basis points {what}", "the record's share after one tick", callers.heard())


DIES = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from tasks import killing, wiring
from tests.chaos.rigs import KINDS
from tests.scenarios.world import OPERATOR, SERVICE, adapters

kind, folder, port, home, now = sys.argv[1:]
def die(_name):
    os.kill(os.getpid(), signal.SIGKILL)
plane = KINDS[kind].make(Path(folder), int(port), on_write=die)
with wiring.use(adapters(Path(home), lambda _service: plane)):
    killing.kill(SERVICE, OPERATOR, "complaints", datetime.fromisoformat(now))
"""


class Dies(BaseException):
    """Nothing of ours catches it, so nothing of ours tidies up."""


def ends_here(small, rig):
    """Let the order be written down in this process, and end it at its first write to the plane."""

    def die(_name):
        raise Dies

    plane = KINDS[rig.kind].make(rig.folder, rig.port, on_write=die)
    with wiring.use(adapters(small.home, lambda _service: plane)), pytest.raises(Dies):
        killing.kill(SERVICE, OPERATOR, "complaints", small.now)


def is_killed(small, rig):
    """The same in a process of its own, by kill -9."""
    words = [rig.kind, rig.folder, rig.port, small.home, small.now.isoformat()]
    done = subprocess.run([sys.executable, "-c", DIES, *map(str, words)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def test_m9_a_control_plane_killed_between_record_and_plane_is_mended_by_the_next_tick(ramp, full, tell):
    """In the quick form no process is killed: test_crash_ticks kills ticks at every write, with Envoy."""
    small, rig = ramp
    with called(rig) as callers:
        callers.wait_for(10)
        is_killed(small, rig) if full else ends_here(small, rig)
        # It is written down, and the plane has not heard of it.
        assert (small.last().state.phase, small.last().state.share_bp) == (Phase.ROLLING_BACK, 0)
        assert rig.plane.observe().share_bp == 1_000
        small.tick()
        assert rig.plane.observe().share_bp == 0
        callers.wait_for(10)
    assert small.tick().state.outcome is Outcome.ROLLED_BACK
    assert store.incidents(small.engine, small.rollout) == []
    heard = callers.heard()
    assert not errors(heard)
    tell("control plane killed between record and plane", "the old share until the next tick", heard)
