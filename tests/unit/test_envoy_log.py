"""The plane's log is read to the line: nothing twice, nothing half, nothing believed that is not so."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.adapters.planes.envoy_log import ACCESS_FORMAT, SHADOW_FORMAT, read, served
from headgate.ports import Served, Side

GOOD = {
    "ts": "2013-04-01T10:00:00.123Z",
    "at": None,
    "request_id": "r1",
    "entity": "N1",
    "status": 200,
    "details": "via_upstream",
    "flags": "-",
    "host": "127.0.0.1:8102",
    "us": 1_250,
    "ms": 1,
    "rollout": "gbm-1",
    "generation": "3",
    "slice": "all",
    "assigned": "candidate",
    "served": "candidate",
    "attempts": 1,
}


def line(**more):
    return (json.dumps({**GOOD, **more}, ensure_ascii=False) + "\n").encode()


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "access.jsonl", tmp_path / "shadow.jsonl"


def test_a_line_says_who_was_assigned_who_answered_when_and_how_fast():
    assert served(line()) == Served(
        request_id="r1",
        entity="N1",
        at=datetime(2013, 4, 1, 10, 0, 0, 123_000, tzinfo=UTC),
        assigned=Side.CANDIDATE,
        served=Side.CANDIDATE,
        status=200,
        latency_ms=1.25,
        rollout="gbm-1",
        generation=3,
    )


def test_every_field_the_reader_needs_is_one_that_envoy_is_told_to_write():
    assert set(GOOD) == set(ACCESS_FORMAT)
    assert set(SHADOW_FORMAT) < set(ACCESS_FORMAT)


@pytest.mark.parametrize(("said", "slice_"), [("all", "all"), ("jfk", "jfk"), ("-", None), (None, "all")])
def test_a_line_says_which_slice_it_was_routed_by(said, slice_):
    assert served(line(slice=said)).slice == slice_


def test_the_callers_time_of_the_request_counts():
    assert served(line(at="2013-06-01T08:00:00-04:00")).at == datetime(2013, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "claim",
    ["", "yesterday", "2013-06-01T08:00:00", "2013-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9" * 99],
)
def test_a_claimed_time_that_is_none_or_has_no_zone_gives_way_to_the_planes_clock(claim):
    assert served(line(at=claim)).at == datetime(2013, 4, 1, 10, 0, 0, 123_000, tzinfo=UTC)


def test_a_request_without_entity_goes_under_its_request_id():
    assert served(line(entity=None)).entity == "r1"


def test_an_answer_that_envoy_made_itself_was_served_by_nobody():
    gone = served(line(details="downstream_remote_disconnect", status=0, us=None, ms=7))
    assert (gone.served, gone.status, gone.latency_ms) == (None, 0, 7.0)


def test_a_line_still_being_written_is_left_for_the_next_read(logs):
    access, shadow = logs
    access.write_bytes(line() + line(request_id="r2")[:40])
    first = read(access, shadow, {})
    assert [one.request_id for one in first.served] == ["r1"]
    access.write_bytes(line() + line(request_id="r2"))
    second = read(access, shadow, first.position)
    assert [one.request_id for one in second.served] == ["r2"]
    assert read(access, shadow, second.position).served == []
    assert first.garbled == second.garbled == 0


@pytest.mark.parametrize(
    "bad",
    [
        b"{half\n",
        b"\n",
        b"[]\n",
        b"null\n",
        b"\xff\xfe\n",
        b"{}\n",
        line(assigned="both"),
        line(assigned=None),
        line(generation=None),
        line(generation="x"),
        line(request_id=None),
        line(ts=None),
        line(ts="noon"),
        line(us="fast"),
        line(served=None),
    ],
)
def test_a_line_that_cannot_be_read_is_counted_and_the_others_stay(logs, bad):
    access, shadow = logs
    access.write_bytes(line() + bad + line(request_id="r2"))
    log = read(access, shadow, {})
    assert [one.request_id for one in log.served] == ["r1", "r2"]
    assert log.garbled == 1


def test_a_truncated_log_is_read_from_its_beginning_and_counted(logs):
    access, shadow = logs
    access.write_bytes(line() + line(request_id="r2"))
    position = read(access, shadow, {}).position
    access.write_bytes(line(request_id="r3"))
    log = read(access, shadow, position)
    assert [one.request_id for one in log.served] == ["r3"]
    assert log.garbled == 1
    assert read(access, shadow, log.position).garbled == 0


def test_a_replaced_log_is_noticed_even_when_it_is_longer(logs):
    access, shadow = logs
    access.write_bytes(line())
    position = read(access, shadow, {}).position
    access.rename(access.with_suffix(".1"))
    access.write_bytes(line(request_id="r2") * 5)
    log = read(access, shadow, position)
    assert len(log.served) == 5
    assert log.garbled == 1


def test_logs_that_are_not_there_yet_hold_nothing_and_keep_the_position(logs):
    log = read(*logs, {"access.jsonl": 7})
    assert (log.served, log.mirrored, log.garbled) == ([], [], 0)
    assert log.position == {"access.jsonl": 7}


def test_copies_are_read_from_the_shadow_log(logs):
    access, shadow = logs
    shadow.write_bytes(line(status=504))
    log = read(access, shadow, {})
    assert [(one.request_id, one.status, one.latency_ms) for one in log.mirrored] == [("r1", 504, 1.25)]
    assert not log.served


@given(entity=st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30))
def test_no_header_value_can_split_or_forge_a_line(tmp_path_factory, entity):
    folder = tmp_path_factory.mktemp("log")
    access, shadow = folder / "access.jsonl", folder / "shadow.jsonl"
    access.write_bytes(line(entity=entity) + line(request_id="r2"))
    log = read(access, shadow, {})
    assert [(one.request_id, one.entity) for one in log.served] == [("r1", entity), ("r2", "N1")]
    assert log.garbled == 0
