"""What people and scripts see: status again and again, until it is done; history; why it is not moving."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from headgate import cli
from headgate.adapters import store
from headgate.cli.status import changes
from headgate.rollout.state import Decision, Move, Outcome, Phase, Verb
from tests.builders import APRIL, PLAN
from tests.integration.stores import question, reply, tick
from tests.rollouts import state, world
from tests.unit.glances import glance
from tests.unit.task_cases import opened

NEXT = {**PLAN["candidate"], "version": "gbm-3"}


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def run(*words):
    return CliRunner().invoke(cli.app, list(words), catch_exceptions=False)


def ended(wired, rollout, outcome):
    """Write the tick with which a rollout ends."""
    last = tick(rollout, phase=Phase.DONE, outcome=outcome)
    decision = Decision(Move.FINISH, ("because",), outcome=outcome)
    return store.record(wired.engine, rollout, replace(last, decision=decision))


# ---------------------------------------------------------------- status


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.PROMOTED, 0),
        (Outcome.ROLLED_BACK, 3),
        (Outcome.REJECTED, 4),
        (Outcome.ABORTED, 5),
        (Outcome.EXPIRED, 6),
        (Outcome.SUPERSEDED, 7),
    ],
)
def test_a_script_that_waits_is_told_the_outcome_by_the_exit_code(wired, outcome, code):
    ended(wired, opened().rollout, outcome)
    done = run("status", "--wait", "flights-gbm-1", "--json")
    assert done.exit_code == code
    assert json.loads(done.stdout)[0]["outcome"] == outcome.value


@pytest.mark.usefixtures("wired")
def test_waiting_ends_with_its_timeout_and_for_an_unknown_rollout_at_once():
    opened()
    assert run("status", "--wait", "flights-gbm-1", "--timeout", "1ms").exit_code == 8
    assert run("status", "--wait", "flights-gbm-9").exit_code == 2
    assert run("status", "--timeout", "1h").exit_code == 2


def test_a_watch_on_a_pipe_tells_changes_and_not_that_time_goes_by():
    early = glance(before := state(Phase.SHADOW), world(before))
    later = replace(early, now=early.now + timedelta(hours=1))
    moved = glance(before := state(Phase.RAMP), world(before))
    seen, looks = [[early], [later], [moved], [moved]], iter(range(1, 5))
    told = list(changes(lambda: seen.pop(0), lambda: next(looks) < 4))
    assert told == [[early], [moved]]


def test_open_rollouts_come_first_and_old_ones_on_request(wired):
    for number in range(7):
        candidate = {**PLAN["candidate"], "version": f"old-{number}"}
        ended(wired, opened(APRIL, candidate=candidate).rollout, Outcome.EXPIRED)
    opened(APRIL, service="fraud", name="fraud")
    shown = run("status").stdout.splitlines()
    assert shown[1].startswith("fraud-1 ")
    assert shown[2].startswith("flights-gbm-7 ")
    assert "2 more that are done: --all" in run("status").stdout
    assert "flights-gbm-1 " in run("status", "--all").stdout
    assert "flights-gbm" not in run("status", "--service", "fraud").stdout
    assert len(json.loads(run("status", "--json").stdout)) == 8


# ---------------------------------------------------------------- history


def test_history_tells_who_did_what_in_order(wired):
    rollout = opened().rollout
    rollout = store.record(wired.engine, rollout, question(rollout))
    store.answer(wired.engine, rollout.id, reply(rollout))
    store.press(
        wired.engine, rollout.id, Verb.PAUSE, "chief@example.org", "a storm", APRIL + timedelta(hours=4)
    )
    store.add_incident(
        wired.engine,
        rollout.id,
        store.Incident(APRIL + timedelta(days=1), "plane disagrees", "it serves 7 %"),
    )
    told = json.loads(run("history", rollout.id, "--json").stdout)
    assert [one["kind"] for one in told] == ["opened", "moved", "answered", "ordered", "incident"]
    assert told[0]["who"] == "operator@example.org"
    assert (told[2]["what"], told[2]["why"]) == ("approved 5 % (question 1)", "looks fine")
    shown = run("history", rollout.id).stdout
    assert "04:00 ! chief@example.org pressed pause: a storm" in shown
    assert shown.splitlines()[0] == "2013-04-01"
    assert "2013-04-02" in shown


@pytest.mark.usefixtures("wired")
def test_history_of_an_unknown_rollout_is_refused():
    assert "the store holds no such rollout" in run("history", "flights-gbm-9").stderr


# ---------------------------------------------------------------- explain


def test_explain_takes_a_rollout_a_service_or_all_that_is_open(wired):
    first = ended(wired, opened().rollout, Outcome.EXPIRED)
    second = opened(APRIL, candidate=NEXT).rollout
    third = opened(APRIL, candidate={**NEXT, "version": "gbm-4"}).rollout

    def told(*words):
        return [one["rollout"] for one in json.loads(run("explain", *words, "--json", "--no-plane").stdout)]

    assert told() == [third.id, second.id]
    assert told("flight-delays") == [third.id, second.id]
    assert told(first.id) == [first.id]
    assert f"queued behind {second.id}" in run("explain", third.id, "--no-plane").stdout
    assert run("explain", "nothing-of-ours").exit_code == 2
    ended(wired, store.get(wired.engine, second.id), Outcome.EXPIRED)


@pytest.mark.usefixtures("wired")
def test_explain_says_what_the_plane_reports():
    opened()
    assert "The traffic plane" in run("explain").stdout
    assert "The traffic plane" not in run("explain", "--no-plane").stdout


def test_commands_to_copy_stay_on_one_line_however_narrow_the_terminal(wired, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    rollout = opened().rollout
    store.record(wired.engine, rollout, question(rollout))
    shown = [line.strip() for line in run("explain", "--no-plane").stdout.splitlines()]
    assert "headgate approve flights-gbm-1 --as YOU --code CODE --comment WHY" in shown
    assert any(line.startswith("headgate approver code flights-gbm-1/all/approve/1/1/") for line in shown)
