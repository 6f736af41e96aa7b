"""Sentences operators read: decisions, the status line, the scorecard."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.errors import InputError
from headgate.plan.model import Gate
from headgate.report import formats, narration, words
from headgate.rollout.state import (
    Asked,
    Decision,
    Move,
    Outcome,
    Pause,
    Phase,
    State,
    Tick,
    Waiting,
)
from headgate.verdicts import Role, Scorecard, Verdict
from tests.unit.stories import OPENED, THRESHOLD, climb, fall, plan, unopened

NOW = OPENED + timedelta(days=3)
STATE = State("flights-gbm-1", Phase.RAMP, OPENED, OPENED, step=2, share_bp=500, confirmed_at=OPENED)


def tick(move: Move, state: State = STATE, **decision) -> Tick:
    return Tick(1, NOW, "run", Decision(move, ("because",), **decision), state)


def scorecard(**changes) -> Scorecard:
    verdicts = fall().ticks[5].verdicts
    made = Scorecard(verdicts, -1.2, THRESHOLD, None, (), False, NOW)
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("share_bp", "text"), [(0, "0 %"), (50, "0.5 %"), (100, "1 %"), (1, "0.01 %"), (10_000, "100 %")]
)
def test_shares_are_written_in_percent_without_needless_digits(share_bp, text):
    assert words.percent(share_bp) == text


def test_times_are_written_in_utc():
    summer = datetime.fromisoformat("2013-07-04T09:00:00-04:00")
    assert words.when(summer) == "2013-07-04 13:00 UTC"


def test_a_naive_time_is_refused():
    with pytest.raises(InputError, match="without a zone"):
        words.when(datetime(2013, 7, 4))  # noqa: DTZ001 - the naive time is the point


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_no_number_is_ever_written_as_nan_or_infinity(value):
    rate = Gate(name="errors", metric="error_rate", ceiling=0.01)
    slow = Gate(name="latency", metric="latency", quantile=0.95, ratio=1.25)
    texts = [
        formats.number(value),
        formats.estimate(value, None),
        formats.estimate(value, rate),
        formats.estimate(value, slow),
        formats.interval(value, None, rate),
        formats.e_value(value),
        formats.observed(value),
    ]
    assert not [text for text in texts if "nan" in text.lower() or "inf" in text.lower()]


@given(st.floats(-7, 2000), st.floats(-7, 2000))
def test_more_evidence_is_never_written_as_less(one, other):
    low, high = sorted((one, other))
    less, more = _read(formats.e_value(low)), _read(formats.e_value(high))
    assert less <= more + 1e-9 * abs(more)


def _read(text: str) -> float:
    """Return log10 of a written e-value."""
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    if text.startswith("under"):
        return -3.1
    mantissa, _, power = text.replace(",", "").partition(" \N{MULTIPLICATION SIGN} 10")
    return math.log10(float(mantissa)) + (int(power.translate(digits)) if power else 0) + 10


@pytest.mark.parametrize("move", list(Move))
@pytest.mark.parametrize("phase", list(Phase))
def test_every_decision_in_every_phase_has_a_sentence(move, phase):
    made = tick(move, replace(STATE, phase=phase), waiting_for=(Waiting.SAMPLES,))
    sentence = words.move_sentence(made, 100)
    assert sentence
    assert "None" not in sentence


def test_moves_say_where_from_and_where_to():
    assert words.move_sentence(tick(Move.ADVANCE), 100) == "raised the share from 1 % to 5 %"
    assert words.move_sentence(tick(Move.STEP_BACK), 2500) == "stepped back from 25 % to 5 %"
    watch = replace(STATE, phase=Phase.WATCH, share_bp=10_000)
    assert words.move_sentence(tick(Move.ADVANCE, watch), 10_000) == "started the watch at 100 %"
    done = replace(STATE, phase=Phase.DONE, outcome=Outcome.PROMOTED)
    assert words.move_sentence(tick(Move.FINISH, done), 10_000) == "finished: promoted"
    held = tick(Move.HOLD, waiting_for=(Waiting.SAMPLES, Waiting.DWELL))
    assert words.move_sentence(held, 500) == "held at 5 %, waiting for more evidence and the dwell to pass"


def test_every_word_of_the_state_machine_is_known_to_the_words():
    assert set(words.PHASES) == set(Phase)
    assert set(words.OUTCOMES) == set(Outcome)
    assert set(words.WAITING) == set(Waiting)
    assert set(words.VERDICTS) == set(Verdict)


def test_the_status_line_says_step_share_since_when_and_what_is_missing():
    state = replace(STATE, waiting_for=(Waiting.CALENDAR,))
    assert words.status_line(state, plan(), NOW) == (
        "flights-gbm-1: ramp, step 2 of 5; 5 % of the traffic for 3 days; waiting for the calendar to open"
    )


def test_the_status_line_tells_a_pause_an_open_question_and_a_share_not_confirmed():
    asked = Asked(3, 1, "d" * 64, NOW, NOW + timedelta(days=3))
    state = replace(
        STATE,
        confirmed_at=None,
        paused=Pause(Waiting.OPERATOR, "the plane\nserves another share", NOW),
        asked=asked,
        waiting_for=(Waiting.APPROVAL,),
    )
    line = words.status_line(state, plan(), NOW)
    assert "not yet confirmed by the plane" in line
    assert "paused since 2013-04-04 04:00 UTC: the plane serves another share" in line
    assert "approval to enter 25 % expires 2013-04-07 04:00 UTC" in line
    assert "\n" not in line


def test_the_status_line_of_a_rollout_that_is_done_is_its_outcome():
    state = replace(STATE, phase=Phase.DONE, outcome=Outcome.EXPIRED)
    assert words.status_line(state, plan(), NOW) == "flights-gbm-1: expired"


def test_the_scorecard_has_a_row_for_every_verdict():
    card = scorecard()
    text = words.scorecard_markdown(card, plan())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == len(card.verdicts) + 2
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert "Harm over all guardrails together: E = 0.301; rolled back at 32.9." in text
    assert "Labels complete through 2013-04-04 04:00 UTC." in text


def test_the_scorecard_begins_with_what_follows_from_it():
    assert words.scorecard_markdown(scorecard(failed="quality"), plan()).startswith("**Failed: quality.")
    assert "split is not as configured" in words.scorecard_markdown(scorecard(split_alarm=True), plan())
    assert words.scorecard_markdown(scorecard(alarmed=("coverage",)), plan()).startswith("**Alarm: coverage.")
    green = tuple(replace(v, verdict=Verdict.PASS, applies=True) for v in scorecard().verdicts)
    assert "Every gate that counts passes (8 of 8)" in words.scorecard_markdown(
        scorecard(verdicts=green), plan()
    )
    empty = words.scorecard_markdown(scorecard(verdicts=()), plan())
    assert "No gate has been judged yet" in empty


def test_a_gate_that_does_not_apply_is_listed_and_not_judged():
    away = replace(scorecard().verdicts[0], applies=False, role=Role.GUARDRAIL)
    assert "not judged here" in words.scorecard_markdown(scorecard(verdicts=(away,)), plan())


def test_foreign_text_cannot_break_out_of_a_cell():
    wild = replace(scorecard().verdicts[0], segment="a|b\n<img src=x>", reason="[link](x) `code`")
    text = words.scorecard_markdown(scorecard(verdicts=(wild,)), plan())
    assert "a\\|b \\<img src=x\\>" in text
    assert "\\[link\\](x) \\`code\\`" in text


@pytest.mark.parametrize("outcome", [*Outcome, None])
@pytest.mark.parametrize("story", [climb(), fall(), unopened()])
def test_every_ending_has_a_headline_and_a_reason(story, outcome):
    told = replace(story, outcome=outcome)
    for sentence in (narration.headline(told), narration.why(told), narration.settled(told)):
        assert sentence.endswith(".")
        assert "None" not in sentence


def test_guarantees_name_the_plans_own_error_levels():
    promise, limits = narration.guarantees(plan(errors={"promote_bad": 0.02, "roll_back_fine": 0.1}))
    assert "at most 2 %" in promise
    assert "at most 10 %" in promise
    assert "blocks of 1 day" in limits


def test_every_gate_of_the_plan_is_a_question_in_words():
    asked = [narration.question(gate) for gate in plan().gates]
    assert asked[0] == "Brier loss worse than the incumbent's by less than 0.005"
    assert asked[1] == "fewer than 1 % of the candidate's requests fail"
    assert asked[2] == "p95 latency below 1.25 times the incumbent's"
    assert asked[4] == "the candidate answers more than 97 % of requests"


def test_waiting_is_merged_over_ticks_with_the_same_reason():
    waits = [w for w in climb().waits() if w.reason is Waiting.SAMPLES]
    assert len(waits) < len([t for t in climb().ticks if Waiting.SAMPLES in t.decision.waiting_for])
    assert all(a.until <= b.since for a, b in pairwise(waits))


def test_stays_follow_each_other_without_gaps():
    spans = climb().spans()
    assert [span.share_bp for span in spans] == [0, 100, 500, 2500, 5000, 10_000, 10_000, 10_000]
    assert all(a.until == b.since for a, b in pairwise(spans))


def test_times_in_stories_are_aware():
    assert all(t.at.tzinfo is UTC for t in climb().ticks)
