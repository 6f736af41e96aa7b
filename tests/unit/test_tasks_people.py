"""An answer counts if its code proves who gives it to this very question, now; all that is said is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from headgate.adapters import store
from headgate.codes import STEP_SECONDS, code_of
from headgate.errors import InputError
from headgate.rollout.state import Answer, Asked, Phase
from tasks import people
from tests.builders import APRIL, PLAN
from tests.integration.stores import question
from tests.unit.task_cases import OPENED_BY, opened

HOUR = timedelta(hours=1)
NOW = APRIL + 3 * HOUR
CHIEF, DEPUTY, THIRD = "chief@example.org", "deputy@example.org", "third@example.org"
APPROVE, REJECT, HOLD = Answer.APPROVE, Answer.REJECT, Answer.HOLD
TWO = [
    {"percent": 0, "dwell": "2d"},
    {"percent": 5, "dwell": "1d", "approval": {"approvers": 2}},
    {"percent": 100},
]


class Stage:
    """A rollout with a question open that takes two people, and people with secrets."""

    def __init__(self, engine):
        self.engine, self.forms = engine, count(1)
        self.rollout = opened(steps=TWO).rollout
        self.ask()
        self.secrets = {name: people.enrol(name, OPENED_BY, APRIL) for name in (CHIEF, DEPUTY, THIRD)}

    @property
    def id(self):
        return self.rollout.id

    def ask(self, attempt=1, digest="digest-1"):
        """Let the next tick ask on this evidence."""
        number = store.last_tick(self.engine, self.id).tick + 1
        tick = question(self.rollout, number)
        asked = Asked(1, attempt, digest, tick.at, tick.at + 72 * HOUR)
        tick = replace(tick, flow_run_id=f"run-{number}", state=replace(tick.state, asked=asked))
        self.rollout = store.record(self.engine, self.rollout, tick)

    def code(self, by=CHIEF, said=APPROVE, at=None):
        (open_one,) = people.open_questions(self.id)
        return code_of(self.secrets[by], open_one.request, said.value, at or datetime.now(UTC))

    def say(self, by=CHIEF, said=APPROVE, code=None, **changes):
        given = {"step": 1, "attempt": 1, "comment": "looked at it", "now": NOW} | changes
        origin = given.pop("origin", f"form-{next(self.forms)}")
        code = self.code(by, said) if code is None else code
        return people.take_answer(
            self.id, given.pop("slice_", "all"), given.pop("step"), given.pop("attempt"), said, by, code,
            **given, origin=origin,
        )  # fmt: skip

    def kept(self):
        return [(one.approver, one.answer) for one in store.approvals(self.engine, self.id)]


@pytest.fixture
def stage(wired):
    return Stage(wired.engine)


def test_an_open_question_says_what_is_asked_of_whom(stage):
    (asked,) = people.open_questions(stage.id)
    assert (asked.from_percent, asked.to_percent, asked.approvers_needed) == (0, 5, 2)
    assert (asked.approved_by, asked.settled, asked.plan_hash) == ((), False, stage.rollout.plan_hash)
    assert asked.request.startswith(f"{stage.id}/all/approve/1/1/")


def test_a_question_is_settled_by_enough_distinct_people(stage):
    assert stage.say() == people.Heard(
        accepted=True, reason=f"{CHIEF} approves step 1 of {stage.id} (question 1)", settled=False
    )
    again = stage.say(CHIEF.upper(), code=stage.code())
    assert (again.accepted, again.settled, again.reason[:16]) == (True, False, "recorded before,")
    assert stage.say(DEPUTY).settled
    (asked,) = people.open_questions(stage.id)
    assert asked.approved_by == (CHIEF, DEPUTY)
    assert stage.kept() == [(CHIEF, APPROVE), (DEPUTY, APPROVE)]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (lambda _: "", "wrong or expired code for approve of"),
        (lambda _: "１２３４５６７８", "wrong or expired code"),  # noqa: RUF001 - digits of another script
        (lambda stage: stage.code(said=REJECT), "wrong or expired code"),
        (lambda stage: stage.code(by=DEPUTY), "wrong or expired code"),
        (lambda stage: stage.code(at=past(3)), "wrong or expired code"),
    ],
    ids=["none", "other digits", "of another answer", "of somebody else", "expired"],
)
def test_a_code_that_proves_nothing_is_refused_and_on_record_without_it(stage, code, said):
    given = code(stage)
    heard = stage.say(code=given)
    assert (heard.accepted, heard.settled, said in heard.reason) == (False, False, True)
    assert stage.kept() == []
    (row,) = store.all_said(stage.engine, stage.id)
    assert (row.accepted, row.person, not given or given not in row.reason) == (False, CHIEF, True)


def past(steps):
    return datetime.now(UTC) - timedelta(seconds=steps * STEP_SECONDS)


def test_a_code_may_be_some_minutes_old_and_written_in_groups(stage):
    code = stage.code(at=past(1))
    assert stage.say(code=f" {code[:4]} {code[4:]} ").accepted


def test_a_code_of_an_earlier_question_is_worth_nothing_for_the_next(stage):
    code = stage.code()
    stage.ask(attempt=2, digest="digest-2")
    assert "wrong or expired code" in stage.say(code=code, attempt=2).reason


def test_the_author_somebody_unknown_and_somebody_revoked_are_refused(stage):
    author = people.enrol(PLAN["author"], OPENED_BY, APRIL)
    (open_one,) = people.open_questions(stage.id)
    own = code_of(author, open_one.request, "approve", datetime.now(UTC))
    assert "may not approve it; ask somebody else" in stage.say(PLAN["author"].upper(), code=own).reason
    assert "stranger@example.org is not enrolled" in stage.say("stranger@example.org", code=own).reason
    assert "found nobody" in stage.say("  ", code=own).reason
    people.revoke(CHIEF, OPENED_BY, "left", APRIL)
    assert f"{CHIEF} is not enrolled" in stage.say().reason
    assert stage.kept() == []


def test_a_replaced_secret_proves_nothing_any_more(stage):
    old = stage.code()
    stage.secrets[CHIEF] = people.enrol(CHIEF, OPENED_BY, APRIL, replace="lost phone")
    assert "wrong or expired code" in stage.say(code=old).reason
    assert stage.say().accepted


def test_guessing_locks_one_person_out_of_one_question(stage):
    for _ in range(5):
        assert "wrong or expired code" in stage.say(code="00000000").reason
    locked = stage.say()
    assert (locked.accepted, "5 wrong codes" in locked.reason) == (False, True)
    assert stage.say(DEPUTY).accepted
    stage.ask(attempt=2, digest="digest-2")
    assert stage.say(attempt=2).accepted


def test_evidence_that_changed_closes_the_question_and_names_the_open_one(stage):
    stage.ask(attempt=2, digest="digest-2")
    heard = stage.say()
    assert (heard.accepted, heard.settled) == (False, True)
    assert "question 1 about step 1 of flights-gbm-1 is closed: the evidence changed" in heard.reason
    assert "from 0 % to 5 % (question 2" in heard.reason


def test_an_answer_after_the_question_expired_is_refused_by_the_played_clock(stage):
    late = stage.say(now=APRIL + 80 * HOUR)
    assert (late.accepted, "expired at 2013-04-04T01:00:00" in late.reason) == (False, True)


def test_an_answer_stands(stage):
    assert stage.say().accepted
    other = stage.say(said=REJECT)
    assert (other.accepted, "an answer stands" in other.reason) == (False, True)
    assert stage.kept() == [(CHIEF, APPROVE)]


@pytest.mark.parametrize("ending", [REJECT, HOLD])
def test_after_a_no_or_a_not_yet_others_have_nothing_left_to_say(stage, ending):
    first = stage.say(said=ending)
    assert (first.accepted, first.settled) == (True, True)
    assert people.open_questions(stage.id) == ()
    late = stage.say(
        DEPUTY, code=code_of(stage.secrets[DEPUTY], request(stage), "approve", datetime.now(UTC))
    )
    assert (late.accepted, late.settled) == (False, True)
    assert f"{CHIEF} said {ending.value} (looked at it)" in late.reason
    code = code_of(stage.secrets[CHIEF], request(stage), ending.value, datetime.now(UTC))
    assert stage.say(said=ending, code=code).reason.startswith("recorded before")


def request(stage):
    from tasks.questions import find

    return find(stage.id, "all", 1, 1).request


def test_a_form_that_runs_again_gets_what_came_of_it_the_first_time(stage):
    yes = stage.say(origin="run-1")
    no = stage.say(DEPUTY, code="0", origin="run-2")
    stage.ask(attempt=2, digest="digest-2")
    for first, origin in ((yes, "run-1"), (no, "run-2")):
        again = stage.say(code="expired by now", origin=origin)
        assert (again.accepted, again.reason, again.settled) == (first.accepted, first.reason, True)
    assert len(store.all_said(stage.engine, stage.id)) == 2


def test_a_lost_form_ends_a_question_unless_it_has_its_answers(stage):
    stage.say()
    assert people.lose_question(stage.id, "all", 1, 2, "cancelled", NOW) is False
    stage.say(DEPUTY)
    assert people.lose_question(stage.id, "all", 1, 1, "cancelled", NOW) is False
    stage.ask(attempt=2, digest="digest-2")
    assert people.lose_question(stage.id, "all", 1, 2, "cancelled", NOW) is True
    assert people.open_questions(stage.id) == ()
    assert stage.kept()[-1] == ("prefect", Answer.LOST)


@pytest.mark.parametrize(
    "changes", [{"comment": "nul \x00"}, {"comment": "half \ud800"}, {"comment": "x" * 2_001}]
)
def test_a_text_that_cannot_be_kept_is_refused_and_on_record(stage, changes):
    heard = stage.say(**changes)
    assert (heard.accepted, "asked comment as text" in heard.reason) == (False, True)
    assert stage.say(f"chief\x00{CHIEF}", code="0" * 8).accepted is False
    assert len(store.all_said(stage.engine, stage.id)) == 2


def test_a_key_file_that_is_lost_is_nobodys_refusal(stage, wired):
    code = stage.code()
    wired.settings.key_file.unlink()
    with pytest.raises(InputError, match="found none; put it back"):
        stage.say(code=code)
    assert store.all_said(stage.engine, stage.id) == []
    with pytest.raises(InputError, match="found none; put it back"):
        people.enrol("fourth@example.org", OPENED_BY, APRIL)


def test_after_everybody_is_revoked_a_new_key_is_made(stage, wired):
    wired.settings.key_file.unlink()
    for name in (CHIEF, DEPUTY, THIRD):
        people.revoke(name, OPENED_BY, "the key is lost", APRIL)
    stage.secrets[CHIEF] = people.enrol(CHIEF, OPENED_BY, APRIL)
    assert stage.say().accepted


def test_a_rollout_that_is_done_asks_nobody(stage):
    last = store.last_tick(stage.engine, stage.id)
    state = replace(last.state, phase=Phase.DONE)
    store.record(
        stage.engine, stage.rollout, replace(last, tick=last.tick + 1, flow_run_id="end", state=state)
    )
    assert people.open_questions(stage.id) == ()
    assert "no question is open" in stage.say(code="0" * 8).reason


@pytest.mark.parametrize("said", [Answer.LOST, Answer.BREAK_GLASS])
def test_only_three_things_can_be_said_to_a_question(stage, said):
    with pytest.raises(InputError, match="asked approve, hold, reject"):
        stage.say(said=said, code="0" * 8)
