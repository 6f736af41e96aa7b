"""Signatures before any traffic, and two people who go up one step without proof: with the real flows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flows.signoff import questionnaire, signoff
from headgate.adapters import store
from headgate.codes import code_of
from headgate.errors import InputError
from headgate.readiness import ROLE, DataKind
from headgate.rollout.state import Move, Phase, Waiting
from tasks import glass, people
from tasks.signing import SIGN, signing_request
from tests.scenarios.world import OPERATOR

pytestmark = [pytest.mark.prefect]

CHIEF, DEPUTY = "chief@example.org", "deputy@example.org"


def test_a_rollout_waits_for_its_signatures_and_for_those_that_run_out_on_the_way(small):
    """M15."""
    rollout = small.open(signoffs=[{"role": "security", "valid": "6h"}], questionnaire={})
    waits = small.tick()
    assert (waits.state.phase, waits.decision.waiting_for) == (Phase.PREFLIGHT, (Waiting.OPERATOR,))
    assert f"`headgate signoff {rollout} --role security" in waits.decision.reason
    assert f"`headgate questionnaire {rollout} --as YOU`" in waits.decision.reason

    secret = people.enrol(CHIEF, OPERATOR, small.now)

    def code(role):
        return code_of(secret, signing_request(rollout, role), SIGN, datetime.now(UTC))

    with pytest.raises(InputError, match="wrong or expired code"):
        signoff(rollout, "security", CHIEF, "00000000", "read it", now=small.now)
    assert "as security" in signoff(rollout, "security", CHIEF, code("security"), "read it", now=small.now)
    answers = {"data": DataKind.LIVE, "failure_modes": "a lost column", "owner": "us"}
    asked = questionnaire(
        rollout, bad_outputs="no", approver=CHIEF, code=code(ROLE), now=small.now, **answers
    )
    assert "it goes on waiting" in asked
    assert small.tick().state.phase is Phase.PREFLIGHT
    questionnaire(
        rollout, bad_outputs="the runbook", approver=CHIEF, code=code(ROLE), now=small.now, **answers
    )
    assert small.tick().state.phase is Phase.SHADOW

    over = small.after(8)
    assert over.decision.waiting_for[0] is Waiting.OPERATOR
    assert "sign-off security waits" in over.decision.reason
    signoff(rollout, "security", CHIEF, code("security"), "read it again", now=small.now)
    assert Waiting.OPERATOR not in small.tick().decision.waiting_for
    assert [said.accepted for said in store.all_said(small.engine, rollout)] == [
        False,
        True,
        True,
        True,
        True,
    ]


def test_two_people_break_the_glass_and_it_is_loud_in_the_record(story):
    """M13."""
    small = story("shadow")
    for by, waits in ((CHIEF, True), (DEPUTY, False)):
        secret = people.enrol(by, OPERATOR, small.now, replace="for this story")
        slice_, request = glass.glass_request(small.rollout, None)
        code = code_of(secret, request, "break_glass", datetime.now(UTC))
        heard = glass.break_glass(small.rollout, slice_, by, code, "it burns", small.now, origin=by)
        assert (heard.accepted, heard.settled) == (True, not waits)
        last = small.tick()
        assert (last.decision.move is Move.HOLD) is waits
    assert (last.decision.move, last.state.step, last.state.share_bp) == (Move.ADVANCE, 1, 1_000)
    assert last.decision.reasons[0].startswith(
        "BREAK GLASS: from 0 % to 10 % without proof: chief@example.org"
    )
    (incident,) = store.incidents(small.engine, small.rollout)
    assert incident.kind == "break glass"
    assert small.tick().decision.move is Move.HOLD  # one step, and no further
