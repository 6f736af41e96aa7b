"""What is recorded comes back bit for bit, and nothing else is read."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import get_type_hints

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headgate.adapters.codec import dump, instant, load, stamp
from headgate.errors import InputError, StoreError
from headgate.rollout.state import Asked, Decision, Move, Pause, Phase, State, Tick, Waiting
from headgate.verdicts import GateVerdict, Role, Verdict

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(str, st.text(st.characters(exclude_categories=()), max_size=20))
for kind in (Pause, Asked, State, Decision, GateVerdict, Tick):
    # Every field is drawn, also those with a default.
    hints = get_type_hints(kind)
    drawn = {field.name: st.from_type(hints[field.name]) for field in fields(kind)}
    st.register_type_strategy(kind, st.builds(kind, **drawn))


def bits(value):
    """The value as nested tuples in which two floats are equal only if all their bits are."""
    if isinstance(value, Enum):
        return type(value), value.value
    if is_dataclass(value):
        return type(value), tuple(bits(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, tuple):
        return tuple(bits(one) for one in value)
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack(">d", value)
    return type(value), value


@given(st.from_type(State) | st.from_type(Decision) | st.from_type(GateVerdict) | st.from_type(Tick))
def test_every_state_decision_verdict_and_tick_comes_back_bit_for_bit(value):
    text = dump(value)
    back = load(type(value), text)
    assert bits(back) == bits(value)
    assert dump(back) == text
    assert text.isascii()


@given(st.floats())
@example(-0.0)
@example(5e-324)
@example(math.inf)
@example(-math.inf)
@example(0.1 + 0.2)
def test_every_float_keeps_its_bits(number):
    assert bits(load(GateVerdict, dump(replace(VERDICT, weight=number))).weight) == bits(number)


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_stamps_sort_as_times_do(one, other):
    assert (stamp(one) < stamp(other)) == (one < other)
    assert instant(stamp(one)) == one
    assert instant(stamp(one)).tzinfo is UTC


AT = datetime(2013, 4, 1, tzinfo=UTC)
STATE = State("flights-gbm-1", Phase.SHADOW, AT, AT, paused=Pause(Waiting.OPERATOR, "looking", AT))
VERDICT = GateVerdict(
    "quality", None, Role.GUARDRAIL, Verdict.NO_DATA, True, None, None, None,
    0.0, 0.0, 3.0, 3.0, 0.5, 0, None, "blocks", "no outcomes yet",
)  # fmt: skip


def test_the_text_says_its_version_and_its_kind_and_plain_words():
    text = json.loads(dump(STATE))
    assert (text["v"], text["kind"]) == (1, "State")
    assert text["value"]["phase"] == "shadow"
    assert text["value"]["opened_at"] == "2013-04-01T00:00:00.000000Z"
    assert text["value"]["held"] == 0


def test_numbers_of_numpy_are_recorded_as_the_plain_numbers_they_are():
    value = replace(VERDICT, estimate=np.float64(0.1), samples=np.int64(3))
    assert load(GateVerdict, dump(value)) == replace(VERDICT, estimate=0.1, samples=3)


def test_a_time_of_another_zone_is_recorded_in_utc():
    there = AT.astimezone(timezone(timedelta(hours=-4)))
    assert dump(replace(STATE, entered_at=there)) == dump(STATE)


@pytest.mark.parametrize(
    "change",
    [{"step": 1.0}, {"step": True}, {"slice": 3}, {"versions": ("a",)}, {"phase": "shadow"}, {"held": 0}],
)
def test_a_value_of_another_type_than_its_field_is_not_recorded(change):
    with pytest.raises(StoreError, match=f"State.{next(iter(change))}: asked"):
        dump(replace(STATE, **change))


def test_a_naive_time_is_not_recorded():
    with pytest.raises(InputError, match="naive"):
        dump(replace(STATE, entered_at=datetime(2013, 4, 1)))  # noqa: DTZ001 - the point


def changed(path, value):
    text = json.loads(dump(STATE))
    at = text
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return json.dumps(text)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (["v"], 2, "text version 1; found version 2"),
        (["kind"], "Tick", "found a 'Tick'"),
        (["value", "step"], ..., "asked the fields"),
        (["value", "colour"], "red", "asked the fields"),
        (["value", "step"], "1", "State.step: asked a int; found '1'"),
        (["value", "step"], True, "State.step: asked a int; found True"),
        (["value", "phase"], "flying", "asked one of"),
        (["value", "opened_at"], "2013-04-01T00:00:00", "asked a UTC time"),
        (["value", "opened_at"], "2013-04-31T00:00:00.000000Z", "asked a UTC time"),
        (["value", "versions"], ["a", "b", "c"], "asked 2 values"),
        (["value", "paused", "reason"], ..., "State.paused: Pause: asked the fields"),
        (["value", "waiting_for"], "labels", "asked a list"),
    ],
)
def test_a_text_that_is_not_what_was_written_is_refused(path, value, told):
    with pytest.raises(StoreError, match=told):
        load(State, changed(path, value))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"v": 1}'])
def test_a_text_that_is_no_record_is_refused(text):
    with pytest.raises(StoreError, match="asked"):
        load(State, text)


def test_a_decision_without_anything_optional_is_read_back_equal():
    decision = Decision(Move.HOLD, ())
    assert load(Decision, dump(decision)) == decision
