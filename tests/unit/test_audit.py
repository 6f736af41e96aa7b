"""The chain by itself: a whole one has no findings, and every kind of tampering is called by its name."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from headgate.adapters.anchors import anchor, read_anchors
from headgate.audit import GENESIS, Head, Row, Tampering, check, digest_of, head_of, link
from headgate.errors import HeadgateError, InputError
from tests.builders import APRIL

AT = "2026-01-05T09:00:00.000000Z"
ROWS = [Row("fact", f'{{"name":"f{i}"}}', digest_of({"name": f"f{i}", "value": i})) for i in range(1, 7)]


def chained(rows, head=Head(0, GENESIS)):  # noqa: B008 - frozen
    lines = []
    for row in rows:
        lines.append(link(head, AT, row.kind, "flights-gbm-1", row.key, row.digest))
        head = Head(lines[-1].seq, lines[-1].hash)
    return lines


LINES = chained(ROWS)
HEAD = Head(6, LINES[-1].hash)
ANCHORS = tuple(Head(line.seq, line.hash) for line in LINES[::2])


def found(lines=LINES, rows=ROWS, head=HEAD, anchors=()):
    return [(one.kind, one.seq) for one in check(lines, rows, head, anchors).findings]


def moved(lines, *order):
    return [replace(lines[i - 1], seq=seq) for seq, i in enumerate(order, 1)]


def test_a_whole_chain_has_no_findings_open_or_sealed_in_any_order_of_rows():
    told = check(iter(LINES), reversed(ROWS), HEAD, ANCHORS)
    assert (told.findings, told.head, told.lines, told.rows) == ((), HEAD, 6, 6)
    sealed = [line if line.seq == 3 else line.sealed() for line in LINES]
    assert found(sealed, ROWS[2:3]) == []
    assert found([], [], Head(0, GENESIS)) == []


def test_a_row_that_was_edited_removed_or_added_is_named():
    edited = [*ROWS[:2], replace(ROWS[2], digest="0" * 64), *ROWS[3:]]
    assert found(rows=edited) == [(Tampering.ROW_EDITED, 3)]
    assert found(rows=ROWS[1:]) == [(Tampering.ROW_REMOVED, 1)]
    told = check(LINES, [*ROWS, Row("approval", '{"id":9}', "0" * 64)], HEAD).findings
    assert [str(one) for one in told] == ['row added: approval {"id":9}: no line vouches for it']


@pytest.mark.parametrize("column", ["at", "kind", "rollout_id", "row_key", "digest", "prev", "hash"])
def test_a_line_that_was_edited_is_named_whatever_was_edited_in_it(column):
    edited = [replace(line, **{column: "f" * 64}) if line.seq == 4 else line for line in LINES]
    assert (Tampering.LINE_EDITED, 4) in found(edited)
    assert not any(seq and seq != 4 for _, seq in found(edited))


def test_lines_that_are_gone_leave_a_gap_that_is_named():
    assert found([*LINES[:2], *LINES[4:]]) == [
        (Tampering.LINE_REMOVED, 3),
        (Tampering.ROW_ADDED, None),
        (Tampering.ROW_ADDED, None),
    ]
    assert found(LINES[1:])[0] == (Tampering.LINE_REMOVED, 1)


def test_lines_that_changed_places_are_told_from_edited_ones():
    swapped = check(moved(LINES, 1, 2, 4, 3, 5, 6), ROWS, HEAD).findings
    assert [(one.kind, one.seq, one.text) for one in swapped] == [
        (Tampering.REORDERED, 3, "it was written as line 4"),
        (Tampering.REORDERED, 4, "it was written as line 3"),
    ]
    # In a file lines may also stand in another order with their numbers.
    assert found([*LINES[:2], LINES[3], LINES[2], *LINES[4:]]) == [(Tampering.REORDERED, 3)]
    assert (Tampering.REORDERED, 3) in found([*LINES[:3], LINES[2], *LINES[3:]])


def test_an_end_that_was_cut_off_only_shows_against_a_head_from_outside():
    assert found(LINES[:4], ROWS[:4]) == [(Tampering.CUT_OFF, 5)]
    assert found(LINES[:4], ROWS[:4], None, ANCHORS) == [(Tampering.CUT_OFF, 5)]
    assert found(LINES[:4], ROWS[:4], None) == []


def test_a_chain_hashed_anew_only_shows_against_a_head_from_outside_which_says_where():
    other = [*ROWS[:3], replace(ROWS[3], digest="0" * 64), *ROWS[4:]]
    anew = chained(other)
    assert found(anew, other, None) == []
    assert found(anew, other) == [(Tampering.REHASHED, 6)]
    (told,) = check(anew, other, None, ANCHORS).findings
    assert (told.kind, told.seq) == (Tampering.REHASHED, 5)
    assert "one of the lines 4 to 5 was changed and all that follow were hashed anew" in told.text


def test_a_line_put_into_anothers_place_shows_at_the_next_line():
    there = Head(2, LINES[1].hash)
    false = link(there, AT, "fact", "flights-gbm-1", ROWS[2].key, "0" * 64)
    rows = [*ROWS[:2], replace(ROWS[2], digest="0" * 64), *ROWS[3:]]
    assert found([*LINES[:2], false, *LINES[3:]], rows) == [(Tampering.REHASHED, 4)]


def test_a_second_line_for_one_row_is_named():
    twice = chained([*ROWS, ROWS[2]])
    assert found(twice) == [(Tampering.LINE_ADDED, 7)]


@pytest.mark.parametrize("text", ["", "12", "12:abc", f"x:{GENESIS}", f"12:{GENESIS}0"])
def test_what_is_no_head_is_refused_with_where_to_get_one(text):
    assert head_of(f" 12:{GENESIS}\n") == Head(12, GENESIS)
    with pytest.raises(InputError, match="copy it whole from an alert"):
        head_of(text)


# ---------------------------------------------------------------- anchors


def test_heads_are_noted_once_each_in_a_folder_that_is_made(tmp_path):
    path = tmp_path / "elsewhere" / "anchors.jsonl"
    said = [anchor(path, head, APRIL + timedelta(hours=i)) for i, head in enumerate((HEAD, HEAD, ANCHORS[0]))]
    assert said == [True, False, True]
    noted = read_anchors(path)
    assert (noted.heads, noted.unreadable) == ((HEAD, ANCHORS[0]), ())
    assert noted.anchors[0].at == APRIL
    first = path.read_text().splitlines()[0]
    assert json.loads(first) == {"at": "2013-04-01T00:00:00.000000Z", "seq": 6, "hash": HEAD.hash}


def test_a_torn_line_is_told_and_stays_by_itself(tmp_path):
    path = tmp_path / "anchors.jsonl"
    anchor(path, ANCHORS[0], APRIL)
    with path.open("a") as file:
        file.write('{"at": "2013')
    assert anchor(path, HEAD, APRIL)
    noted = read_anchors(path)
    assert (noted.heads, noted.unreadable) == ((ANCHORS[0], HEAD), (2,))


def test_an_anchor_that_cannot_be_written_is_an_error_that_callers_can_log(tmp_path):
    with pytest.raises(HeadgateError, match="HEADGATE_ANCHORS; the record itself is whole"):
        anchor(tmp_path, HEAD, APRIL)
    with pytest.raises(InputError, match="name it with --anchors"):
        read_anchors(tmp_path / "none")
