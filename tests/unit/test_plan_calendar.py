"""Opening hours, also where clocks change."""

from datetime import UTC, datetime, timedelta

import pytest

from headgate.errors import InputError
from headgate.plan import OpenHours
from headgate.plan.model import Calendar


def hours(advance, timezone="America/New_York", freeze=()):
    return OpenHours.of(Calendar(timezone=timezone, advance=advance, freeze=freeze))


def at(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def test_it_is_open_from_the_first_minute_until_before_the_last():
    office = hours("mon-thu 09:00-16:00")
    assert not office.is_open(at("2013-06-17T08:59:59-04:00"))
    assert office.is_open(at("2013-06-17T09:00:00-04:00"))
    assert office.is_open(at("2013-06-17T15:59:59-04:00"))
    assert not office.is_open(at("2013-06-17T16:00:00-04:00"))
    assert not office.is_open(at("2013-06-14T10:00:00-04:00"))  # a Friday


def test_while_it_is_open_the_next_opening_is_now():
    now = at("2013-06-17T10:00:00.5-04:00")
    assert hours("mon-thu 09:00-16:00").next_opening(now) == now


def test_several_parts_and_days_over_the_end_of_the_week_are_read():
    both = hours("fri-mon 20:00-24:00, tue 09:00-12:00; tue 13:00-16:00", "UTC")
    opening = both.next_opening
    assert opening(at("2013-06-17T23:59:00+00:00")) == at("2013-06-17T23:59:00+00:00")  # Monday
    assert opening(at("2013-06-18T00:00:00+00:00")) == at("2013-06-18T09:00:00+00:00")
    assert opening(at("2013-06-18T12:00:00+00:00")) == at("2013-06-18T13:00:00+00:00")
    assert opening(at("2013-06-18T16:00:00+00:00")) == at("2013-06-21T20:00:00+00:00")  # Friday


def test_a_freeze_closes_whole_local_days_first_and_last_included():
    office = hours("mon-sun 00:00-24:00", freeze=("2013-11-27/2013-12-01", "2013-12-25"))
    assert office.is_open(at("2013-11-26T23:59:00-05:00"))
    assert not office.is_open(at("2013-11-27T00:00:00-05:00"))
    assert office.next_opening(at("2013-11-27T00:00:00-05:00")) == at("2013-12-02T00:00:00-05:00")
    assert not office.is_open(at("2013-12-25T12:00:00-05:00"))


def test_opening_follows_local_time_over_the_change_of_clocks():
    office = hours("mon-fri 09:00-16:00")
    assert office.next_opening(at("2013-03-08T20:00:00-05:00")) == at("2013-03-11T09:00:00-04:00")
    assert office.next_opening(at("2013-11-01T20:00:00-04:00")) == at("2013-11-04T09:00:00-05:00")


def test_hours_that_the_clock_skips_never_come():
    night = hours("sun 02:00-03:00")
    assert night.next_opening(at("2013-03-10T00:00:00-05:00")) == at("2013-03-17T02:00:00-04:00")
    late = hours("sun 02:30-05:00")
    assert late.next_opening(at("2013-03-10T00:00:00-05:00")) == at("2013-03-10T03:00:00-04:00")


def test_an_hour_that_the_clock_repeats_is_open_twice():
    night = hours("sun 01:30-01:45")
    assert night.next_opening(at("2013-11-03T01:50:00-04:00")) == at("2013-11-03T01:30:00-05:00")


def test_a_clock_set_back_over_midnight_reopens_the_day_before():
    # Until 2011 clocks in Newfoundland went from 00:01 back to 23:01 of the day before.
    eve = hours("sat 23:30-24:00", "America/St_Johns")
    assert eve.next_opening(at("2010-11-07T00:00:30-02:30")) == at("2010-11-06T23:30:00-03:30")


def test_what_never_opens_within_ten_years_is_none():
    assert hours("mon-sun 00:00-24:00", freeze=("2013-01-01/2033-01-01",)).next_opening(
        at("2013-06-17T10:00:00+00:00")
    ) is None  # fmt: skip


def test_a_naive_time_is_refused():
    naive = (at("2013-06-17T10:00:00+00:00") + timedelta(0)).replace(tzinfo=None)
    with pytest.raises(InputError, match="a time with a zone"):
        hours("mon-sun 00:00-24:00").is_open(naive)
