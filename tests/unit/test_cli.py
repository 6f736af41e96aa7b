"""The command line tells what is, refuses with a way out, and speaks JSON to scripts."""

import json
import re
import shutil
import sys

import pytest
import yaml
from typer.testing import CliRunner

from headgate import cli
from headgate.adapters import store
from headgate.rollout.state import Phase, Verb
from tasks import wiring
from tests.builders import APRIL, PLAN, plan
from tests.integration.stores import OPENED_BY, tick

COMMANDS = (
    "validate", "start", "shadow", "advance", "approve", "reject", "hold", "promote", "signoff",
    "questionnaire", "rollback", "abort", "pause", "resume", "undo", "retry", "kill", "status", "report",
    "history", "explain", "demo", "up", "doctor", "automations", "backtest", "power", "premortem",
    "monitor", "monitoring", "drift", "retrain",
)  # fmt: skip
BUTTONS = ("rollback", "abort", "pause", "resume")
WHO_AND_WHY = ("--as", "chief@example.org", "--reason", "saw it")
NOON = "2013-04-01T12:00:00Z"


@pytest.fixture
def installed(tmp_path, monkeypatch, empty_store):
    """Work in a folder of one's own, with an empty store in it; return its adapters."""
    shutil.copy(empty_store, tmp_path / "store.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "400")
    wired = wiring.build()
    yield wired
    wired.engine.dispose()


@pytest.fixture
def opened(installed):
    """One rollout of the small plan, in preflight."""
    return store.open_rollout(installed.engine, plan(), APRIL, OPENED_BY)


def run(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)


def refused(*words, code=2):
    """Return what a refused command says; nothing of it goes where answers go."""
    done = run(*words)
    assert (done.exit_code, done.stdout) == (code, "")
    return done.stderr


def write_plan(folder, **changes):
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump({**PLAN, **changes}), encoding="utf-8")
    return path


# ---------------------------------------------------------------- help


def test_every_command_is_known_here():
    assert {command.callback.__name__ for command in cli.app.registered_commands} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_teaches(command):
    done = run(command, "--help")
    assert done.exit_code == 0
    (callback,) = (c.callback for c in cli.app.registered_commands if c.callback.__name__ == command)
    lines = (callback.__doc__ or "").split()
    assert len(lines) >= 5
    assert " ".join(lines[:4]) in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("command", "flow"),
    [("start", "open"), ("shadow", "shadow"), ("advance", "advance"), ("rollback", "advance")],
)
def test_the_help_names_the_flow_that_a_command_runs(command, flow):
    assert re.search(rf"\(flow `?{flow}`?\)", " ".join(run(command, "--help").stdout.split()))


def test_nothing_asked_is_answered_with_where_to_begin():
    shown = " ".join(run().output.split())
    for word in ("validate", "start", "shadow", "advance", "demo", "sample", *COMMANDS):
        assert word in shown


# ---------------------------------------------------------------- validate


def test_a_valid_plan_is_shown_with_its_climb_and_its_hash(tmp_path):
    done = run("validate", write_plan(tmp_path))
    assert done.exit_code == 0
    shown = " ".join(done.stdout.split())
    assert "is valid. flights-gbm on flight-delays: 0 -> 5 -> 50 -> 100 %" in shown
    assert f"plan hash {plan().hash}" in shown


def test_a_valid_plan_is_json_for_scripts(tmp_path):
    path = write_plan(tmp_path)
    done = run("validate", path, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "plan": str(path), "valid": True, "plan_hash": plan().hash, "problems": [], "notes": [],
    }  # fmt: skip


def test_a_plan_that_asks_people_without_saying_what_they_manage_is_valid_and_told_so(tmp_path):
    unsure = {"confidence_below": {"value": 0.55, "then": "review"}}
    (note,) = json.loads(run("validate", write_plan(tmp_path, serving=unsure), "--json").stdout)["notes"]
    assert "serving.confidence_below.then: review" in note
    assert (
        "note  "
        in run("validate", write_plan(tmp_path, serving={"fallback": ["incumbent", "review"]})).stdout
    )
    asked = write_plan(tmp_path, serving=unsure, review={"capacity": 40})
    assert json.loads(run("validate", asked, "--json").stdout)["notes"] == []


