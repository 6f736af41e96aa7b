"""Where every rollout stands, as plain JSON."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from headgate.adapters import store
from headgate.errors import PlaneUnavailable, StoreError
from headgate.ports import Observed
from headgate.rollout.state import Decision, Move, Pause, Phase, Waiting
from tasks import wiring
from tasks.standing import all_standings, glances
from tests.builders import APRIL, PLAN
from tests.integration.stores import question, reply, tick
from tests.unit.task_cases import opened

KEYS = {
    "rollout", "service", "candidate", "attempt", "phase", "outcome", "step", "percent", "paused",
    "waiting_for", "decision", "reasons", "at", "due", "slice", "ended", "rank",
    "since", "deadline", "next", "last_tick_age_seconds", "ticks_stopped", "question", "plane",
}  # fmt: skip


@pytest.mark.usefixtures("wired")
def test_before_the_first_rollout_there_is_nothing_to_tell():
    assert all_standings() == []


@pytest.mark.usefixtures("wired")
def test_a_rollout_just_opened():
    opened()
    (row,) = all_standings()
    assert set(row) == KEYS
    assert row == json.loads(json.dumps(row, allow_nan=False))
    assert (row["rollout"], row["service"], row["candidate"]) == ("flights-gbm-1", "flight-delays", "gbm-2")
    assert (row["attempt"], row["phase"], row["outcome"], row["step"], row["percent"]) == (
        1, "preflight", None, 0, 0,
    )  # fmt: skip
    assert (row["decision"], row["at"], row["due"]) == ("hold", "2013-04-01T00:00:00Z", None)


def test_shares_are_percent_and_what_is_waited_for_is_in_words(wired):
    rollout = opened().rollout
    pause = Pause(Waiting.OPERATOR, "somebody has to look", APRIL)
    last = tick(
        rollout, phase=Phase.RAMP, share_bp=250, step=1, paused=pause,
        waiting_for=(Waiting.OPERATOR, Waiting.SAMPLES),
    )  # fmt: skip
    store.record(wired.engine, rollout, last)
    (row,) = all_standings()
    assert (row["percent"], row["step"], row["phase"]) == (2.5, 1, "ramp")
    assert (row["paused"], row["waiting_for"]) == ("somebody has to look", ["operator", "samples"])
    assert (row["reasons"], row["at"]) == (["not enough samples"], "2013-04-01T01:00:00Z")


def test_a_due_time_is_utc(wired):
    rollout = opened().rollout
    last = tick(rollout)
    decision = Decision(Move.HOLD, ("dwell",), due=APRIL + timedelta(days=2))
    store.record(
        wired.engine, rollout, type(last)(last.tick, last.at, last.flow_run_id, decision, last.state)
    )
    assert all_standings()[0]["due"] == "2013-04-03T00:00:00Z"


def test_the_newest_rollout_comes_first_and_queued_ones_are_told(wired):
    first = opened().rollout
    store.record(wired.engine, first, question(first))
    opened(APRIL + timedelta(hours=1), candidate={**PLAN["candidate"], "version": "gbm-3"})
    rows = all_standings()
    assert [(row["rollout"], row["phase"]) for row in rows] == [
        ("flights-gbm-2", "queued"),
        ("flights-gbm-1", "shadow"),
    ]
    assert rows[1]["decision"] == "ask"


def test_since_when_is_when_what_is_waited_for_first_began(wired):
    rollout = opened().rollout
    waits = [(), ("samples",), ("samples", "dwell"), ("labels",), ("samples",), ("samples", "labels")]
    for number, waiting in enumerate(waits, 1):
        last = tick(rollout, number, waiting_for=tuple(map(Waiting, waiting)))
        decision = Decision(Move.HOLD, ("held",), tuple(map(Waiting, waiting)))
        rollout = store.record(wired.engine, rollout, replace(last, decision=decision))
    (row,) = all_standings()
    assert row["since"] == "2013-04-01T05:00:00Z"
    (one,) = glances()
    assert one.gap == timedelta(hours=1)


def test_what_waits_ever_since_a_move_waits_since_that_move(wired):
    rollout = opened().rollout
    move = replace(tick(rollout, 1), decision=Decision(Move.ADVANCE, ("up",)))
    rollout = store.record(wired.engine, rollout, move)
    for number in (2, 3):
        hold = replace(tick(rollout, number), decision=Decision(Move.HOLD, ("held",), (Waiting.DWELL,)))
        rollout = store.record(wired.engine, rollout, hold)
    assert all_standings()[0]["since"] == "2013-04-01T01:00:00Z"


def test_an_open_question_is_told_with_its_request_and_who_agreed(wired):
    rollout = opened().rollout
    store.record(wired.engine, rollout, question(rollout))
    store.answer(wired.engine, rollout.id, reply(rollout))
    (row,) = all_standings()
    assert row["question"]["request"].startswith("flights-gbm-1/all/approve/1/1/")
    assert (row["question"]["approved_by"], row["question"]["needed"]) == (["a@example.org"], 1)


@pytest.mark.usefixtures("wired")
def test_in_the_queue_everybody_knows_who_is_in_front():
    for version in ("gbm-2", "gbm-3", "gbm-4"):
        opened(candidate={**PLAN["candidate"], "version": version})
    assert [one.ahead for one in glances()] == [("flights-gbm-1", "flights-gbm-2"), ("flights-gbm-1",), ()]
    assert glances(rollout="flights-gbm-2")[0].ahead == ("flights-gbm-1",)
    assert [one.last_in_force for one in glances()] == [False, False, True]


@dataclass
class Plane:
    """A plane that reports this, or does not answer."""

    reports: Observed | None

    def observe(self):
        if self.reports is None:
            raise PlaneUnavailable("asked Envoy; found nobody at the door; start it")
        return self.reports


def test_the_plane_is_asked_on_request_only_and_told_in_its_own_words(wired):
    rollout = opened().rollout
    assert all_standings()[0]["plane"] is None
    for reports, told in (
        (Observed(rollout.id, 500, mirror=False, token=1, generation=2), "5 % at generation 2"),
        (
            Observed("another-1", 500, mirror=False, token=1, generation=2),
            "serves another route, that of another-1",
        ),
        (None, "does not answer: nobody at the door"),
    ):
        with wiring.use(replace(wired, plane_of=lambda _service, says=reports: Plane(says))):
            assert glances(rollout=rollout.id, ask_planes=True)[0].plane == told


@pytest.mark.usefixtures("wired")
def test_a_plan_of_another_headgate_is_no_reason_to_say_nothing(monkeypatch):
    opened()

    def unreadable(*_args):
        raise StoreError("reads as another plan here")

    monkeypatch.setattr(store, "plan_of", unreadable)
    (row,) = all_standings()
    assert (row["rollout"], row["phase"], row["candidate"]) == ("flights-gbm-1", "preflight", "gbm-2")
