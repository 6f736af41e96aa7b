"""Where every rollout stands, as plain JSON."""

import json
from datetime import timedelta

import pytest

from headgate.adapters import store
from headgate.rollout.state import Decision, Move, Pause, Phase, Waiting
from tasks.standing import all_standings
from tests.builders import APRIL, PLAN
from tests.integration.stores import question, tick
from tests.unit.task_cases import opened

KEYS = {
    "rollout", "service", "candidate", "attempt", "phase", "outcome", "step", "percent", "paused",
    "waiting_for", "decision", "reasons", "at", "due", "slice", "ended", "rank",
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