def test_a_path_with_brackets_is_shown_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    folder = tmp_path / "[red]run[1]"
    folder.mkdir()
    path = write_plan(folder)
    assert f"{path} is valid" in run("validate", path).stdout


def test_an_invalid_plan_is_refused_with_line_asked_found_and_to_do(tmp_path):
    path = write_plan(tmp_path, watch=14, surprise=True)
    lines = path.read_text().splitlines()
    said = refused("validate", path)
    for key in ("watch", "surprise"):
        line = next(number for number, text in enumerate(lines, 1) if text.startswith(f"{key}:"))
        assert f"{path}:{line}  {key}" in said
    for word in ("asked", "found", "to do"):
        assert len(re.findall(rf"^    {word}  ", said, re.MULTILINE)) == 2
    assert said.endswith(f"2 problems in {path}. Nothing was started.\n")


def test_an_invalid_plan_is_json_for_scripts(tmp_path):
    path = write_plan(tmp_path, watch=14)
    done = run("validate", path, "--json")
    assert done.exit_code == 2
    told = json.loads(done.stdout)
    assert (told["plan"], told["valid"]) == (str(path), False)
    (problem,) = told["problems"]
    assert problem["where"] == "watch"
    assert path.read_text().splitlines()[problem["line"] - 1].startswith("watch:")
    assert all(problem[key] for key in ("asked", "found", "todo"))


def test_a_plan_that_is_not_there_is_refused(tmp_path):
    said = refused("validate", tmp_path / "none.yaml")
    assert "asked  a file that can be read" in said
    assert "found  no such file" in said
    assert json.loads(run("validate", tmp_path / "none.yaml", "--json").stdout)["problems"][0]["line"] == 0


def test_an_invalid_plan_starts_no_flow(tmp_path):
    assert "1 problem in" in refused("start", write_plan(tmp_path, watch=14))


# ---------------------------------------------------------------- status


@pytest.mark.usefixtures("installed")
def test_before_the_first_rollout_status_says_how_to_open_one():
    done = run("status")
    assert done.exit_code == 0
    assert "no rollout yet; open one with `headgate start PLAN`" in done.stdout
    assert json.loads(run("status", "--json").stdout) == []


@pytest.mark.usefixtures("opened")
def test_status_shows_where_a_rollout_stands_and_why():
    shown = " ".join(run("status").stdout.split())
    assert "flights-gbm-1 flight-delays preflight 0 % the next tick" in shown
    assert f"flights-gbm-1: opened by {OPENED_BY}; holds the lease of flight-delays" in shown
    assert "no tick for" in shown  # it was opened in 2013, and nothing has looked since


@pytest.mark.usefixtures("installed")
def test_status_is_json_for_scripts(opened):
    (row,) = json.loads(run("status", "--json").stdout)
    assert (row["rollout"], row["service"], row["phase"]) == (opened.id, "flight-delays", "preflight")


def test_reasons_about_segments_keep_their_brackets(installed, opened):
    why = tuple(f"quality[origin={o}]: 3 of 28 blocks" for o in ("EWR", "JFK", "LGA", "PHL", "BOS"))
    held = tick(opened)
    with_reasons = type(held)(
        held.tick, held.at, held.flow_run_id, type(held.decision)(held.decision.move, why), held.state
    )
    store.record(installed.engine, opened, with_reasons)
    shown = run("status").stdout
    assert f"{why[0]} (and 4 more: headgate explain flights-gbm-1)" in shown
    assert not any(reason in shown for reason in why[1:])
    explained = run("explain", "--no-plane").stdout
    assert all(reason in explained for reason in why)


