"""A rollout's history: everything once, in order of time, holds in one line with what they were for."""

from dataclasses import replace
from datetime import timedelta

from headgate.report.chronicle import Happened, Kind, chronicle, days
from headgate.report.story import Incident
from headgate.rollout.state import Answer, Approval, Move, Order, Verb
from tests.unit.stories import OPENED, climb, fall

DAY = timedelta(days=1)


def test_the_climb_is_told_in_order_with_its_holds_collapsed():
    told = chronicle([climb()])
    assert [one.at for one in told] == sorted(one.at for one in told)
    moves = [one for one in told if one.kind is Kind.MOVED]
    assert [one.what for one in moves[:3]] == [
        "asked for approval of the next step",  # the pictures' script asks without a question
        "raised the share from 0 % to 1 %",
        "raised the share from 1 % to 5 %",
    ]
    assert moves[-1].what == "finished: promoted"
    assert len(told) < len(climb().ticks) / 1.5


def test_a_stretch_of_holds_says_how_long_each_thing_was_missing_first():
    first = next(one for one in chronicle([climb()]) if one.kind is Kind.HELD)
    assert first.what == "held in shadow for 83 days, for labels (6 days), samples (77 days)"
    assert (first.at, first.until) == (OPENED + 0.4 * DAY, OPENED + 84 * DAY)


def test_holds_that_last_say_so_far_and_why():
    story = climb()
    running = replace(story, ticks=story.ticks[:6], outcome=None, approvals=(), incidents=())
    (held,) = chronicle([running])
    assert held.what.startswith("held in shadow for 34 days so far, for")
    assert held.why == "quality: about 30 more blocks needed"


def test_every_tick_can_be_asked_for():
    story = climb()
    assert len(chronicle([story], every=True)) == len(story.ticks) + len(story.approvals) + len(
        story.incidents
    )


def test_answers_orders_and_incidents_stand_before_the_tick_that_acted_on_them():
    story = fall()
    at = story.ticks[-2].at
    order = Order(1, Verb.ROLLBACK, "chief@example.org", "callers complain", at)
    no = Approval(2, 1, "d", "h", "chief@example.org", Answer.REJECT, "no", at)
    told = chronicle(
        [replace(story, orders=(order,), approvals=(no,), incidents=(Incident(at, "plane", "x"),))]
    )
    now = [one for one in told if one.at == at]
    assert [one.kind for one in now] == [Kind.ORDERED, Kind.ANSWERED, Kind.MOVED, Kind.INCIDENT]
    assert (now[0].what, now[0].who, now[0].why) == (
        "pressed rollback",
        "chief@example.org",
        "callers complain",
    )
    assert (now[1].what, now[2].move) == ("rejected 5 % (question 1)", Move.ROLL_BACK)


def test_what_is_about_all_slices_is_told_once():
    at = OPENED + DAY
    order = Order(1, Verb.PAUSE, "chief@example.org", "storm", at)
    one = replace(climb(), orders=(order,), incidents=(Incident(at, "plane", "restarted"),))
    told = chronicle([one, replace(one, rollout="flights-gbm-1 / lga")])
    assert sum(h.kind is Kind.ORDERED for h in told) == 1
    assert sum(h.kind is Kind.INCIDENT for h in told) == 1


def test_what_the_stories_do_not_hold_is_sorted_in_and_days_group_it():
    opened = Happened(OPENED, Kind.OPENED, "all", "opened", who="demo")
    told = chronicle([climb()], [opened])
    assert told[0] is opened
    grouped = list(days(told))
    assert grouped[0][0] == "2013-04-01"
    assert [one for _, run in grouped for one in run] == list(told)
