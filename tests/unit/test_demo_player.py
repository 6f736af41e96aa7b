"""The played clock stops at every event, in order, and never runs backwards."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise

import pytest

from deployments.demo.player import LEAST_STEP, Player
from headgate.rollout.state import Asked, Decision, Move, Phase, State, Tick
from tests.builders import APRIL

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
STATE = State("flights-gbm-1", Phase.SHADOW, APRIL, APRIL)
HOLD = Decision(Move.HOLD, ("not enough samples",))
DONE = replace(STATE, phase=Phase.DONE)


def question(at):
    return Asked(1, 1, "digest", at, at + 3 * DAY)


@dataclass
class FakeService:
    """Answers ticks by a rule, and writes down what it was asked to do and when."""

    rule: object
    done: list = field(default_factory=list)

    def open(self, now):
        self.done.append(("open", now))

    def shadow(self, now):
        self.done.append(("shadow", now))

    def tick(self, now):
        self.done.append(("tick", now))
        decision, state = self.rule(now)
        return Tick(self.count("tick"), now, "run", decision, state)

    def call(self, start, end, state):
        self.done.append(("call", start, end, state.share_bp))

    def approve(self, asked, now):
        self.done.append(("approve", now, asked))

    def count(self, what):
        return len(self.times(what))

    def times(self, what):
        return [event[1] for event in self.done if event[0] == what]


def played(rule, days=21, **options):
    service = FakeService(rule)
    player = Player(service, APRIL, APRIL + days * DAY, 7 * DAY, **options)
    return service, player, player.play()


def test_it_opens_looks_and_then_goes_from_window_to_window():
    service, player, last = played(lambda _: (HOLD, STATE))
    week = [APRIL + n * 7 * DAY for n in range(4)]
    expected = [("open", week[0]), ("tick", week[0])]
    for start, end in pairwise(week):
        expected += [("call", start, end, 0), ("shadow", end), ("tick", end)]
    assert service.done == expected
    assert (player.ticks, last.at) == (4, week[3])


def test_it_ends_when_the_rollout_is_done():
    over = APRIL + 7 * DAY
    service, _, last = played(lambda now: (HOLD, DONE if now >= over else STATE))
    assert (last.at, last.state.phase) == (over, Phase.DONE)
    assert service.times("shadow") == [over]


def test_a_rollout_that_is_done_at_once_sends_nobody_anything():
    service, _, _ = played(lambda _: (HOLD, DONE))
    assert service.done == [("open", APRIL), ("tick", APRIL)]


@pytest.mark.parametrize("days", [7, 8, 13, 14])
def test_it_ends_with_the_first_window_at_or_after_the_end_of_time(days):
    _, _, last = played(lambda _: (HOLD, STATE), days=days)
    assert last.at == APRIL + (7 if days == 7 else 14) * DAY


def test_a_tick_is_taken_when_what_it_waits_for_is_due():
    opening = APRIL + 3 * DAY + 13 * HOUR
    service, _, _ = played(lambda now: (replace(HOLD, due=opening) if now < opening else HOLD, STATE), days=7)
    assert service.times("tick") == [APRIL, opening, APRIL + 7 * DAY]
    assert service.times("shadow") == [APRIL + 7 * DAY]


def test_a_due_beyond_the_window_waits_for_the_window_first():
    due = APRIL + 10 * DAY
    service, _, _ = played(lambda now: (replace(HOLD, due=due) if now < due else HOLD, STATE), days=14)
    assert service.times("tick")[:3] == [APRIL, APRIL + 7 * DAY, APRIL + 10 * DAY]


def test_a_window_that_ends_when_something_is_due_is_scored_before_the_tick():
    service, _, _ = played(lambda _: (replace(HOLD, due=APRIL + 7 * DAY), STATE), days=7)
    assert service.done[-2:] == [("shadow", APRIL + 7 * DAY), ("tick", APRIL + 7 * DAY)]


@pytest.mark.parametrize("due", [APRIL - DAY, APRIL, APRIL + timedelta(seconds=1)])
def test_a_due_in_the_past_moves_the_clock_a_minute_at_a_time_and_never_stands_still(due):
    end = APRIL + HOUR
    service = FakeService(lambda _: (replace(HOLD, due=due), STATE))
    Player(service, APRIL, end, HOUR).play()
    assert service.times("tick") == [APRIL + n * MINUTE for n in range(61)]


@pytest.mark.parametrize("move", [Move.ADVANCE, Move.PAUSE, Move.STEP_BACK, Move.FREEZE, Move.ROLL_BACK])
def test_after_a_change_the_next_tick_comes_a_minute_later(move):
    first = Decision(move, ("something changed",))
    service, _, _ = played(lambda now: (first if now == APRIL else HOLD, STATE), days=7)
    assert service.times("tick") == [APRIL, APRIL + LEAST_STEP, APRIL + 7 * DAY]


def test_while_it_rolls_back_it_looks_every_minute():
    rolling = replace(STATE, phase=Phase.ROLLING_BACK)
    over = APRIL + 5 * MINUTE
    service, _, _ = played(lambda now: (HOLD, DONE if now >= over else rolling))
    assert service.times("tick") == [APRIL + n * MINUTE for n in range(6)]


def test_operators_answer_a_while_after_they_were_asked_and_a_tick_follows():
    start, answered = APRIL + 7 * DAY, APRIL + 7 * DAY + 20 * MINUTE
    ask = Decision(Move.ASK, ("all gates pass",), asked=question(start))
    waits = replace(STATE, asked=question(start))
    service, _, _ = played(
        lambda now: (ask if now == start else HOLD, waits if now >= start else STATE), days=14
    )
    approval = ("approve", answered, question(start))
    assert service.count("approve") == 1
    assert service.done[service.done.index(approval) + 1] == ("tick", answered)


def test_a_tick_between_question_and_answer_does_not_make_the_operators_forget():
    start = APRIL + 7 * DAY - 10 * MINUTE  # asked ten minutes before a window ends
    ask = Decision(Move.ASK, ("all gates pass",), asked=question(start))

    def rule(now):
        if now < start:
            return replace(HOLD, due=start), STATE
        return (ask if now == start else HOLD), replace(STATE, asked=question(start))

    service, _, _ = played(rule, days=14)
    assert service.times("tick")[:4] == [APRIL, start, APRIL + 7 * DAY, start + 20 * MINUTE]
    assert service.times("approve") == [start + 20 * MINUTE]


def test_a_question_that_is_void_by_then_is_not_answered():
    start = APRIL + 7 * DAY
    ask = Decision(Move.ASK, ("all gates pass",), due=start + 5 * MINUTE, asked=question(start))
    waits = replace(STATE, asked=question(start))
    service, _, _ = played(lambda now: (ask, waits) if now == start else (HOLD, STATE), days=14)
    assert service.times("tick")[1:4] == [start, start + 5 * MINUTE, start + 20 * MINUTE]
    assert service.count("approve") == 0


def test_callers_send_every_stretch_of_time_exactly_once_at_the_share_then_in_force():
    at = APRIL + 3 * DAY
    ramp = replace(STATE, phase=Phase.RAMP, step=1, share_bp=500)

    def rule(now):
        if now == at:
            return Decision(Move.ADVANCE, ("every gate passes",)), ramp
        return (replace(HOLD, due=at), STATE) if now < at else (HOLD, ramp)

    service, _, last = played(rule)
    calls = [event[1:] for event in service.done if event[0] == "call"]
    assert calls[0][0] == APRIL
    assert calls[-1][1] == last.at
    assert all(before[1] == after[0] for before, after in pairwise(calls))
    assert [share for *_, share in calls] == [0 if end <= at else 500 for _, end, _ in calls]


def test_whoever_watches_is_told_every_tick():
    seen = []
    _, player, last = played(lambda _: (HOLD, STATE), told=seen.append)
    assert [tick.tick for tick in seen] == [1, 2, 3, 4]
    assert (seen[-1], player.ticks) == (last, 4)
