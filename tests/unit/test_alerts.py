"""What people are told of a tick: each thing once, in words that say what happened, why and what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from headgate.alerts import Mask, alerts_of, masked_route
from headgate.alerts.attempts import BEGUN, IN_FLIGHT, MOST, Attempt, Standing, late, standing
from headgate.alerts.messages import message_of
from headgate.alerts.routing import routes_of
from headgate.alerts.unasked import silence_of
from headgate.plan.duties import NoticeKind
from headgate.rollout.state import Answer, Outcome, Phase, PlaneView, Tick, Verb, Waiting
from headgate.verdicts import Verdict
from tests.builders import APRIL, plan
from tests.rollouts import DAY, HASH, PLAN, answer, asked, card, order, paused, row, state, tick, world

CHIEF = "chief@example.org"


def told(before, seen, of=PLAN, **more):
    """Decide, carry out, and return what is to be told of it."""
    decision, after = tick(before, seen, of)
    return alerts_of(of, before, seen, decision, after, **more)


def kinds(alerts):
    return [alert.kind for alert in alerts]


# ---------------------------------------------------------------- moves


def of_moves():
    """Yield a tick of every move, and the kind of alert it gives."""
    ramp, watch = state(), state(Phase.WATCH)
    failed = card(row("quality", Verdict.FAIL), row("errors"), failed="quality")
    back, freeze = plan(on_fail="step_back"), plan(on_fail="freeze")
    yield PLAN, state(Phase.SHADOW), world(state(Phase.SHADOW)), NoticeKind.ASK
    yield PLAN, ramp, world(ramp), NoticeKind.ADVANCE
    yield PLAN, ramp, world(ramp, orders=(order(Verb.PAUSE),)), NoticeKind.PAUSE
    yield back, ramp, world(ramp, scorecard=failed), NoticeKind.STEP_BACK
    yield freeze, ramp, world(ramp, scorecard=failed), NoticeKind.FREEZE
    yield PLAN, ramp, world(ramp, scorecard=failed), NoticeKind.ROLL_BACK
    yield PLAN, ramp, world(ramp, orders=(order(Verb.ABORT),)), NoticeKind.ABORT
    yield (
        PLAN,
        ramp,
        world(ramp, now=APRIL + 61 * DAY, scorecard=card(row("quality", Verdict.NO_DATA))),
        (NoticeKind.EXPIRE),
    )
    yield PLAN, watch, world(watch), NoticeKind.FINISH


@pytest.mark.parametrize(("of", "before", "seen", "kind"), tuple(of_moves()))
def test_a_move_is_told_once_with_why_and_what_to_do(of, before, seen, kind):
    (alert,) = told(before, seen, of)
    assert alert.kind is kind
    assert alert.subject.startswith("flights-gbm-1 ")
    assert alert.text.startswith("Why: ")
    assert "\nTo do: " in alert.text
    assert "`headgate " in alert.text
    assert alert.to == ("owner@example.org",)
    # The same thing seen by a tick an hour later is the same alert.
    (again,) = told(before, replace(seen, now=seen.now + timedelta(hours=1)), of)
    if kind is NoticeKind.PAUSE or kind is NoticeKind.FREEZE:
        assert again.key != alert.key  # it began later: another pause
    else:
        assert again.key == alert.key


def test_a_hold_as_planned_is_not_told():
    before = state(confirmed_at=APRIL + 10 * DAY)
    assert told(before, world(before)) == ()


def test_a_share_that_rose_is_told_with_both_shares_and_how_to_take_it_back():
    (alert,) = told(state(), world(state()))
    assert alert.subject == "flights-gbm-1 RAISED its share from 5 % to 50 %"
    assert "`headgate rollback flight-delays --as YOU --reason WHY`" in alert.text
    assert dict(alert.facts)["before"] == "5 %"


def test_the_end_of_one_slice_says_that_the_others_go_on():
    before = state(Phase.WATCH, slice="jfk")
    seen = world(before)
    decision, after = tick(before, seen)
    (alert,) = alerts_of(PLAN, before, seen, decision, after, beside=(state(slice="lga"),))
    assert alert.subject.startswith("flights-gbm-1 [jfk] is DONE: promoted")
    assert "goes on with lga" in alert.text


def test_a_plane_overtaken_on_the_way_back_is_not_told_again():
    before = state(Phase.ROLLING_BACK, outcome=Outcome.ROLLED_BACK)
    seen = world(before, plane=PlaneView.BEHIND, observed_share_bp=500, observed_generation=9)
    assert NoticeKind.ROLL_BACK not in kinds(told(before, replace(seen, now=APRIL + timedelta(minutes=1))))


# ---------------------------------------------------------------- incidents and broken glass


def test_a_plane_off_the_record_is_an_incident_beside_the_pause():
    before = state()
    seen = world(before, plane=PlaneView.DISAGREES, observed_share_bp=5_000)
    decision, after = tick(before, seen)
    first = alerts_of(PLAN, before, seen, decision, after)
    assert kinds(first) == [NoticeKind.PAUSE, NoticeKind.INCIDENT]
    assert "the plane serves 50 %, the record says 5 %" in first[1].subject
    # Found again while it is paused for it: the same incident.
    later = replace(seen, now=seen.now + timedelta(hours=1))
    again = [alert.key for alert in told(after, later) if alert.kind is NoticeKind.INCIDENT]
    assert again == [first[1].key]


def test_a_lost_form_is_an_incident_and_the_question_is_asked_anew():
    before = state(Phase.SHADOW)
    before = asked(before, world(before))
    lost = answer(before.asked, Answer.LOST, "prefect", comment="the form was cancelled")
    alerts = told(before, world(before, approvals=(lost,)))
    assert kinds(alerts) == [NoticeKind.ASK, NoticeKind.INCIDENT]
    assert "Why: the form was cancelled" in alerts[1].text


def test_a_gate_that_cannot_be_judged_is_told_once_per_stay():
    before = state()
    broken = card(row("quality", Verdict.ERROR), row("errors"))
    first, second = (told(before, world(before, now=APRIL + n * DAY, scorecard=broken)) for n in (1.5, 1.6))
    assert kinds(first) == [NoticeKind.INCIDENT]
    assert [alert.key for alert in first] == [alert.key for alert in second]


def test_everybody_who_breaks_the_glass_is_told_of_and_so_is_the_step_it_opens():
    before = state()
    seen = world(before, scorecard=card(row("quality", Verdict.INCONCLUSIVE), row("errors")))
    words = [
        replace(
            answer(asked(before, seen).asked, Answer.BREAK_GLASS, by),
            attempt=-before.entry, digest="", at=seen.now - timedelta(minutes=5), plan_hash=HASH,
        )
        for by in (CHIEF, "deputy@example.org")
    ]  # fmt: skip
    (alone,) = [
        a for a in told(before, replace(seen, approvals=(words[0],))) if a.kind is NoticeKind.BREAK_GLASS
    ]
    assert "wants 50 % without proof" in alone.subject
    both = told(before, replace(seen, approvals=tuple(words)))
    assert kinds(both) == [NoticeKind.ADVANCE, *3 * [NoticeKind.BREAK_GLASS]]
    assert "raised from 5 % to 50 % without proof" in both[-1].subject
    assert len({alert.key for alert in both}) == 4


# ---------------------------------------------------------------- waits and escalation

ESCALATING = plan(escalation=[{"after": "2h", "to": CHIEF}, {"after": "1d", "to": "https://example.org/x/y"}])


def test_a_pause_is_told_again_after_a_day_and_once():
    since = APRIL + 5 * DAY
    before = state(paused=paused(since=since), waiting_for=(Waiting.OPERATOR,))
    assert told(before, world(before, now=since + timedelta(hours=23))) == ()
    first, second = (told(before, world(before, now=since + n * DAY)) for n in (1, 3))
    assert kinds(first) == [NoticeKind.HOLD]
    assert "for longer than planned, waiting for an operator" in first[0].subject
    assert [alert.key for alert in first] == [alert.key for alert in second]


def test_evidence_that_does_not_come_is_told_when_the_dwell_has_passed_twice():
    before = state()
    short = card(row("quality", Verdict.INCONCLUSIVE), row("errors"))
    seen = [world(before, now=APRIL + n * DAY, scorecard=short) for n in (1.9, 2.1)]
    assert [kinds(told(before, one)) for one in seen] == [[], [NoticeKind.HOLD]]


def test_a_silent_server_is_told_only_if_it_was_silent_a_while_ago():
    before = state(waiting_for=(Waiting.OPERATOR,))
    seen = world(before, versions=(None, "gbm-2"))
    decision, after = tick(before, seen)
    was = Tick(7, seen.now - timedelta(minutes=16), "run", decision, after)
    assert told(before, seen) == ()
    (alert,) = told(before, seen, earlier=was)
    assert alert.kind is NoticeKind.HOLD
    assert told(before, seen, earlier=replace(was, state=replace(after, waiting_for=()))) == ()
    assert told(before, seen, earlier=replace(was, state=replace(after, entry=0))) == ()


def test_the_plane_that_does_not_go_back_to_zero_is_told_within_minutes():
    before = state(Phase.ROLLING_BACK, outcome=Outcome.ABORTED, confirmed_at=None)
    seen = world(
        before, plane=PlaneView.UNREACHABLE, observed_share_bp=None, now=APRIL + timedelta(minutes=11)
    )
    (alert,) = told(before, seen)
    assert alert.kind is NoticeKind.HOLD
    assert "waiting for the traffic plane" in alert.subject


def test_a_question_nobody_answers_goes_to_whom_the_plan_names_next_each_once():
    before = state(Phase.SHADOW)
    before = replace(asked(before, world(before)), waiting_for=(Waiting.APPROVAL,))
    since = before.asked.at
    at = [told(before, world(before, now=since + timedelta(hours=n)), ESCALATING) for n in (1, 3, 25)]
    assert [len(alerts) for alerts in at] == [0, 1, 2]
    assert at[1][0].key == at[2][0].key
    assert at[1][0].to == (CHIEF, "owner@example.org")
    assert "the approval of 5 % (question 1)" in at[1][0].subject
    assert "/x/y" not in str(at[2][1])  # a route's path is its password


def test_an_operators_wait_escalates_too():
    since = APRIL + 5 * DAY
    before = state(paused=paused(since=since), waiting_for=(Waiting.OPERATOR,))
    alerts = told(before, world(before, now=since + timedelta(hours=3)), ESCALATING)
    assert kinds(alerts) == [NoticeKind.ESCALATION]


# ---------------------------------------------------------------- masking


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("postgresql://me:hunter2@db/x", "postgresql://me:***@db/x"),
        ("https://a.org/x?token=abc&n=3", "https://a.org/x?token=***&n=3"),
        ('{"api_key": "abc", "n": 3}', '{"api_key": ***, "n": 3}'),
        ("Authorization: Bearer abcdefghijkl", "Authorization: *** ***"),
        ("my code is 1: code 1234 5678, ok", "my code is 1: code ***, ok"),
        ("secret JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "secret ***"),
        ("xoxb-1234567890-abc and AKIAABCDEFGHIJKLMNOP", "*** and ***"),
        ("tailnum=N123 and tailnum = 'N1 23', origin=JFK", "tailnum=*** and tailnum = ***, origin=JFK"),
        ("chief@example.org told owner@example.org", "c***@example.org told owner@example.org"),
        ("quality[origin=JFK]: log E 3.1, needs 3.0", "quality[origin=JFK]: log E 3.1, needs 3.0"),
        ("exit code 1, status 500, 12345678 pairs", "exit code 1, status 500, 12345678 pairs"),
    ],
)  # fmt: skip
def test_secrets_codes_and_peoples_data_are_masked_and_the_rest_is_not(text, left):
    of = plan(segments={"by": ["origin"], "gates": {"quality": 0.1}}, input={"columns": {
        "tailnum": {"type": "category", "values": ["N1"]}, "origin": {"type": "category", "values": ["JFK"]},
    }})  # fmt: skip
    assert Mask.of(of, ["Owner@example.org"])(text) == left


def test_what_an_operator_typed_is_masked_before_it_is_kept():
    said = replace(order(Verb.ABORT), reason="password=hunter2, call chief@example.org")
    (alert,) = told(state(), world(state(), orders=(said,)))
    assert "hunter2" not in str(alert)
    assert "chief@" not in str(alert)


def test_a_route_shows_no_path_and_two_of_them_stay_two():
    one, two = "https://u:p@hooks.example.org/T/1?k=s", "https://hooks.example.org/T/2"
    assert masked_route(one).startswith("https://hooks.example.org/… #")
    assert masked_route(one) != masked_route(two)


# ---------------------------------------------------------------- routes, attempts, messages


def test_the_plans_routes_come_first_and_the_default_gets_the_rest():
    of = plan(notify=[{"events": ["ask", "hold"], "to": "https://a.org/1", "within": "5m"},
                      {"events": ["ask"], "to": "block:slack/duty"}])  # fmt: skip
    to = {kind: [route.to for route in routes_of(kind, "k", of, "https://d.org")] for kind in NoticeKind}
    assert sorted(to[NoticeKind.ASK]) == ["block:slack/duty", "https://a.org/1"]
    assert to[NoticeKind.HOLD] == ["https://a.org/1"]
    assert to[NoticeKind.ABORT] == ["https://d.org"]
    assert to[NoticeKind.SILENCE] == []  # of silence the server itself tells the default
    assert routes_of(NoticeKind.ASK, "k", None, None) == ()


def test_an_escalation_goes_to_the_default_and_to_whom_it_names():
    key = "flights-gbm-1/all/escalation/{}/1/1"
    to = [
        [r.to for r in routes_of(NoticeKind.ESCALATION, key.format(n), ESCALATING, "https://d.org")]
        for n in (0, 1)
    ]
    assert to == [["https://d.org"], ["https://d.org", "https://example.org/x/y"]]


def test_an_attempt_that_failed_is_made_again_later_and_later_and_not_for_ever():
    now, attempts, made = APRIL, [], 0
    while standing("r", attempts, now) is not Standing.GIVEN_UP:
        if standing("r", attempts, now) is Standing.DUE:
            attempts.append(Attempt("r", ok=False, detail="unreachable", at=now))
            made += 1
        now += timedelta(minutes=1)
    assert made == MOST
    assert timedelta(hours=5) < now - APRIL < timedelta(hours=7)
    refused = [Attempt("r", ok=False, detail="refused: 404", at=APRIL)]
    assert standing("r", refused, APRIL) is Standing.GIVEN_UP
    assert standing("other", refused, APRIL) is Standing.DUE


def test_an_attempt_without_an_end_belongs_to_somebody_for_two_minutes():
    begun = [Attempt("r", ok=False, detail=BEGUN, at=APRIL)]
    assert standing("r", begun, APRIL + IN_FLIGHT / 2) is Standing.LATER
    assert standing("r", begun, APRIL + IN_FLIGHT) is Standing.DUE
    assert not late("r", begun, timedelta(hours=1), APRIL + IN_FLIGHT)
    assert late("r", begun, timedelta(hours=1), APRIL + timedelta(hours=1))


def test_ten_alerts_make_one_message_that_lists_them():
    (alert,) = told(state(), world(state()))
    many = [replace(alert, key=str(n), subject=f"event {n}") for n in range(12)]
    message = message_of(many, "7:ab", perhaps_told=True)
    body = message.body()
    assert message.subject == "12 \N{MULTIPLICATION SIGN} advance: event 11"
    assert body["alerts"] == 12
    assert body["keys"] == [str(n) for n in range(12)]
    assert "- and 2 before" in body["text"]
    assert "may have reached you before" in body["text"]
    assert body["audit_head"] == "7:ab"
    assert body["text"].count("event 11") == 2


def test_silence_names_the_share_at_stake_and_what_still_works():
    alert = silence_of("flight-delays", PLAN, state(), APRIL, APRIL + DAY)
    assert "5 % of its traffic is the candidate's" in alert.text
    assert "2013-04-01 00:00 UTC" in alert.text
    assert "takes all traffic back without" in alert.text
    nobody = silence_of("flight-delays", None, None, None, APRIL + DAY)
    assert nobody.rollout == ""
    assert nobody.key != alert.key


def test_whatever_happens_can_be_put_into_words():
    verdicts = [card(row("quality", verdict), row("errors")) for verdict in (Verdict.FAIL, Verdict.ERROR)]
    orders = [(), *((order(verb),) for verb in Verb)]
    live = (Phase.SHADOW, Phase.RAMP, Phase.WATCH)
    for phase, plane, scorecard, pressed in product(Phase, PlaneView, verdicts, orders):
        for pause in (None, paused()) if phase in live else (None,):
            ends = Outcome.EXPIRED if phase in (Phase.ROLLING_BACK, Phase.DONE) else None
            before = state(phase, paused=pause, outcome=ends)
            alerts = told(before, world(before, plane=plane, scorecard=scorecard, orders=pressed))
            assert len({alert.key for alert in alerts}) == len(alerts)
            assert all("None" not in alert.text + alert.subject for alert in alerts)
