"""M19: what a tick knows of the steps before the models, with a real store and shelf."""

from dataclasses import replace
from datetime import timedelta

import pytest

from headgate import parity
from headgate.adapters import store
from headgate.adapters.store import monitoring
from headgate.parity import Told
from headgate.performance import Kind, Word
from headgate.ports import PARITY, Metadata, Side
from headgate.rollout.state import Pause, Phase, Verb, Waiting
from tasks import parity as tasks_parity
from tasks.parity import steps_of
from tasks.steps import find_recorded, look_at_steps
from tests.builders import APRIL
from tests.rollouts import order
from tests.unit.task_cases import opened, standing_at
from tests.unit.test_parity import GOLDEN

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
VERSIONS = ("logistic-1", "gbm-2")
ONE, TWO = "1" * 64, "2" * 64
#: What a server says that does with the golden examples what was recorded.
RIGHT = Told("gbm-2", GOLDEN.answers, GOLDEN.recipe, GOLDEN.stages, ONE)
LOST = Told("gbm-2", GOLDEN.answers, parity.recipe_of(GOLDEN.recipe.steps[1:]), GOLDEN.stages[1:], TWO)


def said(candidate=ONE, incumbent=ONE, version="gbm-2"):
    """What both servers' metadata is."""
    pairs = (("logistic-1", incumbent), (version, candidate))
    return tuple(Metadata("delays", v, (), (), {"steps_sha256": told} if told else {}) for v, told in pairs)


def at(case, phase, **fields):
    return standing_at(case, phase, versions=None if phase is Phase.PREFLIGHT else VERSIONS, **fields)


@pytest.fixture
def server(wired, monkeypatch):
    """What the server answers to golden examples; the shelf has the record of gbm-2."""
    wired.shelf.put("delays", "gbm-2", {PARITY: parity.to_bytes(GOLDEN)}, {"fingerprint": "a"})
    answers = {"told": RIGHT, "asked": 0}

    async def ask(_plan, _ref, _inputs, _n):
        answers["asked"] += 1
        return answers["told"]

    monkeypatch.setattr("headgate.adapters.goldens.ask", ask)
    return answers


@pytest.mark.usefixtures("wired")
def test_a_fingerprint_is_frozen_at_preflight_and_another_under_the_same_version_is_told():
    case = opened()
    early = at(case, Phase.PREFLIGHT)
    steps_of(early, said(TWO), (), APRIL)
    steps_of(early, said(ONE), (), APRIL)  # deployed once more before it left preflight: the newest counts
    live = at(case, Phase.RAMP)
    assert steps_of(live, said(ONE), (), APRIL).changed == (None, None)
    for other in (said(TWO), said("")):
        incumbent, candidate = steps_of(live, other, (), APRIL).changed
        assert incumbent is None
        assert candidate.endswith("; with steps 111111111111 it was judged")
    # Silent, or another version: there are rules for both.
    assert steps_of(live, (None, None), (), APRIL).changed == (None, None)
    assert steps_of(live, said(TWO, version="gbm-3"), (), APRIL).changed == (None, None)


@pytest.mark.usefixtures("wired")
def test_a_rollout_that_was_live_before_its_servers_told_anything_goes_on_and_freezes_what_comes_first():
    live = at(opened(), Phase.RAMP)
    assert steps_of(live, said("", ""), (), APRIL).changed == (None, None)
    assert steps_of(live, said(), (), APRIL).changed == (None, None)
    assert steps_of(live, said(TWO), (), APRIL).changed[1] is not None


@pytest.mark.usefixtures("wired")
def test_a_changed_incumbent_is_told_until_somebody_resumes_having_been_told():
    case = opened()
    steps_of(at(case, Phase.PREFLIGHT), said(), (), APRIL)
    changed = said(incumbent=TWO)
    resume = (order(Verb.RESUME),)
    told = steps_of(at(case, Phase.RAMP), changed, resume, APRIL).changed[0]
    assert told is not None  # paused for something else, or not at all: nobody has seen it
    pause = Pause(Waiting.OPERATOR, f"the incumbent's preprocessing changed: {told}", APRIL)
    paused = at(case, Phase.RAMP, paused=pause)
    assert steps_of(paused, changed, (), APRIL).changed[0] == told
    assert steps_of(paused, changed, resume, APRIL).changed[0] is None
    assert steps_of(at(case, Phase.RAMP), changed, (), APRIL).changed[0] is None


def test_at_preflight_a_lost_step_is_named_with_its_rows_and_written_down(wired, server):
    case = at(opened(parity={}), Phase.PREFLIGHT)
    (good,) = steps_of(case, said(), (), APRIL).checks
    assert (good.name, good.passed) == ("parity of the candidate", True)
    server["told"] = LOST
    (bad,) = steps_of(case, said(TWO), (), APRIL + MINUTE).checks
    assert bad.passed is False
    assert bad.reason.startswith("step minutes is dropped; it made hours (changes 39 of 40 golden rows)")
    rows = monitoring.history(wired.engine, case.rollout.service, Kind.PARITY)
    assert [row.verdict for row in rows] == [Word.SAME, Word.CHANGED]
    assert rows[1].body["differences"][0]["step"] == "minutes"


