"""Who may approve is appended, what people tried to say is kept, and both are held together by one write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from headgate.adapters import store
from headgate.adapters.store.engine import writing
from headgate.errors import InputError, StoreError
from headgate.rollout.state import Answer, Phase
from tests.builders import APRIL
from tests.integration.stores import opened, question, reply, tick

CHIEF, BOSS = "chief@example.org", "boss@example.org"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def asked(store_engine):
    """A rollout with a question open."""
    rollout = opened(store_engine)
    return store.record(store_engine, rollout, question(rollout))


def attempt(rollout, origin="form-1", person=CHIEF, at=NOW, answer="approve"):
    return store.Said(origin, rollout.id, "all", "request-1", person, answer, at)


def test_of_one_person_the_newest_row_counts(store_engine):
    assert store.sealed_secret(store_engine, CHIEF) is None
    store.enrol(store_engine, CHIEF, BOSS, APRIL, "sealed-1")
    with pytest.raises(InputError, match=r"boss@example.org enrolled them at 2013-04-01.*--replace REASON"):
        store.enrol(store_engine, CHIEF.upper(), BOSS, APRIL, "sealed-2")
    store.enrol(store_engine, CHIEF, BOSS, APRIL + HOUR, "sealed-2", replace="lost phone")
    assert store.sealed_secret(store_engine, f" {CHIEF.title()}") == "sealed-2"
    store.revoke(store_engine, CHIEF, BOSS, "left", APRIL + 2 * HOUR)
    assert store.sealed_secret(store_engine, CHIEF) is None
    assert store.approvers(store_engine) == (
        store.Approver(CHIEF, active=False, by=BOSS, reason="left", at=APRIL + 2 * HOUR),
    )
    store.enrol(store_engine, CHIEF, BOSS, APRIL + 3 * HOUR, "sealed-3")
    assert store.sealed_secret(store_engine, CHIEF) == "sealed-3"


def test_enrolments_are_history(store_engine):
    store.enrol(store_engine, CHIEF, BOSS, APRIL, "sealed-1")
    with pytest.raises(StoreError, match="is history"), writing(store_engine) as session:
        session.connection().execute(text("UPDATE approver SET secret = 'mine'"))


@pytest.mark.parametrize("name", ["", "ab", " Prefect "])
def test_nobody_and_the_record_itself_cannot_be_enrolled(store_engine, name):
    with pytest.raises(InputError, match="asked the name of an approver"):
        store.enrol(store_engine, name, BOSS, APRIL, "sealed")


def test_only_somebody_enrolled_is_revoked_and_not_without_a_reason(store_engine):
    store.enrol(store_engine, CHIEF, BOSS, APRIL, "sealed")
    with pytest.raises(InputError, match=f"found no such enrolment; enrolled are {CHIEF}"):
        store.revoke(store_engine, "deputy@example.org", BOSS, "left", APRIL)
    with pytest.raises(InputError, match="asked a reason"):
        store.revoke(store_engine, CHIEF, BOSS, " ", APRIL)


# ---------------------------------------------------------------- what people tried to say


def test_an_answer_and_its_row_are_one_write_and_an_origin_is_heard_once(store_engine, asked):
    first = store.take(store_engine, attempt(asked), None, reply(asked, CHIEF))
    assert (first.accepted, first.reason) == (True, f"{CHIEF} approves step 1 of {asked.id} (question 1)")
    again = store.take(store_engine, attempt(asked), "the code has expired since", reply(asked, CHIEF))
    assert again == first == store.said_of(store_engine, "form-1")
    assert len(store.approvals(store_engine, asked.id)) == len(store.all_said(store_engine, asked.id)) == 1


def test_what_is_refused_is_on_record_and_has_no_effect(store_engine, asked):
    wrong = store.take(store_engine, attempt(asked), "no such person", reply(asked, CHIEF))
    other = store.take(store_engine, attempt(asked, "form-2"), None, reply(asked, CHIEF, digest="other"))
    assert (wrong.accepted, wrong.reason) == (False, "no such person")
    assert (other.accepted, "look at the evidence again" in other.reason) == (False, True)
    assert store.all_said(store_engine, asked.id) == [wrong, other]
    assert store.approvals(store_engine, asked.id) == []


def test_five_wrong_codes_within_a_quarter_of_an_hour_lock_one_person_out_of_one_request(store_engine, asked):
    wrong = f"{store.WRONG_CODE}: again"

    def tried(number, minutes, refusal=None, **other):
        said = replace(attempt(asked, f"form-{number}", at=NOW + minutes * MINUTE), **other)
        return store.take(store_engine, said, refusal, reply(asked, said.person))

    for number in range(5):
        assert tried(number, number, wrong).reason == wrong
    locked = tried(5, 5)
    assert (locked.accepted, "before 2026-01-05T09:15:00" in locked.reason) == (False, True)
    assert tried(6, 5, person=BOSS).accepted
    assert tried(7, 6, wrong, request="request-2").reason == wrong
    assert tried(8, 15).accepted


def test_a_lost_form_ends_its_own_question_only(store_engine, asked):
    lost = reply(asked, "prefect", answer=Answer.LOST)
    assert store.lose(store_engine, asked.id, replace(lost, attempt=2)) is False
    assert store.lose(store_engine, asked.id, lost) is True
    assert store.lose(store_engine, asked.id, lost) is True
    assert [one.answer for one in store.approvals(store_engine, asked.id)] == [Answer.LOST]


# ---------------------------------------------------------------- the glass


def word(rollout, person, at, reason="it burns"):
    return reply(rollout, person, answer=Answer.BREAK_GLASS, attempt=0, digest="", comment=reason, at=at)


def test_it_takes_two_people_within_four_hours_to_break_the_glass(store_engine):
    rollout = opened(store_engine)
    rollout = store.record(store_engine, rollout, tick(rollout, phase=Phase.SHADOW))

    def asks(number, person, hours):
        said = attempt(rollout, f"cli-{number}", person, answer="break_glass")
        return store.break_glass(store_engine, said, None, word(rollout, person, APRIL + hours * HOUR))

    assert "a second person is needed until 2013-04-01T07:00:00" in asks(1, CHIEF, 3).reason
    twice = asks(2, CHIEF.upper(), 4)
    assert (twice.accepted, "it takes a second person" in twice.reason) == (False, True)
    assert "a second person is needed" in asks(3, BOSS, 7).reason  # the chief's word ran out
    done = asks(4, CHIEF, 8)
    assert done.accepted
    assert "send flights-gbm-1 to step 1 without proof" in done.reason
    assert "already" in asks(5, "third@example.org", 9).reason
    (incident,) = store.incidents(store_engine, rollout.id)
    assert (incident.kind, incident.at) == ("break glass", APRIL + 8 * HOUR)
    assert [one.approver for one in store.approvals(store_engine, rollout.id)] == [CHIEF, BOSS, CHIEF]


def test_the_glass_of_another_stay_is_not_broken_and_never_by_the_author(store_engine):
    rollout = opened(store_engine)
    store.record(store_engine, rollout, tick(rollout, phase=Phase.RAMP, step=1, entry=1))
    said = attempt(rollout, answer="break_glass")
    gone = store.break_glass(store_engine, said, None, word(rollout, CHIEF, APRIL))
    assert (gone.accepted, "it has moved on" in gone.reason) == (False, True)
    own = store.break_glass(
        store_engine, replace(said, origin="form-2"), None, word(rollout, "ml-engineer@example.org", APRIL)
    )
    assert (own.accepted, "wrote the plan" in own.reason) == (False, True)
