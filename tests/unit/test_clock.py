"""The played clock: several processes read the same time, and nobody's clock runs backwards."""

from datetime import UTC, datetime, timedelta

import pytest

from headgate.adapters.clock import Played, clock_of, read_clock, set_clock
from headgate.errors import InputError
from tasks import wiring
from tasks.clock import the_time

APRIL = datetime(2013, 4, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_without_a_file_it_is_the_machines():
    before = datetime.now(UTC)
    assert before <= clock_of(None)() <= datetime.now(UTC)


def test_it_runs_from_where_it_was_set_as_fast_as_it_was_told():
    assert Played(APRIL, NOW, speed=24).now(NOW + timedelta(hours=1)) == APRIL + timedelta(days=1)
    assert Played(APRIL, NOW, speed=0).now(NOW + timedelta(days=9)) == APRIL


def test_a_machine_whose_clock_was_put_back_does_not_take_the_played_one_with_it():
    assert Played(APRIL, NOW).now(NOW - timedelta(hours=1)) == APRIL


def test_every_reader_finds_the_last_setting_at_its_next_look(tmp_path):
    path = tmp_path / "run" / "clock.json"
    set_clock(path, APRIL, speed=0)
    clock = clock_of(path)
    assert clock() == APRIL
    set_clock(path, APRIL + timedelta(days=7), speed=0)
    assert clock() == APRIL + timedelta(days=7)
    assert [left.name for left in path.parent.iterdir()] == ["clock.json"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        '{"played": "2013-04-01T00:00:00+00:00"}',
        '{"played": "2013-04-01T00:00:00", "at": "2026-01-05T09:00:00+00:00"}',
        '{"played": "2013-04-01T00:00:00Z", "at": "2026-01-05T09:00:00Z", "speed": -1}',
        '{"played": "2013-04-01T00:00:00Z", "at": "2026-01-05T09:00:00Z", "speed": NaN}',
    ],
)
def test_a_file_that_says_no_time_is_refused_and_never_taken_for_the_machines_clock(tmp_path, text):
    path = tmp_path / "clock.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r"asked .*clock\.json.*found .*unset HEADGATE_CLOCK"):
        read_clock(path)


def test_flows_are_told_the_played_time_unless_they_are_given_one(tmp_path, monkeypatch):
    path = tmp_path / "clock.json"
    set_clock(path, APRIL, speed=0)
    monkeypatch.setenv("HEADGATE_CLOCK", str(path))
    monkeypatch.setenv("HEADGATE_STORE_URL", "sqlite:////nowhere/at/all.db")  # the time needs no store
    assert (the_time(), the_time(NOW)) == (APRIL, NOW)
    assert wiring.read_settings().clock == path
