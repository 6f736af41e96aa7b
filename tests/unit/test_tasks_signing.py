"""Signatures and the questionnaire: given by enrolled people, for a time, and waited for until they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from headgate.adapters import store
from headgate.codes import code_of
from headgate.errors import InputError
from headgate.readiness import DataKind, Readiness, objections
from headgate.rollout.state import Phase
from tasks import people
from tasks.ledger import case_of
from tasks.looking import checks_of
from tasks.signing import SIGN, answer_questionnaire, sign_off, signed_checks, signing_request
from tests.builders import APRIL, PLAN
from tests.unit.task_cases import OPENED_BY, opened, standing_at

DAY = timedelta(days=1)
CHIEF = "chief@example.org"
ASKS = {"signoffs": [{"role": "security", "valid": "30d"}], "questionnaire": {"valid": "10d"}}
READY = Readiness(DataKind.LIVE, "docs/plan.md", "a lost column", "the flights team")


@pytest.fixture
def case(wired):  # noqa: ARG001 - in place before anything is opened
    """A rollout whose plan asks for both."""
    return opened(**ASKS)


@pytest.fixture
def secret(wired):  # noqa: ARG001 - as above
    return people.enrol(CHIEF, OPENED_BY, APRIL)


def sign(case, secret, by=CHIEF, role="security", now=APRIL, origin=None, code=None):
    code = code or code_of(secret, signing_request(case.rollout.id, role), SIGN, datetime.now(UTC))
    origin = origin or f"run-{role}-{now}"
    return sign_off(case.rollout.id, role, by, code, "read it", now, origin=origin)


def answer(case, secret, answers=READY, now=APRIL, by=CHIEF):
    request = signing_request(case.rollout.id, "questionnaire")
    code = code_of(secret, request, SIGN, datetime.now(UTC))
    return answer_questionnaire(case.rollout.id, answers, by, code, "", now, origin=f"run-{now}-{answers}")


def checks(case, now=APRIL):
    return {check.name: (check.passed, check.reason) for check in signed_checks(case, now)}


def test_what_is_missing_waits_with_the_command_that_gives_it(case):
    found = checks(case)
    security = "nobody has signed as security; give it with `headgate signoff flights-gbm-1 --role security"
    assert found["sign-off security"][0] is None
    assert found["sign-off security"][1].startswith(security)
    passed, reason = found["questionnaire"]
    assert passed is None
    assert reason.startswith(
        "nobody has answered it; give it with `headgate questionnaire flights-gbm-1 --as YOU`"
    )
    assert signing_request(case.rollout.id, "questionnaire") in reason


def test_what_is_given_stands_until_it_is_over(case, secret):
    assert sign(case, secret).reason == f"{CHIEF} signs the plan of flights-gbm-1 as security"
    assert answer(case, secret).settled
    assert checks(case)["sign-off security"] == (
        True, f"signed by {CHIEF} at 2013-04-01 00:00 UTC, until 2013-05-01 00:00 UTC",
    )  # fmt: skip
    assert [passed for passed, _ in checks(case, APRIL + 9 * DAY).values()] == [True, True]
    over = checks(case, APRIL + 10 * DAY)
    assert (over["sign-off security"][0], over["questionnaire"][0]) == (True, None)
    assert "held until 2013-04-11 00:00 UTC; give it again with" in over["questionnaire"][1]
    answer(case, secret, now=APRIL + 10 * DAY)
    assert checks(case, APRIL + 10 * DAY)["questionnaire"][0] is True


def test_an_honest_no_is_kept_and_goes_on_waiting(case, secret):
    heard = answer(case, secret, Readiness(DataKind.EXPORT, "no", "None.", " Nobody "))
    assert (heard.accepted, heard.settled) == (True, False)
    passed, reason = checks(case)["questionnaire"]
    assert passed is None
    for no in (
        "the gates read an export", "not written down", "does not know how it fails", "nobody owns it",
    ):  # fmt: skip
        assert no in heard.reason
        assert no in reason
    assert answer(case, secret, now=APRIL + DAY).settled
    assert checks(case, APRIL + DAY)["questionnaire"][0] is True


@pytest.mark.parametrize("name", ["bad_outputs", "failure_modes", "owner"])
def test_every_no_counts_by_itself(name):
    assert len(objections(READY.as_answers() | {name: "NO!"})) == 1
    assert objections(READY.as_answers()) == ()


def test_a_signature_is_for_one_plan_and_outlives_a_retry_of_it(case, secret, wired):
    sign(case, secret)
    other = opened(**ASKS, name="other", service="other")
    assert checks(other)["sign-off security"][0] is None
    row = replace(case.last, tick=1, state=replace(case.state, phase=Phase.DONE))
    store.record(wired.engine, case.rollout, row)
    assert checks(opened(**ASKS))["sign-off security"][0] is True


def test_a_form_that_runs_again_signs_once(case, secret, wired):
    first = sign(case, secret, origin="run-1")
    assert sign(case, secret, origin="run-1", code="expired by now") == first
    assert len(store.all_said(wired.engine, case.rollout.id)) == 1


def test_who_may_not_sign_is_told_and_kept(case, secret, wired):
    own = people.enrol(PLAN["author"], OPENED_BY, APRIL)
    assert "ask somebody else" in sign(case, own, by=PLAN["author"], origin="a").reason
    assert "is not enrolled" in sign(case, secret, by="stranger@example.org", origin="b").reason
    assert "wrong or expired code for sign" in sign(case, secret, code="00000000", origin="c").reason
    people.revoke(CHIEF, OPENED_BY, "left", APRIL)
    assert "is not enrolled" in sign(case, secret, origin="d").reason
    assert [said.accepted for said in store.all_said(wired.engine, case.rollout.id)] == [False] * 4
    assert checks(case)["sign-off security"][0] is None


def test_nothing_is_signed_that_the_plan_does_not_ask_for_or_once_it_is_done(case, secret, wired):
    with pytest.raises(InputError, match="does not ask for that; it asks for security, questionnaire"):
        signing_request(case.rollout.id, "legal")
    with pytest.raises(InputError, match="`headgate questionnaire`"):
        sign(case, secret, role="questionnaire")
    code = code_of(secret, signing_request(case.rollout.id, "security"), SIGN, datetime.now(UTC))
    row = replace(case.last, tick=1, state=replace(case.state, phase=Phase.DONE))
    store.record(wired.engine, case.rollout, row)
    assert "it is done" in sign(case, secret, code=code).reason


@pytest.mark.parametrize(
    ("first", "second", "checked"),
    [
        (Phase.SHADOW, Phase.SHADOW, True),
        (Phase.ROLLING_BACK, Phase.RAMP, True),
        (Phase.ROLLING_BACK, Phase.DONE, False),
    ],
)
def test_signatures_go_on_being_checked_while_any_slice_is_live(wired, first, second, checked):  # noqa: ARG001 - as above
    slices = [{"name": name, "where": f"region == '{name}'", "steps": PLAN["steps"]} for name in ("a", "b")]
    case = standing_at(opened(steps=None, slices=slices, **ASKS), first)
    beside = tuple(replace(tick, state=replace(tick.state, phase=second)) for tick in case.beside)
    found = checks_of(replace(case, beside=beside), ("a", "b"), APRIL)
    assert [check.name for check in found] == (["sign-off security", "questionnaire"] if checked else [])


def test_a_plan_that_asks_for_nothing_has_nothing_to_check(wired):  # noqa: ARG001 - as above
    case = opened()
    assert signed_checks(case_of(case.rollout), APRIL) == ()
