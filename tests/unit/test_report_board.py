"""Every rollout in one table: what fits, what is red, and the same for scripts."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from headgate.report.board import board, brief, rows_of
from headgate.rollout.state import Outcome, Phase, Verb, Waiting
from headgate.verdicts import Verdict
from tests.rollouts import DAY, HOUR, card, order, paused, row, state, world
from tests.unit.glances import glance

FAR = card(row("quality", Verdict.INCONCLUSIVE, needed=5), row("errors"))


def shown(*glances, width=120, hidden=0):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(board(glances, width, hidden))
    return capture.get()


def line(text, start):
    return next(" ".join(one.split()) for one in text.splitlines() if one.startswith(start))


def climbing(**changes):
    before = state(Phase.RAMP, entered_at=state().entered_at)
    return glance(before, world(before, scorecard=FAR), **changes)


def test_a_line_says_where_how_much_what_for_how_long_and_what_is_due():
    text = shown(climbing())
    assert line(text, "rollout") == "rollout service where share waits for for next deadline last tick"
    assert line(text, "flights-gbm-1 ") == (
        "flights-gbm-1 flight-delays ramp 1/3 5 % samples 1 d step in 49 d 10 min"
    )
    assert line(text, "flights-gbm-1:") == "flights-gbm-1: quality 7 of about 12 blocks"


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_share_is_ever_cut(width):
    slices = [replace(climbing(), rollout="flights-with-a-long-name-12"), climbing()]
    text = shown(*slices, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count(" 5 %") >= 2
    assert ("service" in text, "deadline" in text) == (width >= 120, width >= 100)


def test_a_narrow_line_says_what_is_due_first():
    before = state(Phase.SHADOW)
    assert "question in 2 d" in shown(glance(before, world(before)), width=80)
    assert "step in 49 d" in shown(climbing(), width=80)


def test_a_question_counts_its_answers():
    before = state(Phase.SHADOW)
    one = glance(before, world(before))
    assert "approval 0/1" in shown(one)
    agreed = replace(one, question=replace(one.question, approved_by=("chief@example.org",), needed=2))
    assert "approval 1/2" in shown(agreed)


def test_what_stands_still_says_so():
    before = state(Phase.RAMP, paused=paused(Waiting.SPLIT))
    assert "paused: split" in shown(glance(before, world(before)))
    before = state(Phase.RAMP, paused=paused(), share_bp=0)
    assert "frozen: operator" in shown(glance(before, world(before)))


def test_ticks_that_stopped_pressed_buttons_and_the_plane_are_told_below():
    late = climbing(orders=(order(Verb.ABORT),), plane="does not answer: nobody there")
    text = shown(replace(late, now=late.last.at + 9 * HOUR))
    assert "flights-gbm-1: no tick for 9 h, usually every 1 h: do the flows run?" in text
    assert "operator@example.org pressed abort: the next tick acts on it" in text
    assert "the plane: does not answer: nobody there" in text


def test_an_unconfirmed_share_is_marked_and_a_done_rollout_has_no_dues():
    before = state(Phase.RAMP, confirmed_at=None)
    assert "5 %?" in shown(glance(before, world(before, confirmed_at=None)))
    before = state(Phase.DONE, 3, outcome=Outcome.PROMOTED, share_bp=10_000)
    text = shown(glance(before, world(before)), hidden=3)
    assert line(text, "flights-gbm-1") == "flights-gbm-1 flight-delays promoted 100 % 2013-04-10"
    assert "3 more that are done: --all" in text


def test_a_row_is_plain_json_with_everything_that_is_due():
    before = state(Phase.SHADOW)
    asking = glance(before, world(before))
    (found,) = rows_of([asking])
    assert found == json.loads(json.dumps(found, allow_nan=False))
    assert found["since"] == "2013-04-10T00:00:00Z"
    assert found["deadline"] == {"at": "2013-04-14T00:00:00Z", "what": "question expires"}
    assert found["next"] is None
    assert (found["last_tick_age_seconds"], found["ticks_stopped"]) == (600, False)
    assert found["question"] == {
        "request": "flights-gbm-1/all/approve/1/1/c0ffee",
        "expires_at": "2013-04-14T00:00:00Z",
        "needed": 1,
        "approved_by": [],
    }
    dwelling = state(Phase.SHADOW)
    (early,) = rows_of([glance(dwelling, world(dwelling, dwelling.entered_at + HOUR))])
    assert early["next"] == {"at": "2013-04-03T00:00:00Z", "what": "dwell ends"}


def test_a_row_of_an_unreadable_plan_is_a_row():
    (found,) = rows_of([replace(climbing(), plan=None)])
    assert (found["candidate"], found["deadline"], found["next"]) == ("gbm-2", None, None)
    assert "ramp 1/?" in shown(replace(climbing(), plan=None))


def test_short_spans_never_round_up():
    spans = (timedelta(seconds=-5), timedelta(seconds=59), 59 * timedelta(minutes=1), 47 * HOUR, 400 * DAY)
    assert [brief(span) for span in spans] == ["0 s", "59 s", "59 min", "1 d", "400 d"]
