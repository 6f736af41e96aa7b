"""Operators' stories in a real Chromium, against a real Prefect with its worker and a real Envoy."""

from __future__ import annotations

import pytest

from flows.publish import publish
from headgate.rollout.state import Move, Outcome, Phase
from tests.browser.duty import AUTHOR, CHIEF
from tests.browser.ui import V1, V2
from tests.scenarios.small import HOUR, worse

pytestmark = [pytest.mark.prefect, pytest.mark.envoy, pytest.mark.slow]

TITLE = "APPROVE flights-gbm 0% -> 10%"


@pytest.fixture
def v2(chrome, full_prefect):
    return V2(chrome, full_prefect.ui)


@pytest.fixture
def v1(chrome, full_prefect):
    return V1(chrome, full_prefect.ui)


def test_whoever_is_on_duty_reads_the_scorecard_approves_and_the_share_rises_at_envoy(duty, v2, keep):
    form = duty.form()
    listed = v2.queue(TITLE)
    assert f"rollout:{duty.small.rollout}" in listed
    assert listed.count(TITLE) == 1
    keep("queue", height=820)

    v2.open_run(TITLE)
    shown = v2.open_form()
    assert "✓ quality" in shown.text
    assert "If you approve" in shown.text
    assert "How to undo it" in shown.text
    assert shown.images
    assert min(shown.images) > 0
    keep("form", "[role=dialog]", 3400)

    assert duty.share_is(0)
    # The tick comes by itself: an automation of prefect.yaml starts it once a form is answered.
    duty.full.automations(on=True, named="somebody has answered")
    fields = duty.fields()
    assert v2.answer(**fields) == ""
    duty.full.until_state(form["id"], "Approved")
    duty.full.until(lambda: {} if duty.share_is(1_000) else None)
    duty.full.automations(on=False)
    v2.sees("Approved", v2.run(form["id"]))
    keep("approved")
    assert 0.04 < duty.served_by_the_candidate() < 0.2

    _looks_at_the_pages(duty, v2, keep)

    logged = duty.full.log("worker", 10**6) + str(duty.full.run(form["id"]))
    assert fields["code"] not in logged

    # The answer is used up: the same again moves nothing.
    assert duty.full.resume(form["id"], **fields)["status"] != "ACCEPT"
    assert duty.tick().decision.move is Move.HOLD
    assert duty.approved() == [CHIEF]
    assert duty.share_is(1_000)


def _looks_at_the_pages(duty, v2, keep):
    """What is kept up to date for those who did not answer themselves."""
    assert publish(now=duty.small.now) == [duty.small.rollout]
    assert "10 %" in v2.artifact("headgate-status", "Audit head").text
    keep("status-artifact", height=800)
    shown = v2.artifact(f"rollout-{duty.small.rollout}", "What you can do")
    assert shown.images
    assert min(shown.images) > 0
    v2.sees("flights-gbm", (duty.small.home / f"pages/{duty.small.rollout}.html").as_uri())
    keep("rollout-page", height=1400)


def test_nonsense_is_refused_on_the_older_page_and_the_form_outlives_kill_nine_of_worker_and_server(
    duty, v1, keep
):
    form = duty.form()
    asked = v1.form(form["id"])
    assert min(asked.images) > 0
    refused = v1.answer()
    assert "'decision' is a required property" in refused
    assert "'code' is a required property" in refused
    assert "does not match" in v1.answer(**duty.fields(code="open sesame"))

    assert v1.answer(**duty.fields(minutes_ago=20)) == ""
    again = duty.form_again(form)
    assert "wrong or expired code" in v1.form(form["id"]).text
    keep("form-refused", "[role=dialog]", 1200)

    assert duty.full.resume(form["id"], **duty.fields(by=AUTHOR))["status"] == "ACCEPT"
    assert "may not approve it" in duty.full.told(duty.form_again(again))
    assert duty.approved() == []

    duty.full.kill("worker", "server")
    duty.full.start_server()
    duty.full.start_worker()
    v1.form(form["id"])
    assert v1.answer(**duty.fields()) == ""
    duty.full.until_state(form["id"], "Approved")
    assert duty.tick().decision.move is Move.ADVANCE
    assert duty.share_is(1_000)


def test_a_bare_resume_says_nothing_and_a_no_ends_the_rollout_before_any_traffic(duty, v2):
    form = duty.form()
    v2.form(form["id"])
    assert "'decision' is a required property" in v2.answer()
    assert "'code'" in v2.answer(**duty.fields("reject", code="123"))
    assert v2.answer(**duty.fields("reject")) == ""
    duty.full.until_state(form["id"], "Rejected")
    last = duty.tick()
    assert (last.state.phase, last.state.outcome) == (Phase.DONE, Outcome.REJECTED)
    assert duty.share_is(0)


def test_a_form_whose_evidence_has_changed_is_outdated_and_moves_nothing(duty, v2):
    form = duty.form()
    duty.small.candidate.answer = worse
    duty.small.now += 30 * HOUR
    duty.small.shadow()
    duty.tick()
    duty.full.until_state(form["id"], "Outdated")
    assert not v2.can_answer(form["id"])
    v2.sees("outdated")
    assert duty.share_is(0)


def test_a_form_that_ran_out_or_was_cancelled_is_asked_anew_and_promotes_nobody(duty, v2):
    first = duty.form()
    duty.full.expire(first["id"])
    duty.full.until_state(first["id"], "Failed", "TimedOut")
    assert duty.tick().state.asked.attempt == 2

    second = duty.form()
    assert second["name"] == f"{TITLE} (2nd ask)"
    v2.cancel(second["id"])
    duty.full.until_state(second["id"], "Cancelled")
    last = duty.tick()
    assert (last.decision.move, last.state.asked.attempt) == (Move.ASK, 3)
    assert duty.share_is(0)
    assert duty.approved() == []
