"""Stop buttons of the command line: they record, say what comes next, and refuse with what is allowed."""

from __future__ import annotations

import json

import httpx
import pytest

import flows.advance
from headgate.adapters import store
from headgate.cli.prefect_words import said_of
from headgate.rollout.state import Outcome, Phase, Verb
from tasks import killing
from tests.builders import APRIL, plan
from tests.integration.stores import OPENED_BY, tick
from tests.unit.test_cli import NOON, WHO_AND_WHY, installed, opened, refused, run, write_plan

__all__ = ["installed", "opened"]  # fixtures

SERVICE = "flight-delays"
AT_NOON = (*WHO_AND_WHY, "--now", NOON)


def ended(installed, opened, outcome):
    share = 10_000 if outcome is Outcome.PROMOTED else 0
    row = tick(opened, phase=Phase.DONE, outcome=outcome, share_bp=share, step=3, generation=5)
    return store.record(installed.engine, opened, row)


@pytest.fixture
def ticked(monkeypatch):
    """Ticks are noted, not taken."""
    taken = []
    monkeypatch.setattr(flows.advance, "advance", lambda service, **_: taken.append(service))
    return taken


def test_an_undo_is_recorded_and_ticked_at_once(installed, opened, ticked):
    ended(installed, opened, Outcome.PROMOTED)
    done = run("undo", SERVICE, *AT_NOON, "--json")
    assert (done.exit_code, ticked) == (0, [SERVICE])
    assert json.loads(done.stdout) == {"rollout": opened.id, "recorded": "undo", "ticked": True}
    assert [order.verb for order in store.open_orders(installed.engine, opened.id)] == [Verb.UNDO]


@pytest.mark.parametrize(
    ("phase", "fields", "verb", "allowed"),
    [
        (Phase.PREFLIGHT, {}, "rollback", "abort"),
        (Phase.PREFLIGHT, {}, "pause", "abort"),
        (Phase.SHADOW, {}, "resume", "rollback, abort, pause"),
        (Phase.RAMP, {}, "undo", "rollback, abort, pause"),
        (Phase.RAMP, {}, "retry", "rollback, abort, pause"),
        (Phase.ROLLING_BACK, {"outcome": Outcome.EXPIRED}, "abort", "rollback"),
        (Phase.ROLLING_BACK, {"outcome": Outcome.EXPIRED}, "undo", "rollback"),
        (Phase.DONE, {"outcome": Outcome.PROMOTED}, "retry", "undo"),
        (Phase.DONE, {"outcome": Outcome.EXPIRED}, "undo", "retry, which opens a new rollout"),
    ],
)
def test_a_verb_in_a_wrong_state_says_which_are_allowed(
    installed, opened, ticked, phase, fields, verb, allowed
):
    store.record(installed.engine, opened, tick(opened, phase=phase, **fields))
    said = refused(verb, SERVICE, *AT_NOON, code=1)
    assert said.startswith(f"headgate: {verb}: {opened.id} is ")
    assert f"allowed now: {allowed}" in said
    assert (store.orders(installed.engine, opened.id), ticked) == ((), [])


def test_a_retry_names_the_new_rollout_and_the_one_it_waits_for(installed, opened):
    ended(installed, opened, Outcome.EXPIRED)
    running = store.open_rollout(installed.engine, plan(name="next"), APRIL, OPENED_BY)
    done = run("retry", opened.id, *AT_NOON)
    assert f"opened flights-gbm-2; it is queued behind {running.id}" in done.stdout
    refused("retry", opened.id, *AT_NOON, code=2)


def test_a_button_is_json_for_scripts(installed, opened):
    store.record(installed.engine, opened, tick(opened, phase=Phase.RAMP, share_bp=500, step=1))
    done = run("pause", SERVICE, *AT_NOON, "--json")
    assert json.loads(done.stdout) == {"rollout": opened.id, "recorded": "pause", "ticked": False}


# ---------------------------------------------------------------- kill


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("words", [(), (SERVICE, "--all")])
def test_a_kill_asks_one_service_or_all(words):
    assert "asked a service or --all" in refused("kill", *words, *AT_NOON)


@pytest.mark.usefixtures("installed")
def test_killing_all_of_nothing_is_no_failure():
    done = run("kill", "--all", *AT_NOON)
    assert (done.exit_code, "nothing to kill" in done.stdout) == (0, True)


def test_killing_all_goes_on_after_one_that_fails(installed, opened, monkeypatch):
    """One service's trouble keeps nobody else's share up."""
    store.open_rollout(installed.engine, plan(service="another"), APRIL, OPENED_BY)
    killed = []

    def act(service, *_args, **_options):
        killed.append(service)
        if service == "another":
            raise killing.PlaneError("it does not answer")
        return killing.Killed(service, opened.id, 0, mirror=False, generation=7)

    monkeypatch.setattr(killing, "kill", act)
    done = run("kill", "--all", *AT_NOON)
    assert (done.exit_code, killed) == (1, ["another", SERVICE])
    assert "another: it does not answer" in done.stderr
    assert "flight-delays: the plane reports share 0 %, mirror off, generation 7" in done.stdout


# ---------------------------------------------------------------- a second rollout, and Prefect's errors


def test_a_second_rollout_of_the_service_says_that_it_queues(installed, opened, tmp_path, monkeypatch):
    import flows.open

    def opens(_path, now):
        return store.open_rollout(installed.engine, plan(name="next"), now, OPENED_BY).id

    monkeypatch.setattr(flows.open, "open_rollout", opens)
    done = run("start", write_plan(tmp_path, name="next"), "--now", NOON)
    assert f"opened next-1; it is queued: {opened.id} holds the service until it is done" in done.stdout


def answered(status):
    request = httpx.Request("GET", "http://somebody:secret@127.0.0.1:4200/api/admin/version")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    ("err", "says"),
    [
        (RuntimeError("Failed to reach API at http://127.0.0.1:9/api/"), "start its server"),
        (httpx.ConnectError("refused"), "ConnectError: refused; start its server"),
        (answered(401), "refuses our auth string (401); set PREFECT_API_AUTH_STRING"),
        (answered(500), "it answered 500"),
    ],
)
@pytest.mark.usefixtures("installed")
def test_an_error_of_prefects_api_is_one_line_and_no_trace(monkeypatch, err, says):
    def fails(*_args, **_options):
        raise err

    monkeypatch.setattr(flows.advance, "advance", fails)
    said = refused("advance", SERVICE, "--now", NOON, code=1)
    assert said.startswith("headgate: asked Prefect's API")
    assert says in said
    assert said.count("\n") == 1
    assert "secret" not in said


def test_any_other_error_is_a_bug_and_keeps_its_trace():
    assert said_of(RuntimeError("dictionary changed size")) is None
    assert said_of(KeyError("phase")) is None
