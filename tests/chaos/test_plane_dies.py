"""The plane itself is killed, frozen, and fed with garbage, and no control plane is there to help."""

import os
import signal
import statistics
import time

import pytest

from headgate.errors import PlaneRefused, PlaneUnavailable
from tests.chaos.callers import Callers, asked, errors
from tests.chaos.rigs import KINDS, ended, eventually
from tests.integration.envoy_stage import split_of
from tests.integration.plane_conformance import read

ENTITIES = [f"N{n}" for n in range(200)]


def test_m9_killed_and_started_by_its_supervisor_it_serves_the_same_share_within_a_second(rig, full, tell):
    rig.plane.apply(rig.route(2_500, 3))
    split, seen = split_of(rig.plane, ENTITIES), rig.plane.observe()
    logged = read(rig.plane, {}, len(ENTITIES))
    gaps, heard, processes = [], [], []
    try:
        for _ in range(10 if full else 2):
            with Callers(rig.url) as callers:
                callers.wait_for(20)
                rig.kill()
                killed = time.perf_counter()
                processes.append(rig.supervised())
                eventually(lambda callers=callers, since=killed: back(callers, since) is not None)
                callers.wait_for(20)
                assert split_of(rig.plane, ENTITIES) == split
                assert rig.again().observe() == seen
                assert rig.again().verify(rig.route(2_500, 3)) is True
                rig.again().reconcile(rig.route(2_500, 3))  # found, and not started a second time
                assert rig.process().pid == processes[-1].pid
            gaps.append(back(callers, killed))
            heard += callers.heard()
    finally:
        rig.close()
        for process in processes:
            ended(process)
    # Never an answer of the wrong side; what is missing is missing for as long as nobody listens.
    assert {answer.status for answer in errors(heard)} <= {0}
    # Beside a whole suite of tests it is given time.
    load = os.getloadavg()[0]
    assert statistics.median(gaps) < (1.0 if full else max(1.0, load))
    # What was under way when it was killed may be missing in its log, and no more.
    log = read(rig.plane, logged.position, len(gaps) * len(ENTITIES))
    assert len(log.served) >= len(gaps) * len(ENTITIES)
    assert log.garbled == 0
    tell(
        f"plane killed {len(gaps)} times, started by a supervisor, no control plane",
        f"connections refused for {1e3 * statistics.median(gaps):.0f} ms (slowest {1e3 * max(gaps):.0f}), "
        f"then the same share (the machine's load: {load:.0f})",
        heard,
    )


def back(callers, since):
    """Return after how many seconds the first good answer came, None while none has."""
    good = [a.at + a.ms / 1e3 - since for a in callers.heard() if a.at > since and a.status == 200]
    return min(good, default=None)


def test_m9_killed_again_and_again_while_the_share_changes_it_is_the_old_share_or_the_new(rig, full, tell):
    heard = []
    rig.plane.apply(rig.route(100))
    for generation in range(2, 22 if full else 5):
        with Callers(rig.url) as callers:
            callers.wait_for(5)
            rig.process().send_signal(signal.SIGKILL)
            # The next tick comes at once and meets a plane that is dying, dead, or half started.
            rig.again().apply(rig.route(generation * 100, generation))
            callers.wait_for(5)
        assert rig.plane.observe().share_bp == generation * 100
        heard += callers.heard()
    assert {answer.status for answer in errors(heard)} <= {0}
    tell("plane killed at every change of the share", "the share of the record after every change", heard)


def told_after(plane):
    """Return the seconds until a frozen plane cannot be reached; its threads stop one after the other."""
    for _ in range(50):
        began = time.perf_counter()
        try:
            plane.observe()
        except PlaneUnavailable:
            return time.perf_counter() - began
    raise AssertionError("it goes on answering")


def test_a_frozen_plane_answers_late_and_the_control_plane_is_told_instead_of_hanging(rig, full, tell):
    rig.plane.apply(rig.route(2_500))
    process = rig.process()
    with Callers(rig.url) as callers:
        callers.wait_for(20)
        process.send_signal(signal.SIGSTOP)
        try:
            assert told_after(rig.plane) < 5
            # Another two seconds of patience.
            assert not full or rig.plane.verify(rig.route(2_500)) is None
        finally:
            process.send_signal(signal.SIGCONT)
        callers.wait_for(20)
    heard = callers.heard()
    assert not errors(heard)
    tell("plane frozen for some seconds", "answers that waited; the control plane: cannot be reached", heard)


GARBAGE = (b"{nonsense", b"", b"\xff\xfe\x00")


def test_garbage_in_its_files_changes_nothing_and_the_next_tick_mends_them(rig, full, tell):
    asked = rig.route(2_500)
    rig.plane.apply(asked)
    split = split_of(rig.plane, ENTITIES)
    with Callers(rig.url) as callers:
        for garbage in GARBAGE if full else GARBAGE[:1]:
            for name in KINDS[rig.kind].state:
                rig.spoil(name, garbage)
            callers.wait_for(40)
            assert rig.plane.verify(asked) is True
            assert split_of(rig.plane, ENTITIES) == split
            rig.again().reconcile(asked)
        before = callers.heard()
        rig.kill()
        process = rig.supervised()
        try:
            eventually(lambda: rig.plane.verify(asked) is True)
            assert split_of(rig.plane, ENTITIES) == split
        finally:
            rig.close()
            ended(process)
    assert not errors(before)
    tell("garbage in the plane's files", "the old share; a tick mends the files, a restart finds it", before)


def test_started_from_damaged_files_it_guesses_nothing_and_the_next_tick_mends_it_or_says_why(
    rig, full, tell
):
    asked_for = rig.route(9_000, 3)
    heard, processes = [], []
    rig.plane.apply(asked_for)
    try:
        for name in KINDS[rig.kind].state:
            for garbage in GARBAGE if full else GARBAGE[:1]:
                rig.spoil(name, garbage)
                rig.kill()
                processes.append(rig.supervised())
                time.sleep(0.3)  # it comes up, or gives up
                heard += asked(rig.url, ENTITIES[:30])
                mended(rig, asked_for)
                assert rig.plane.verify(asked_for) is True
                assert not errors(asked(rig.url, ENTITIES[:30]))
    finally:
        rig.close()
        for process in processes:
            ended(process)
    assert {answer.who for answer in heard} <= {"", "incumbent"}, "a share was guessed"
    tell("started by a supervisor from damaged files", "the incumbent or nobody, until the next tick", heard)


def mended(rig, route):
    """Take the next tick; where it refuses to touch what it did not write, do what its words say."""
    try:
        rig.again().reconcile(route)
    except PlaneRefused:
        with pytest.raises(PlaneRefused, match=r"did not write .* put its .* back"):
            rig.plane.observe()
        assert {answer.who for answer in asked(rig.url, ENTITIES[:30])} == {"incumbent"}
        rig.close()
        for name in KINDS[rig.kind].state:
            (rig.folder / name).unlink()
    rig.again().apply(route)


def test_a_route_it_rejects_is_told_to_whoever_asked_and_the_old_one_stays(rig, tell):
    asked = rig.route(2_500)
    rig.plane.apply(asked)
    with Callers(rig.url) as callers:
        callers.wait_for(10)
        with pytest.raises(PlaneRefused, match="old one stays"):
            rig.plane.apply(rig.route(0, 1, rollout="line\nbreak", token=2))
        callers.wait_for(10)
    assert rig.plane.verify(asked) is True
    assert not errors(callers.heard())
    tell("a route that the plane rejects", "nothing; the tick is told why", callers.heard())
