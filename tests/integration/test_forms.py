"""Questions become forms in Prefect, once; what becomes of a form never answers a question."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from headgate.adapters import store
from headgate.rollout.state import Answer
from tasks import asking, forms, people, wiring
from tests.integration.form_stage import CHIEF, OPERATOR, ask, code, now_of, wired
from tests.integration.form_stage import asking as asked_of

pytestmark = pytest.mark.prefect
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def home(tmp_path: Path, empty_store: Path) -> Iterator[Path]:
    """The folder of a story, whose adapters are in use here."""
    folder = tmp_path / "story"
    folder.mkdir()
    shutil.copy(empty_store, folder / "store.db")
    with wiring.use(wired(folder)) as adapters:
        yield folder
    adapters.engine.dispose()


class Api:
    """What a test asks and tells Prefect's API."""

    def __init__(self, url: str) -> None:
        self.ask = httpx.Client(base_url=url, timeout=30)

    def post(self, path: str, **body):
        for _ in range(5):
            answer = self.ask.post(path, json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:  # its SQLite was busy
                break
        assert answer.is_success, answer.text
        return answer.json()

    def forms(self, case):
        wanted = {"tags": {"all_": [forms.NEEDS_APPROVAL, f"rollout:{case.rollout.id}"]}}
        return self.post("/flow_runs/filter", flow_runs=wanted, sort="EXPECTED_START_TIME_ASC")

    def end(self, run, kind: str, message: str = "by hand") -> None:
        state = {"type": kind, "message": message}
        self.post(f"/flow_runs/{run['id']}/set_state", state=state, force=True)


@pytest.fixture
def api(prefect: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A server with a deployment of `approve`, and no worker: every form stays as a test puts it."""
    assert home.exists()
    api = Api(prefect)
    flow = api.post("/flows/", name="approve")
    deployment = api.post(
        "/deployments/", name="default", flow_id=flow["id"], entrypoint="flows.approve.approve"
    )
    forms.forget()
    monkeypatch.setattr(asking, "_CALM", timedelta(0))
    yield api
    api.ask.delete(f"/deployments/{deployment['id']}")
    api.ask.close()
    forms.forget()


def tick(case, now=NOW):
    """Do what a tick does about forms."""
    asking.note_lost_forms.fn(case, now)
    asking.ask_people.fn(now_of(case), now)


def answers(case):
    return [one.answer for one in store.approvals(wiring.build().engine, case.rollout.id)]


def test_a_question_is_put_once_and_its_name_tells_the_story(api):
    case = asked_of(NOW)
    for _ in range(3):
        tick(case)
    (run,) = api.forms(case)
    assert run["name"] == f"APPROVE {case.plan.name} 0% -> 5%"
    assert set(run["tags"]) >= {"needs-approval", f"rollout:{case.rollout.id}", "service:flight-delays"}
    assert run["parameters"]["attempt"] == 1
    assert answers(case) == []


@pytest.mark.parametrize("kind", ["CANCELLED", "FAILED", "CRASHED", "COMPLETED"])
def test_a_form_that_ended_unanswered_promotes_nobody_and_is_asked_anew(api, kind):
    case = asked_of(NOW)
    tick(case)
    (first,) = api.forms(case)
    api.end(first, kind)
    asking.note_lost_forms.fn(case, NOW)
    asking.note_lost_forms.fn(case, NOW)
    assert answers(case) == [Answer.LOST]
    (lost,) = store.approvals(wiring.build().engine, case.rollout.id)
    assert f"ended as {kind.title()}: by hand" in lost.comment
    case = ask(case, NOW + timedelta(minutes=5))
    tick(case, NOW + timedelta(minutes=5))
    assert [run["name"] for run in api.forms(case)][1:] == [f"APPROVE {case.plan.name} 0% -> 5% (2nd ask)"]


def test_a_form_that_just_failed_is_not_asked_anew_at_once(api, monkeypatch):
    """A tick follows the end of every form: one that cannot be drawn would be asked all day."""
    monkeypatch.setattr(asking, "_CALM", timedelta(minutes=4))
    case = asked_of(NOW)
    tick(case)
    api.end(api.forms(case)[0], "FAILED")
    tick(case)
    assert answers(case) == []


def test_a_form_at_work_or_late_is_waited_for_and_one_that_died_is_not(api, monkeypatch):
    case = asked_of(NOW)
    tick(case)
    (run,) = api.forms(case)
    for kind in ("SCHEDULED", "PENDING", "RUNNING"):
        api.end(run, kind)
        tick(case)
    assert answers(case) == []
    monkeypatch.setattr(asking, "_DEAD_AFTER", timedelta(0))
    tick(case)
    assert answers(case) == [Answer.LOST]
    assert api.forms(case)[0]["state_name"] == "Outdated"


def test_a_form_that_somebody_deleted_comes_back(api):
    case = asked_of(NOW)
    tick(case)
    (run,) = api.forms(case)
    api.ask.delete(f"/flow_runs/{run['id']}").raise_for_status()
    tick(case)
    (again,) = api.forms(case)
    assert again["id"] != run["id"]
    assert answers(case) == []


def test_a_form_whose_question_was_answered_elsewhere_or_expired_is_taken_away(api):
    case = asked_of(NOW)
    secret = people.enrol(CHIEF, OPERATOR, NOW)
    tick(case)
    took = partial(people.take_answer, case.rollout.id, "all")
    assert took(1, 1, Answer.APPROVE, CHIEF, code(secret, case), "fine by me", NOW, origin="cli:1").settled
    tick(case)
    assert [run["state_name"] for run in api.forms(case)] == ["Outdated"]
    assert answers(case) == [Answer.APPROVE]  # and the form's end took nothing back
    case = ask(case, NOW + timedelta(hours=1))
    tick(case)
    tick(case, NOW + timedelta(hours=74))
    assert [run["state_name"] for run in api.forms(case)] == ["Outdated", "Outdated"]


def test_a_form_that_brings_an_answer_is_left_alone(api):
    case = asked_of(NOW)
    tick(case)
    (run,) = api.forms(case)
    state = {"type": "SCHEDULED", "name": "Resuming"}
    api.post(f"/flow_runs/{run['id']}/set_state", state=state, force=True)
    tick(case, NOW + timedelta(hours=74))
    assert api.forms(case)[0]["state_name"] == "Resuming"


def test_of_two_slices_each_has_a_form_of_its_own(api):
    steps = [{"percent": 0}, {"percent": 5, "approval": {"approvers": 1, "expires": "72h"}}, {"percent": 100}]
    slices = [
        {"name": name, "where": f"origin == '{name.upper()}'", "steps": steps} for name in ("jfk", "lga")
    ]
    case = asked_of(NOW, steps=None, slices=slices)
    tick(case)
    names = {run["name"] for run in api.forms(case)}
    assert names == {f"APPROVE {case.plan.name} / {name} 0% -> 5%" for name in ("jfk", "lga")}


@pytest.mark.usefixtures("prefect", "home")
def test_without_a_deployment_a_tick_asks_prefect_once_and_nothing_is_lost(monkeypatch, caplog):
    forms.forget()
    case = asked_of(NOW)
    tick(case)

    def asked_again() -> None:
        raise AssertionError("Prefect was asked again")

    monkeypatch.setattr(forms, "_client", asked_again)
    tick(case)
    assert answers(case) == []
    assert "WARNING" not in caplog.text
    forms.forget()


@pytest.mark.usefixtures("home")
def test_a_prefect_that_is_down_is_told_of_once_with_another_way(monkeypatch, caplog):
    monkeypatch.setattr(asking, "_told", set())

    def down() -> bool:
        raise httpx.ConnectError("All connection attempts failed")

    monkeypatch.setattr(forms, "is_there", down)
    case = asked_of(NOW)
    with caplog.at_level(logging.WARNING):
        tick(case)
        tick(case)
    assert [r.getMessage() for r in caplog.records if f"headgate approve {case.rollout.id}" in r.getMessage()]
    assert len(caplog.records) == 1
    assert answers(case) == []
