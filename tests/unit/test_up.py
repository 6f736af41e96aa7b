"""The stack that stays up: its ports, its played year, and what it leaves for the next start."""

import json
import os
import signal
import socket
import sys
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import psutil
import pytest

from deployments import leftovers
from deployments.ports import Ports, choose_ports
from deployments.processes import Processes, ended_by_signals, free_port
from deployments.year import Year
from headgate.adapters.clock import read_clock, set_clock
from headgate.errors import InputError
from headgate.rollout.state import Asked, Decision, Move, Phase, State, Tick, Waiting
from tests.builders import APRIL

DAY = timedelta(days=1)
STATE = State("flights-gbm-1", Phase.SHADOW, APRIL, APRIL)
SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]


class EnoughError(Exception):
    """Ends a year that would be played for ever."""


@dataclass
class FakeStage:
    """A service that holds until a day, then asks; what people do is up to the test."""

    asks_after: timedelta
    done: list = field(default_factory=list)
    last: Tick = None
    answered: bool = False
    done_at: datetime = None
    watched: bool = False

    def open(self, now):
        self.done.append(("open", now))

    def look(self):
        return self.last

    def since(self, tick, last):
        return [last][: last.tick - tick]

    def next_window(self, every):
        scored = [end for what, end, *_ in self.done if what == "shadow"]
        return (scored[-1] if scored else APRIL) + every

    def shadow(self, now, every):
        self.done.append(("shadow", now, every))

    def tick(self, now):
        asked = Asked(1, 1, "digest", now, now + 3 * DAY) if now >= APRIL + self.asks_after else None
        moved, waits = Move.HOLD, (Waiting.SAMPLES,)
        if self.answered:
            asked = None
        elif asked:
            moved, waits = Move.ASK, (Waiting.APPROVAL,)
        state = replace(STATE, asked=asked, waiting_for=waits)
        if self.done_at is not None and now >= self.done_at:
            state = replace(state, phase=Phase.DONE, asked=None)
        number = self.last.tick + 1 if self.last else 0
        self.last = Tick(number, now, "run", Decision(moved, ("why",), waits), state)
        self.done.append(("tick", now))

    def call(self, start, end, _state):
        self.done.append(("call", start, end))

    def goes_on(self):
        return self.watched

    def watch(self, now):
        self.done.append(("watch", now))

    def unanswered(self):
        return not self.answered


@pytest.fixture
def played(tmp_path, monkeypatch):
    """Return a function that plays a stage until its people have had so many seconds."""
    clock = tmp_path / "clock.json"
    set_clock(clock, APRIL, speed=0)
    monkeypatch.setattr("deployments.year.time.sleep", lambda _seconds: None)

    def play(stage, rests, on_rest=lambda _n: None, **options):
        rested, waits = [], []

        def idle():
            rested.append(1)
            on_rest(len(rested))
            if len(rested) >= rests:
                raise EnoughError

        year = Year(stage, clock, APRIL + 60 * DAY, waits=waits.append, idle=idle, least=0.0, **options)
        with pytest.raises(EnoughError):
            year.play()
        return year, waits, read_clock(clock)

    return play


def test_the_year_is_played_by_weeks_to_the_first_question_and_then_stands_for_people(played):
    stage = FakeStage(asks_after=21 * DAY)
    _, waits, clock = played(stage, rests=50)
    ends = [event[1] for event in stage.done if event[0] == "shadow"]
    assert [round((end - APRIL) / DAY) for end in ends] == [7, 14, 21]
    assert [tick.state.asked is not None for tick in waits] == [True]  # said once, waited for fifty times
    assert stage.last.at - ends[-1] < timedelta(minutes=1)
    assert clock.speed == 1.0  # as people live, so that no question expires under their eyes


def test_after_an_answer_the_days_go_by_one_by_one(played):
    stage = FakeStage(asks_after=7 * DAY)

    def answer(rests):
        if rests == 3:  # the worker's tick acts on it, not the player's
            stage.answered = True
            stage.tick(stage.last.at + timedelta(minutes=1))

    played(stage, rests=12, on_rest=answer)
    lengths = [event[2] for event in stage.done if event[0] == "shadow"]
    assert lengths[0] == 7 * DAY
    assert set(lengths[1:]) == {DAY}
    times = [event[1] for event in stage.done if event[0] == "tick"]
    assert times == sorted(times)