def test_a_store_that_cannot_be_opened_is_told_without_a_trace(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store.db").write_text("this is a diary, not a database" * 100)
    monkeypatch.setenv("HEADGATE_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    said = refused("status", code=1)
    assert said.startswith("headgate: store ")
    assert "name another file" in said


def test_a_setting_that_is_wrong_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_PLANE_PORT", "a door")
    assert "HEADGATE_PLANE_PORT" in refused("status")


# ---------------------------------------------------------------- buttons


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("button", BUTTONS)
def test_a_button_without_a_rollout_names_the_services_there_are(button):
    said = refused(button, "fraud", *WHO_AND_WHY, "--now", NOON)
    assert f"asked to {button} the rollout of 'fraud'; no rollout of it is open" in said
    assert "services: flight-delays" in said


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("button", BUTTONS)
def test_a_button_in_an_empty_store_says_that_there_is_no_service(button):
    assert "services: none" in refused(button, "fraud", *WHO_AND_WHY, "--now", NOON)


@pytest.mark.parametrize("button", BUTTONS)
@pytest.mark.parametrize(
    ("now", "hint"),
    [
        ("2013-04-01T12:00:00", "write it with one, e.g. 2013-04-01T12:00:00Z"),
        ("2013-04-01", "write it with one, e.g. 2013-04-01T00:00:00Z"),
        ("noon", "asked an ISO 8601 time; found 'noon'"),
    ],
)
def test_a_time_without_an_offset_is_refused_with_one_that_would_do(installed, opened, button, now, hint):
    assert hint in refused(button, "flight-delays", *WHO_AND_WHY, "--now", now)
    assert store.orders(installed.engine, opened.id) == ()


@pytest.mark.parametrize("button", ["abort", "pause"])
def test_a_button_pressed_is_recorded_for_the_next_tick(installed, opened, button):
    store.record(installed.engine, opened, tick(opened, phase=Phase.SHADOW))
    done = run(button, "flight-delays", *WHO_AND_WHY, "--now", NOON)
    assert done.exit_code == 0
    assert f"recorded: {button} flights-gbm-1; the next tick acts on it" in done.stdout
    (order,) = store.open_orders(installed.engine, opened.id)
    assert (order.verb, order.by, order.reason) == (Verb(button), "chief@example.org", "saw it")


def test_a_button_that_the_state_does_not_allow_is_refused_with_why(installed, opened):
    said = refused("resume", "flight-delays", *WHO_AND_WHY, "--now", NOON, code=1)
    assert said.startswith("headgate: ")
    assert "resume" in said
    assert store.orders(installed.engine, opened.id) == ()


@pytest.mark.parametrize("button", BUTTONS)
def test_a_button_asks_who_and_why(button):
    said = refused(button, "flight-delays")
    assert "--as" in said


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("every", ["7", "a week", "none", "0d"])
def test_a_window_length_that_is_none_starts_no_flow(every):
    said = refused("shadow", "flight-delays", "--every", every)
    assert "--every" in said
    assert repr(every) in said


# ---------------------------------------------------------------- report and demo


@pytest.mark.usefixtures("installed")
def test_a_report_is_written_where_it_is_asked_for(opened, tmp_path):
    page = tmp_path / "new" / "page.html"
    done = run("report", opened.id, "--out", page)
    assert done.exit_code == 0
    assert f"wrote {page}" in done.stdout.replace("\n", "")
    assert opened.id in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("installed")
def test_a_report_that_cannot_be_written_is_told_without_a_trace(opened, tmp_path):
    (tmp_path / "taken").mkdir()
    said = refused("report", opened.id, "--out", tmp_path / "taken")
    assert "--out" in said
    assert str(tmp_path / "taken") in said


@pytest.mark.usefixtures("installed")
def test_a_report_of_an_unknown_rollout_is_refused(tmp_path):
    assert "nor any other" in refused("report", "flights-gbm-1", "--out", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_the_demo_empties_no_folder_that_is_not_a_demo(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "deployments.demo.run", None)  # it must not even be looked for
    letter = tmp_path / "letter.txt"
    letter.write_text("dear diary")
    said = refused("demo", "--out", tmp_path)
    assert "is emptied first" in said
    assert letter.read_text() == "dear diary"


def test_a_rollback_is_on_record_even_where_prefect_cannot_run(installed, opened, monkeypatch):
    import flows.advance

    def down(*_args, **_kwargs):
        raise ConnectionError("no Prefect server answers")

    store.record(installed.engine, opened, tick(opened))
    monkeypatch.setattr(flows.advance, "advance", down)
    with pytest.raises(ConnectionError):
        run("rollback", plan().service, *WHO_AND_WHY)
    assert [order.verb for order in store.open_orders(installed.engine, opened.id)] == [Verb.ROLLBACK]
