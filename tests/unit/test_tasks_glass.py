"""The glass is broken by two people with codes, and only where going up one step makes sense at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from headgate.adapters import store
from headgate.codes import code_of
from headgate.errors import IllegalTransition, InputError
from headgate.rollout.state import Outcome, Pause, Phase, Waiting
from headgate.verdicts import Role, Verdict
from tasks import people
from tasks.glass import break_glass, glass_request
from tests.builders import APRIL, PLAN
from tests.integration.stores import tick
from tests.rollouts import row
from tests.unit.task_cases import OPENED_BY, opened

HOUR = timedelta(hours=1)
CHIEF, DEPUTY = "chief@example.org", "deputy@example.org"
SHADOW = {"phase": Phase.SHADOW, "confirmed_at": APRIL}


def standing(wired, verdicts=(), **state):
    """A rollout whose last tick left it in this state."""
    rollout = opened().rollout
    last = tick(rollout, **(SHADOW | state))
    store.record(wired.engine, rollout, replace(last, verdicts=verdicts))
    return rollout.id


def say(rollout, by, hours, secret, reason="the incumbent is down", said="break_glass"):
    slice_, request = glass_request(rollout, None)
    code = code_of(secret, request, said, datetime.now(UTC))
    return break_glass(
        rollout, slice_, by, code, reason, APRIL + hours * HOUR, origin=f"cli:{by}:{hours}:{said}"
    )


def test_the_second_person_completes_it(wired):
    rollout = standing(wired, entry=1, step=1, phase=Phase.RAMP, share_bp=500)
    first, second = (people.enrol(name, OPENED_BY, APRIL) for name in (CHIEF, DEPUTY))
    assert "wrong or expired code for break_glass" in say(rollout, CHIEF, 1, second).reason
    assert "wrong or expired code" in say(rollout, CHIEF, 1, first, said="approve").reason
    asked = say(rollout, CHIEF, 2, first)
    assert (asked.accepted, asked.settled) == (True, False)
    assert (
        say(rollout, DEPUTY, 3, second, reason=" ").reason
    ) == "asked a reason to break the glass; found nothing; give one"
    done = say(rollout, DEPUTY, 4, second)
    assert (done.accepted, done.settled) == (True, True)
    (one, two) = store.approvals(wired.engine, rollout)
    assert {(a.answer.value, a.step, a.attempt, a.digest) for a in (one, two)} == {("break_glass", 2, -1, "")}
    assert [said.accepted for said in store.all_said(wired.engine, rollout)] == [
        False,
        False,
        True,
        False,
        True,
    ]


def test_the_author_breaks_no_glass(wired):
    rollout = standing(wired)
    secret = people.enrol(PLAN["author"], OPENED_BY, APRIL)
    assert "ask somebody else" in say(rollout, PLAN["author"], 1, secret).reason


def failed(role=Role.GUARDRAIL):
    return (row("quality", Verdict.FAIL, role),)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"phase": Phase.PREFLIGHT}, "is in preflight"),
        ({"phase": Phase.WATCH, "step": 3}, "is in watch"),
        ({"phase": Phase.ROLLING_BACK, "outcome": Outcome.ABORTED}, "is in rolling_back"),
        ({"phase": Phase.DONE, "outcome": Outcome.PROMOTED}, "is done (promoted)"),
        ({"phase": Phase.RAMP, "step": 3}, "is on its last step"),
        ({"confirmed_at": None}, "waits for the plane to confirm 0 %"),
        ({"paused": Pause(Waiting.OPERATOR, "a look", APRIL)}, "is paused (a look)"),
        ({"verdicts": failed()}, "fails the guardrail quality"),
    ],
)
def test_where_the_glass_holds_it_says_where_it_would_not(wired, state, why):
    rollout = standing(wired, **state)
    with pytest.raises(IllegalTransition) as caught:
        glass_request(rollout, None)
    assert f"promote: {rollout} {why}; the glass may be broken in shadow and on every step" in str(
        caught.value
    )


def test_a_failing_signal_does_not_hold_the_glass(wired):
    assert glass_request(standing(wired, failed(Role.SIGNAL)), None)[0] == "all"


def test_of_several_live_slices_one_is_named(wired):
    slices = [
        {"name": name, "where": f"region == '{name}'", "steps": PLAN["steps"]} for name in ("north", "south")
    ]
    rollout = opened(steps=None, slices=slices).rollout
    rows = [tick(rollout, slice=name, **SHADOW) for name in ("north", "south")]
    store.record(wired.engine, rollout, *rows)
    with pytest.raises(InputError, match="slices north, south are live; name one"):
        glass_request(rollout.id, None)
    assert glass_request(rollout.id, "south")[0] == "south"
