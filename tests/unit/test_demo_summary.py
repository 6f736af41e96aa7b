"""The figures of the demo: the shape the issue asks for, counted and never assumed."""

import json
import math
from dataclasses import replace

import pytest

from deployments.demo.callers import Tally
from deployments.demo.summary import Renewed, Told, candidate_requests, summary
from headgate.adapters.store.retrainings import Claim, Retraining
from headgate.rollout.state import Outcome
from tests.builders import APRIL
from tests.unit import stories

TOP = {
    "rollouts", "drift", "retrainings", "flow_runs", "live_requests", "candidate_requests_by_step",
    "dropped_requests", "failed_answers", "seconds",
}  # fmt: skip
ROLLOUT = {
    "name", "candidate", "outcome", "finished_at", "max_percent", "final_share_observed_percent", "ticks",
}  # fmt: skip
TICK = {"tick", "at", "phase", "step", "percent", "decision", "waiting_for", "reason"}
CLIMB, FALL = stories.climb(), stories.fall()


def tally(story, sent=100, dropped=0, failed=0, **by_generation):
    counted = Tally(sent, dropped, failed)
    for name, (candidate, incumbent) in by_generation.items():
        generation = int(name.removeprefix("g"))
        counted.by_side[story.rollout, generation, "candidate"] = candidate
        counted.by_side[story.rollout, generation, "incumbent"] = incumbent
    return counted


@pytest.fixture(scope="module")
def told():
    climbed = tally(CLIMB, 1_000, g0=(0, 400), g1=(31, 500), g2=(60, 9), g3=(7, 0), g4=(8, 0), g5=(9, 0))
    return summary(
        [Told(CLIMB, climbed, 10_000), Told(FALL, tally(FALL, 500, 1, 2, g1=(40, 400)), 0)],
        flow_runs=321,
        seconds=123.456,
    )


def test_the_shape_is_the_one_the_issue_asks_for(told):
    assert set(told) == TOP
    assert [set(rollout) for rollout in told["rollouts"]] == [ROLLOUT, ROLLOUT]
    assert all(set(tick) == TICK for rollout in told["rollouts"] for tick in rollout["ticks"])


def test_it_is_json_and_holds_no_number_that_is_none(told):
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_sums_are_over_all_rollouts(told):
    assert (told["flow_runs"], told["live_requests"], told["seconds"]) == (321, 1_500, 123.5)
    assert (told["dropped_requests"], told["failed_answers"]) == (1, 2)


def test_the_candidates_requests_are_counted_per_live_step_and_added(told):
    assert told["candidate_requests_by_step"] == {"1": 71, "5": 60, "25": 7, "50": 8, "100": 9}


def test_steps_are_listed_as_they_climb(told):
    assert list(told["candidate_requests_by_step"]) == ["1", "5", "25", "50", "100"]


def test_the_climb_and_the_fall_are_told(told):
    climb, fall = told["rollouts"]
    assert (climb["name"], climb["candidate"]) == ("flights-gbm-1", "gbm-2")
    assert (climb["outcome"], climb["max_percent"], climb["final_share_observed_percent"]) == (
        "promoted", 100, 100,
    )  # fmt: skip
    assert climb["finished_at"] == climb["ticks"][-1]["at"]
    assert climb["finished_at"].endswith("Z")
    assert (fall["outcome"], fall["max_percent"], fall["final_share_observed_percent"]) == (
        "rolled_back", 1, 0,
    )  # fmt: skip


def test_a_tick_says_what_it_decided_and_what_it_waits_for(told):
    ask = next(tick for tick in told["rollouts"][0]["ticks"] if tick["decision"] == "ask")
    assert (ask["phase"], ask["step"], ask["percent"]) == ("shadow", 0, 0)
    assert ask["waiting_for"] == ["approval"]
    assert ask["reason"] == "every gate that counts passes at shadow"


def test_a_rollout_that_still_runs_has_no_end():
    running = replace(CLIMB, outcome=None, ticks=CLIMB.ticks[:10])
    (rollout,) = summary([Told(running, Tally(), 0)], flow_runs=1, seconds=1)["rollouts"]
    assert (rollout["outcome"], rollout["finished_at"], rollout["max_percent"]) == (None, None, 0)


def test_a_plane_that_could_not_be_asked_is_not_taken_for_zero():
    (rollout,) = summary([Told(FALL, Tally(), None)], flow_runs=1, seconds=1)["rollouts"]
    assert rollout["final_share_observed_percent"] is None


def test_a_rollout_without_a_tick_is_told_without_numbers():
    empty = replace(stories.unopened(), outcome=Outcome.ABORTED)
    told = summary([Told(empty, Tally(), None)], flow_runs=0, seconds=0)
    (rollout,) = told["rollouts"]
    assert (rollout["max_percent"], rollout["finished_at"], rollout["ticks"]) == (0, None, [])
    assert told["candidate_requests_by_step"] == {}


def test_a_live_step_on_which_nobody_called_is_told_as_zero():
    assert candidate_requests(FALL, Tally()) == {"1": 0}


def test_answers_of_another_rollout_or_of_nobody_are_not_ours():
    counted = tally(FALL, g1=(5, 0))
    counted.by_side["flights-gbm-9", 1, "candidate"] = 100
    counted.by_side["", -1, ""] = 100
    assert candidate_requests(FALL, counted) == {"1": 5}


def test_no_figure_is_infinite(told):
    figures = [told["seconds"], *(r["max_percent"] for r in told["rollouts"])]
    assert all(math.isfinite(figure) for figure in figures)


def test_drifts_and_retrainings_are_told_with_what_became_of_them():
    asked = Claim(1, "flight-delays", "drift", "an event", "owner", APRIL)
    opened = Retraining(asked, True, "not worse", "gbm-3", FALL.rollout, finished_at=APRIL)
    refused = Retraining(replace(asked, trigger="schedule"), False, "worse by 0.02", "gbm-4")
    found = {"at": "2013-11-06T00:00:00+00:00", "columns": ["score"], "reason": "values moved"}
    renewed = Renewed([found], [opened, refused])
    body = summary([Told(FALL, Tally(), 0)], flow_runs=1, seconds=1, renewed=renewed)
    assert body["drift"] == [{**found, "at": "2013-11-06T00:00:00Z"}]
    first, second = body["retrainings"]
    assert (first["at"], first["trigger"], first["accepted"], first["outcome"]) == (
        "2013-04-01T00:00:00Z", "drift", True, "rolled_back",
    )  # fmt: skip
    assert (second["trigger"], second["accepted"], second["reason"]) == ("schedule", False, "worse by 0.02")
    assert (second["rollout"], second["outcome"]) == (None, None)