def test_a_flow_run_that_fails_is_made_up_for_by_the_next(played, monkeypatch):
    stage, failures = FakeStage(asks_after=14 * DAY), []
    tick = stage.tick

    def tick_or_fail(now):
        tick(now)
        if len(failures) == 0:
            raise RuntimeError("no answer from the server")

    monkeypatch.setattr(stage, "tick", tick_or_fail)
    _, waits, _ = played(stage, rests=9, failed=failures.append)
    assert [str(err) for err in failures] == ["no answer from the server"]
    assert waits[0].state.asked is not None


def test_a_year_that_is_over_is_not_played_on(played):
    stage = FakeStage(asks_after=1_000 * DAY)
    played(stage, rests=3)
    assert stage.last.at < APRIL + 67 * DAY  # the last window began before the end


def test_ports_are_the_well_known_ones_where_they_are_free_and_the_same_the_next_time(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        with pytest.raises(InputError, match=f"asked port {taken} for plane; found it taken"):
            choose_ports(tmp_path, {"plane": taken})
    asked = {"prefect": free_port(), "plane": free_port()}
    first = choose_ports(tmp_path, asked)
    assert isinstance(first, Ports)
    assert (first.prefect, first.plane) == (asked["prefect"], asked["plane"])
    assert choose_ports(tmp_path, {}) == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", first.candidate))
        other.listen()
        with pytest.raises(InputError, match=r"its rollout's plan may name; found it taken; .*--fresh"):
            choose_ports(tmp_path, {})


def test_what_a_killed_stack_left_running_is_ended_and_nobody_else(tmp_path):
    ours = Processes(tmp_path / "logs")
    with Processes(tmp_path / "others") as others, ours:
        left, stranger = ours.start("left", SLEEPS, os.environ), others.start("other", SLEEPS, os.environ)
        leftovers.note(tmp_path, ours)
        noted = json.loads((tmp_path / "processes.json").read_text())
        # A process that merely has the pid of one of ours, from before the machine was started anew.
        noted.append({"pid": stranger.process.pid, "started": psutil.boot_time() - 1_000})
        (tmp_path / "processes.json").write_text(json.dumps(noted))
        assert leftovers.end_leftovers(tmp_path) == 1
        assert left.process.wait(5) is not None
        assert stranger.process.poll() is None
        assert leftovers.end_leftovers(tmp_path) == 0


def test_a_second_stack_in_the_same_folder_is_refused(tmp_path):
    with (
        leftovers.only_one(tmp_path / "run"),
        pytest.raises(InputError, match="found one that runs there"),
        leftovers.only_one(tmp_path / "run"),
    ):
        pass
    with leftovers.only_one(tmp_path / "run"):
        pass  # free again


def test_a_process_that_ended_by_itself_is_started_again(tmp_path):
    with Processes(tmp_path) as processes:
        child = processes.start("short", [sys.executable, "-c", "pass"], os.environ)
        lasting = processes.start("long", SLEEPS, os.environ)
        child.process.wait(10)
        assert processes.revive() == ["short"]
        assert {one.name for one in processes.children} == {"short", "long"}
        assert lasting.process.poll() is None


def test_sigterm_leaves_by_the_front_door_and_is_not_interrupted_there():
    def leaves():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGINT)  # somebody has no patience

    with pytest.raises(SystemExit) as left, ended_by_signals():
        leaves()
    assert left.value.code == 128 + signal.SIGTERM


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "a model that nobody watches"])
def test_once_a_model_is_promoted_the_monitor_looks_week_by_week_to_the_end_of_the_data(played, watched):
    stage = FakeStage(asks_after=1_000 * DAY, done_at=APRIL + 14 * DAY, watched=watched)
    _, waits, _ = played(stage, rests=30)
    looks = [round((event[1] - APRIL) / DAY) for event in stage.done if event[0] == "watch"]
    assert looks == ([7, 14, 21, 28, 35, 42, 49, 56, 63] if watched else [])
    assert len(waits) == 1
