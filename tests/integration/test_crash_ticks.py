"""A tick killed with SIGKILL at each of its writes, with the real SQLite and the real Envoy (law 11).

The writes are found by running once with everybody watching; then the same tick dies at each of them in
turn, a fresh process runs it again, and what is left must be what the uncrashed run left.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest

from headgate.rollout.state import Move, Outcome, Phase, Verb
from tasks.verbs import press, undo
from tests.integration.flow_stage import KILLED, Base, base_of, fork_ready, ran
from tests.scenarios.climb import Climb
from tests.scenarios.small import HOUR
from tests.scenarios.world import SERVICE, Servers

pytestmark = [pytest.mark.prefect, pytest.mark.envoy, pytest.mark.slow, pytest.mark.xdist_group("crashes")]


@pytest.fixture
def before(tmp_path: Path, prefect: str, models: Servers, climb: Climb):
    """Go on from a stage of the climb to just before the tick in question."""
    fork_ready()
    with ExitStack() as stack:

        def prepare(stage, act, *, envoy=True) -> Base:
            small = stack.enter_context(climb[stage].resumed(tmp_path / "story", models))
            act(small)
            return base_of(small, prefect, tmp_path / "base", envoy=envoy)

        yield prepare


def crashed_everywhere(base: Base, folder: Path, runs: int, at: tuple[str, ...] = (), **more):
    """Let a flow die at every point; return the uncrashed run, what it left, what each crash left."""
    with base.copied(folder / "uncrashed") as copy:
        whole = ran(copy.job(runs=runs, **more))
        assert whole.code == 0
        expected = copy.left()

    def crash(number_and_point):
        number, point = number_and_point
        with base.copied(folder / f"crash-{number}") as copy:
            assert ran(copy.job(kill_at=point, runs=runs, **more)).code == KILLED
            mended = ran(copy.job(runs=runs, **more))
            assert mended.code == 0, point
            return copy.left()

    points = [point for point in _distinct(whole.points) if point.startswith(at or "")]
    with ThreadPoolExecutor(2) as pool:
        left = list(pool.map(crash, enumerate(points)))
    return whole, expected, dict(zip(points, left, strict=True))


def _distinct(points):
    """Leave out what is the same to a disk: nothing is written between two commits."""
    return [
        point
        for point, after in zip(points, [*points[1:], ""], strict=True)
        if not (": after " in point and ": before " in after)
    ]


def approved(small):
    """Approve, and let four more hours be scored, so that the tick has a block to close too."""
    small.approve()
    small.now += 4 * HOUR
    small.shadow()


def ordered(verb, small):
    small.now += 4 * HOUR
    small.shadow()
    press(SERVICE, verb, "operator@example.org", "complaints", small.now)


def test_a_tick_that_advances_out_of_shadow_may_die_at_any_write(before, tmp_path):
    whole, expected, left = crashed_everywhere(before("asked", approved), tmp_path, runs=1)
    assert whole.results[0].move is Move.ADVANCE
    assert expected["state"][:3] == (Phase.RAMP, 1, 1000)
    assert expected["plane"].share_bp == 1000
    assert set(whole.points) >= {
        "count the traffic: before commit",
        "count the traffic: after commit",
        "close what is mature: before commit",
        "close what is mature: after commit",
        "write down: before commit",
        "write down: after commit",
        "set the share: rds.json.tmp",
        "set the share: rds.json",
        "set the share: before commit",  # between the plane's read-back and its confirmation
        "set the share: after commit",
    }
    for point, found in left.items():
        assert found == expected, point


def test_a_tick_that_rolls_back_from_a_live_step_may_die_at_any_write(before, tmp_path):
    base = before("ramp", partial(ordered, Verb.ROLLBACK))
    whole, expected, left = crashed_everywhere(base, tmp_path, runs=4)
    assert [result and result.move for result in whole.results] == [Move.ROLL_BACK, Move.FINISH, None]
    assert (expected["state"][0], expected["ends"][0]) == (Phase.DONE, Outcome.ROLLED_BACK)
    assert expected["plane"].share_bp == 0
    assert expected["orders"][1] == ()
    assert sum(row.sums.n1 for row in expected["evidence"] if row.gate == "traffic") > 0
    assert {"set the share: rds.json.tmp", "set the share: rds.json"} <= set(whole.points)
    for point, found in left.items():
        assert found == expected, point


def test_a_tick_that_takes_a_promotion_back_may_die_before_and_after_it_is_written_down(before, tmp_path):
    def undone(small):
        small.now += 4 * HOUR
        undo(SERVICE, "operator@example.org", "complaints", small.now)

    base = before("promoted", undone)
    whole, expected, left = crashed_everywhere(base, tmp_path, runs=4, at=("write down",))
    assert [result and result.move for result in whole.results] == [Move.ROLL_BACK, Move.FINISH, None]
    assert (expected["state"][0], expected["ends"][0]) == (Phase.DONE, Outcome.ROLLED_BACK)
    assert (expected["plane"].share_bp, expected["lease"], expected["orders"][1]) == (0, False, ())
    for point, found in left.items():
        assert found == expected, point


def test_a_tick_that_ends_in_shadow_may_die_once_written_down_and_the_mirror_still_goes_off(before, tmp_path):
    base = before("shadow", partial(ordered, Verb.ABORT))
    whole, expected, left = crashed_everywhere(base, tmp_path, runs=2, at=("write down", "set the share"))
    assert whole.results[0].move is Move.ABORT
    assert not expected["plane"].mirror
    for point, found in left.items():
        assert found == expected, point


def test_a_shadow_window_may_die_in_the_middle_and_at_any_write(before, tmp_path):
    def wait(small):
        small.now += 8 * HOUR

    base = before("shadow", wait, envoy=False)
    whole, expected, left = crashed_everywhere(base, tmp_path, runs=1, every="8h")
    assert whole.results == [1]
    assert "score a window: an answer came" in whole.points
    assert [counts["read"] for _, _, _, counts in expected["windows"]] == [24, 48]
    for point, found in left.items():
        assert found == expected, point


def test_callers_notice_nothing_while_the_tick_dies_again_and_again(before, tmp_path):
    """Law 11, from the outside: every request is answered, and the share gets there."""
    base = before("asked", approved)
    stop, answers = threading.Event(), []

    def call(url, number):
        body = {"inputs": [{"name": "signal", "shape": [1], "datatype": "FP64", "data": [0.9]}]}
        with httpx.Client(base_url=url) as client:
            while not stop.is_set():
                headers = {"x-entity-id": f"N{number:03d}", "x-request-at": base.now.isoformat()}
                answers.append(client.post("/v2/models/delays/infer", json=body, headers=headers).status_code)
                stop.wait(0.005)

    with base.copied(tmp_path / "served") as copy, ThreadPoolExecutor(2) as pool:
        callers = [pool.submit(call, copy.plane().url, number) for number in range(2)]
        try:
            deaths = (
                "count the traffic: after commit",
                "write down: after commit",
                "set the share: rds.json.tmp",
                "set the share: rds.json",
            )
            codes = [ran(copy.job(kill_at=point)).code for point in deaths]
            assert ran(copy.job()).code == 0
        finally:
            stop.set()
        for caller in callers:
            caller.result()  # a connection that was dropped raises here
        assert codes == [KILLED] * 4
        assert copy.plane().observe().share_bp == 1000
    assert len(answers) > 200
    assert set(answers) == {200}