def test_a_live_candidate_is_asked_when_due_and_at_once_when_it_tells_other_steps(wired, server):
    case = opened(parity={"every": "1h"})
    steps_of(at(case, Phase.PREFLIGHT), said(), (), APRIL)
    live = at(case, Phase.RAMP)
    for minutes in (5, 30, 59):
        assert steps_of(live, said(), (), APRIL + minutes * MINUTE).changed == (None, None)
    assert server["asked"] == 1
    server["told"] = LOST  # the provider changed the model and tells the same steps
    assert steps_of(live, said(), (), APRIL + 59 * MINUTE).changed == (None, None)
    changed = steps_of(live, said(), (), APRIL + 61 * MINUTE).changed[1]
    assert changed.startswith("step minutes is dropped")
    assert server["asked"] == 2
    server["told"] = replace(RIGHT, fingerprint=TWO)
    assert steps_of(live, said(TWO), (), APRIL + 62 * MINUTE).changed[1].startswith("gbm-2 tells steps 2222")
    assert server["asked"] == 2  # what was found out at 61 is of these steps
    del wired


@pytest.mark.parametrize(
    ("record", "words"),
    [({"record": "nowhere/{version}.parity"}, "asked nowhere/gbm-2.parity"), ({}, "shelf has none")],
)
@pytest.mark.usefixtures("wired")
def test_without_a_record_preflight_fails_and_a_live_rollout_holds(record, words):
    case = opened(parity=record)
    (check,) = steps_of(at(case, Phase.PREFLIGHT), said(), (), APRIL).checks
    assert (check.passed, words in check.reason) == (False, True)
    found = steps_of(at(case, Phase.RAMP), said(), (), APRIL)
    assert found.changed == (None, None)
    assert [(one.passed, words in one.reason) for one in found.checks] == [(None, True)]


def test_an_incumbent_that_got_a_new_version_is_held_against_the_record_of_that_one(wired, server):
    case = standing_at(opened(parity={"of": ["incumbent"]}), Phase.RAMP, versions=("logistic-2", "gbm-2"))
    served = (Metadata("delays", "logistic-2", (), (), {"steps_sha256": ONE}), said()[1])
    (check,) = steps_of(case, served, (), APRIL).checks
    assert (check.passed, server["asked"]) == (None, 0)
    assert "asked golden examples of delays logistic-2; the shelf has none" in check.reason
    newer = parity.to_bytes(replace(GOLDEN, version="logistic-2"))
    wired.shelf.put("delays", "logistic-2", {PARITY: newer}, {"fingerprint": "b"})
    server["told"] = replace(LOST, version="logistic-2")
    assert steps_of(case, served, (), APRIL).changed[0].startswith("step minutes is dropped")
    server["told"] = replace(RIGHT, version="logistic-2")
    later = steps_of(case, served, (), APRIL + 2 * HOUR)
    assert (later.changed, later.checks) == ((None, None), ())


def test_a_record_of_another_version_is_refused(wired, server, tmp_path):
    (tmp_path / "gbm-2.parity").write_bytes(parity.to_bytes(replace(GOLDEN, version="gbm-1")))
    asked = {"record": str(tmp_path / "{version}.parity")}
    (check,) = steps_of(at(opened(parity=asked), Phase.PREFLIGHT), said(), (), APRIL).checks
    assert "they are of delays gbm-1" in check.reason
    assert server["asked"] == 0
    del wired


def test_people_are_told_once_when_the_model_that_serves_changes_under_its_version(
    wired, server, monkeypatch
):
    monkeypatch.setattr("tasks.steps.ring_for_alerts", lambda: None)
    case = opened(parity={"of": ["incumbent", "candidate"]})
    (serves,) = find_recorded.fn(case.rollout.service)
    assert (serves.side, serves.judged) == (Side.INCUMBENT, False)
    serves = replace(serves, side=Side.CANDIDATE)  # as after a promotion
    server["told"] = LOST
    for hours in range(3):
        found = look_at_steps.fn(serves, APRIL + hours * HOUR)
        assert found.passed is False
    (alert,) = store.alerts(wired.engine)
    assert alert.subject == "CHANGED: gbm-2 on flight-delays is not what was recorded"
    assert "Why: step minutes is dropped" in alert.text
    assert tasks_parity.last_look(case.rollout.service, "gbm-2").at == APRIL + 2 * HOUR


def test_an_opened_rollout_that_asks_for_no_parity_has_nothing_to_look_at(wired):
    case = opened()
    assert find_recorded.fn(case.rollout.service) == ()
    assert steps_of(at(case, Phase.PREFLIGHT), said(), (), APRIL).checks == ()
    del wired
