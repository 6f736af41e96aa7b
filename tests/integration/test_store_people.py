"""Answers, buttons, facts and incidents."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from headgate.adapters import store
from headgate.errors import IllegalTransition, InputError, StoreError
from headgate.rollout.state import Answer, Phase, Verb
from tests.builders import APRIL
from tests.integration.stores import opened, question, reply, tick


@pytest.fixture
def asked(store_engine):
    """A rollout with a question open."""
    rollout = opened(store_engine)
    return store.record(store_engine, rollout, question(rollout))


def test_answers_of_distinct_people_are_kept_in_order(store_engine, asked):
    yes, no = reply(asked, "b@example.org"), reply(asked, "a@example.org", answer=Answer.REJECT)
    for said in (yes, no):
        assert store.answer(store_engine, asked.id, said) == said
    assert store.approvals(store_engine, asked.id) == [yes, no]


def test_the_same_answer_again_changes_nothing(store_engine, asked):
    first = store.answer(store_engine, asked.id, reply(asked))
    late = reply(asked, "A@Example.org ", at=first.at + timedelta(minutes=1))
    assert store.answer(store_engine, asked.id, late) == first
    assert store.approvals(store_engine, asked.id) == [first]


def test_an_answer_stands(store_engine, asked):
    store.answer(store_engine, asked.id, reply(asked))
    with pytest.raises(InputError, match=r"answered approve.*press abort"):
        store.answer(store_engine, asked.id, reply(asked, answer=Answer.REJECT))


@pytest.mark.parametrize("name", ["ml-engineer@example.org", " ML-Engineer@Example.ORG"])
def test_the_author_never_answers(store_engine, asked, name):
    with pytest.raises(InputError, match="wrote the plan"):
        store.answer(store_engine, asked.id, reply(asked, name))
    assert store.approvals(store_engine, asked.id) == []


@pytest.mark.parametrize(
    "change", [{"step": 2}, {"attempt": 2}, {"digest": "other"}, {"plan_hash": "another-plan"}]
)
def test_an_answer_to_another_question_is_refused_and_told_what_is_open(store_engine, asked, change):
    with pytest.raises(InputError, match="open is step 1, attempt 1, digest digest-1, plan"):
        store.answer(store_engine, asked.id, reply(asked, **change))


def test_an_answer_is_refused_when_nobody_asked_or_it_comes_too_late(store_engine, asked):
    late = reply(asked, at=asked.opened_at + timedelta(hours=73))
    with pytest.raises(InputError, match=r"expired at 2013-04-04T01:00:00"):
        store.answer(store_engine, asked.id, late)
    after = store.record(store_engine, asked, tick(asked, 2, "run-2"))
    with pytest.raises(InputError, match="no question is open"):
        store.answer(store_engine, asked.id, reply(asked))
    done = question(after, 3)
    state = replace(done.state, phase=Phase.DONE)
    store.record(store_engine, after, replace(done, state=state))
    with pytest.raises(InputError, match="no question is open"):
        store.answer(store_engine, asked.id, reply(asked))


def test_nobody_cannot_answer_and_an_unknown_rollout_has_no_question(store_engine, asked):
    with pytest.raises(InputError, match="name the approver"):
        store.answer(store_engine, asked.id, reply(asked, "  "))
    with pytest.raises(InputError, match="missing-1"):
        store.answer(store_engine, "missing-1", reply(asked))


@pytest.mark.parametrize("comment", ["nul \x00", "half a character \ud800"])
def test_text_that_no_database_keeps_is_refused_as_input(store_engine, asked, comment):
    with pytest.raises(InputError, match="asked text"):
        store.answer(store_engine, asked.id, reply(asked, comment=comment))


def test_any_other_text_is_kept(store_engine, asked):
    said = reply(asked, comment="très bien 🙂'; DROP TABLE approval; --")
    store.answer(store_engine, asked.id, said)
    assert store.approvals(store_engine, asked.id) == [said]


# ---------------------------------------------------------------- buttons


def test_an_order_is_open_until_a_tick_acted_on_it(store_engine):
    rollout = opened(store_engine)
    pause = store.press(store_engine, rollout.id, Verb.PAUSE, "me", "looking", APRIL)
    abort = store.press(store_engine, rollout.id, Verb.ABORT, "me", "wrong model", APRIL)
    assert store.open_orders(store_engine, rollout.id) == (pause, abort)
    rollout = store.record(store_engine, rollout, tick(rollout), acted=(pause.id,))
    assert store.open_orders(store_engine, rollout.id) == (abort,)
    with pytest.raises(StoreError, match="a tick did before"):
        store.record(store_engine, rollout, tick(rollout, 2, "run-2"), acted=(pause.id,))
    store.record(store_engine, rollout, tick(rollout, 2, "run-2"), acted=(abort.id,))
    assert store.open_orders(store_engine, rollout.id) == ()
    assert store.orders(store_engine, rollout.id) == (pause, abort)


def test_an_order_of_another_rollout_is_not_acted_on(store_engine):
    rollout, other = opened(store_engine), opened(store_engine, name="other")
    order = store.press(store_engine, other.id, Verb.ABORT, "me", "wrong model", APRIL)
    assert store.open_orders(store_engine, rollout.id) == ()
    with pytest.raises(StoreError, match="no such order"):
        store.record(store_engine, rollout, tick(rollout), acted=(order.id,))


def test_a_button_needs_a_person_a_reason_and_something_left_to_stop(store_engine):
    rollout = opened(store_engine)
    with pytest.raises(InputError, match="asked a reason for rollback"):
        store.press(store_engine, rollout.id, Verb.ROLLBACK, "me", " ", APRIL)
    with pytest.raises(InputError, match="who presses"):
        store.press(store_engine, rollout.id, Verb.ROLLBACK, "", "slow", APRIL)
    with pytest.raises(InputError, match="missing-1"):
        store.press(store_engine, "missing-1", Verb.ROLLBACK, "me", "slow", APRIL)
    store.record(store_engine, rollout, tick(rollout, phase=Phase.DONE))
    with pytest.raises(IllegalTransition, match="it is done"):
        store.press(store_engine, rollout.id, Verb.ROLLBACK, "me", "slow", APRIL)


# ---------------------------------------------------------------- facts and incidents


def test_the_first_value_of_a_fact_stands(store_engine):
    rollout = opened(store_engine)
    first = store.freeze(store_engine, rollout.id, "tau", {"p95": 0.1 + 0.2, "by": ["JFK"]}, APRIL)
    assert first == {"p95": 0.1 + 0.2, "by": ["JFK"]}
    assert store.freeze(store_engine, rollout.id, "tau", {"p95": 9.0}, APRIL) == first
    store.freeze(store_engine, rollout.id, "none", None, APRIL)
    assert store.facts(store_engine, rollout.id) == {"none": None, "tau": first}
    with pytest.raises(StoreError, match="plain JSON"):
        store.freeze(store_engine, rollout.id, "bad", float("inf"), APRIL)


def test_an_incident_is_noted_once(store_engine):
    rollout = opened(store_engine)
    later = store.Incident(APRIL + timedelta(hours=1), "plane", "unknown generation")
    first = store.Incident(APRIL, "plane", "another share")
    for one in (later, first, replace(first, text="told again")):
        store.add_incident(store_engine, rollout.id, one)
    assert store.incidents(store_engine, rollout.id) == [first, later]
