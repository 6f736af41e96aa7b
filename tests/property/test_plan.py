"""Laws of durations and opening hours."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.errors import PlanError
from headgate.plan import OpenHours, explain, parse_plan
from headgate.plan.calendar import Window
from headgate.plan.durations import as_duration, parse_duration

START = datetime(2012, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ZONES = st.sampled_from(
    ["UTC", "America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"]
).map(ZoneInfo)
MOMENTS = st.integers(0, 3 * 365 * 86_400).map(lambda s: START + timedelta(seconds=s))
#: Around the changes of clocks of 2013, where mistakes would be.
CHANGES = st.builds(
    lambda day, minutes: datetime.combine(day, time(), UTC) + minutes * MINUTE,
    st.sampled_from([date(2013, m, d) for m, d in ((3, 10), (3, 31), (4, 7), (9, 8), (10, 6), (11, 3))]),
    st.integers(-2_880, 2_880),
)


@st.composite
def windows(draw):
    start = draw(st.integers(0, 24 * 60 - 1))
    return Window(draw(st.integers(0, 6)), start, draw(st.integers(start + 1, 24 * 60)))


@st.composite
def calendars(draw):
    day = draw(st.dates(date(2013, 1, 1), date(2013, 12, 31)))
    freezes = draw(st.sampled_from([(), ((day, day + timedelta(days=9)),)]))
    return OpenHours(draw(ZONES), tuple(draw(st.lists(windows(), min_size=1, max_size=4))), freezes)


@given(hours=calendars(), now=MOMENTS | CHANGES)
def test_the_next_opening_is_open_and_not_before_now(hours, now):
    opening = hours.next_opening(now)
    assert opening is not None
    assert opening >= now
    assert opening.tzinfo is UTC
    assert hours.is_open(opening)
    assert (opening == now) == hours.is_open(now)


@settings(max_examples=25)
@given(hours=calendars(), now=CHANGES)
def test_nothing_is_open_before_the_next_opening(hours, now):
    opening = hours.next_opening(now)
    moment = now
    for _ in range(min(2_880, (opening - now) // MINUTE)):
        assert not hours.is_open(moment)
        moment += MINUTE


@given(st.timedeltas(timedelta(0), timedelta(days=36_500)))
def test_a_duration_written_and_read_again_is_the_same(span):
    whole = span // timedelta(milliseconds=1) * timedelta(milliseconds=1)
    assert parse_duration(as_duration(whole)) == whole


@given(st.text(max_size=200) | st.text("abz01:-[]{}#&*!|>'\"\n\t ,?%@", max_size=80))
def test_no_text_breaks_the_loader_and_every_refusal_can_be_explained(text):
    with pytest.raises(PlanError) as caught:
        parse_plan(text, "plan.yaml")
    assert "plan.yaml" in explain(caught.value)
    assert all(problem.line >= 1 for problem in caught.value.problems)
