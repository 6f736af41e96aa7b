"""The form runs again from its top after every answer: what it makes of those that were given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.input.run_input import create_v2_schema
from prefect.utilities.schema_tools import validate
from pydantic import ValidationError

import flows.approve as flow
from headgate.adapters import store
from headgate.rollout.state import Answer
from tasks import answering, people, wiring
from tests.integration import form_stage as stage

NOW = datetime.now(UTC).replace(microsecond=0)
DEPUTY = "deputy@example.org"


class Asleep(Exception):
    """The run was suspended."""


class Run:
    """One run of `approve`, whose process ends where Prefect would suspend it."""

    def __init__(self, case, monkeypatch):
        self.case, self.given, self.shown = case, {}, []
        self.id = str(uuid4())
        monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", self.id)
        monkeypatch.setattr(flow, "_was_shown", lambda sitting: sitting <= len(self.shown))
        monkeypatch.setattr(flow, "filled_in", lambda _run, name: self.given.get(name))
        monkeypatch.setattr(flow, "suspend_flow_run", self._suspend)
        monkeypatch.setattr(flow, "hear", answering.hear.fn)
        monkeypatch.setattr(flow, "sheet", answering.sheet.fn)

    def _suspend(self, wait_for_input, timeout, key):
        assert key == str(len(self.shown) + 1)
        self.shown.append((wait_for_input._description, timeout))
        raise Asleep

    def go(self):
        """Run from the top; return the state it ends in, or None where it waits for somebody."""
        try:
            return flow.approve.fn(self.case.rollout.id, "all", 1, 1, "APPROVE")
        except Asleep:
            return None

    def answer(self, who, code, decision="approve"):
        """Fill in the form that is shown now, and run on."""
        filled = {"decision": decision, "approver": who, "code": code, "comment": "looked at it"}
        self.given[f"suspended-{len(self.shown)}"] = filled
        return self.go()


@pytest.fixture
def secrets(wired, tmp_path):
    """The secrets of two approvers, by name."""
    adapters = wiring.Wiring(
        wired.engine, wired.lake, wired.plane_of, stage.wired(tmp_path).settings, wired.clock
    )
    with wiring.use(adapters):
        yield {name: people.enrol(name, stage.OPERATOR, NOW) for name in (stage.CHIEF, DEPUTY)}


def asked(approvers=1):
    rule = {"approvers": approvers, "expires": "72h"}
    return stage.asking(NOW, steps=[{"percent": 0}, {"percent": 5, "approval": rule}, {"percent": 100}])


def said(case):
    return [one.answer for one in store.approvals(wiring.build().engine, case.rollout.id)]


def test_a_wrong_code_is_asked_again_and_a_right_one_settles_it(secrets, monkeypatch):
    run = Run(asked(), monkeypatch)
    assert run.go() is None
    assert run.answer(stage.CHIEF, "1234 5678") is None
    notice, _ = run.shown[1]
    assert notice.startswith("**Not accepted: wrong or expired code")
    ended = run.answer(stage.CHIEF, stage.code(secrets[stage.CHIEF], run.case))
    assert (ended.type.value, ended.name) == ("COMPLETED", "Approved")
    assert run.go().name == "Approved"  # the same run again, from its top
    assert said(run.case) == [Answer.APPROVE]


def test_one_of_two_approvers_is_told_who_is_missing(secrets, monkeypatch):
    run = Run(asked(approvers=2), monkeypatch)
    run.go()
    assert run.answer(stage.CHIEF, stage.code(secrets[stage.CHIEF], run.case)) is None
    text, _ = run.shown[1]
    assert text.startswith("**Recorded: chief@example.org")
    assert "**1 more person must agree.**" in text
    assert run.answer(stage.CHIEF, stage.code(secrets[stage.CHIEF], run.case)) is None  # is still one person
    assert run.answer(DEPUTY, stage.code(secrets[DEPUTY], run.case)).name == "Approved"
    assert said(run.case) == [Answer.APPROVE, Answer.APPROVE]


@pytest.mark.parametrize(("decision", "name"), [("reject", "Rejected"), ("hold", "Held")])
def test_a_no_does_not_look_green(secrets, monkeypatch, decision, name):
    run = Run(asked(), monkeypatch)
    run.go()
    code = stage.code(secrets[stage.CHIEF], run.case, decision)
    ended = run.answer(stage.CHIEF, code, decision)
    assert (ended.type.value, ended.name) == ("CANCELLED", name)
    assert said(run.case) == [Answer(decision)]


@pytest.mark.usefixtures("secrets")
def test_a_question_that_is_not_open_any_more_is_not_shown(monkeypatch):
    run = Run(asked(), monkeypatch)
    stage.ask(run.case, NOW + timedelta(minutes=1))
    ended = run.go()
    assert (ended.type.value, ended.name) == ("CANCELLED", "Outdated")
    assert run.shown == []


def test_an_answer_to_a_question_that_was_settled_meanwhile_changes_nothing(secrets, monkeypatch):
    run = Run(asked(), monkeypatch)
    run.go()
    late = stage.code(secrets[DEPUTY], run.case)
    code = stage.code(secrets[stage.CHIEF], run.case, "reject")
    people.take_answer(
        run.case.rollout.id, "all", 1, 1, Answer.REJECT, stage.CHIEF, code, "not now", NOW, origin="cli:1"
    )
    assert run.answer(DEPUTY, late).name == "Outdated"
    assert said(run.case) == [Answer.REJECT]


@pytest.mark.usefixtures("secrets")
def test_the_form_waits_as_long_as_the_question_is_open(monkeypatch):
    run = Run(asked(), monkeypatch)
    run.go()
    ((_, seconds),) = run.shown
    assert 0 <= (NOW + stage.EXPIRES - datetime.now(UTC)).total_seconds() - seconds + 30 < 60


GOOD = {"decision": "approve", "approver": "chief@example.org", "code": "1234 5678", "comment": "fine by me"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"decision": None}, {"decision": "yes"}, {"decision": "Approve"}, {"approver": "me"},
        {"code": "1234567"}, {"code": "123456789"}, {"code": "12345678x"}, {"code": ""},
        {"comment": "ok"}, {"comment": None}, {"note": "more"},
    ],
)  # fmt: skip
def test_the_server_refuses_nonsense_by_the_schema_alone(wrong):
    """And nothing has a default: a bare Resume is not a yes."""
    schema = create_v2_schema("YourAnswer", model_base=flow.YourAnswer)
    assert validate(GOOD, schema) == []
    assert validate({**GOOD, "code": " 12 34 56 78 "}, schema) == []
    assert validate({k: v for k, v in {**GOOD, **wrong}.items() if v is not None}, schema)
    assert validate({}, schema)


def test_what_was_typed_never_comes_back_in_an_error():
    with pytest.raises(ValidationError) as refused:
        flow.YourAnswer(**{**GOOD, "code": "87654321x"})
    assert "87654321" not in str(refused.value)
