"""Evidence, traffic log and windows: nothing counted twice, nothing rewritten, the same bits back."""

from __future__ import annotations

import random
import struct
from datetime import datetime, timedelta

import pytest

from headgate.adapters import store
from headgate.errors import InputError, StandDown, StoreError
from headgate.evidence import (
    BlockSum,
    LatencyPairSum,
    LatencySplitSum,
    RateSum,
    Source,
    SplitSum,
    UnitSum,
)
from tests.builders import APRIL
from tests.integration.stores import batch, opened


def bits(number):
    return struct.pack(">d", number)


def test_evidence_of_every_kind_comes_back_bit_for_bit(store_engine):
    rollout = opened(store_engine)
    kinds = [
        BlockSum(worst=0.1 + 0.2, best=-0.0, observed=5e-324, entities=1, pairs=2, missing=3, spread=1 / 3),
        UnitSum(worst=((-4096, 2), (0, 7)), best=((-4096, 2),), missing=1),
        RateSum(n=10, x=0),
        LatencyPairSum(n=5, adv_c=1, adv_i=2, rb_c=0, rb_i=4),
        LatencySplitSum(n1=1, n0=2, c_adv=0, c_rb=0, i_tau=1),
        SplitSum(n1=3, n0=4),
    ]
    rows = [batch(sums=sums, gate=f"gate-{at}", segment="origin=JFK") for at, sums in enumerate(kinds)]
    assert store.add_evidence(store_engine, rollout.id, rows, tick=1) == len(kinds)
    back = store.evidence(store_engine, rollout.id)
    assert back == rows
    assert bits(back[0].sums.best) == bits(-0.0)
    assert [bits(x) for x in (back[0].sums.worst, back[0].sums.observed)] == [bits(0.1 + 0.2), bits(5e-324)]


def test_evidence_comes_back_in_one_order_whatever_the_order_it_came_in(store_engine):
    rollout = opened(store_engine)
    rows = [
        batch(day, gate=gate, segment=segment, entry=entry, part=part)
        for day in range(3)
        for gate in ("Zeta", "alpha", "Äpfel")
        for segment in (None, "origin=JFK", "origin=ewr")
        for entry in (0, 1)
        for part in ("a", "B")
    ]
    mixed = random.Random(7).sample(rows, len(rows))
    for at in range(0, len(mixed), 10):
        store.add_evidence(store_engine, rollout.id, mixed[at : at + 10], tick=at)
    expected = sorted(rows, key=lambda r: (r.batch, r.gate, r.segment or "", r.entry, r.part))
    assert store.evidence(store_engine, rollout.id) == expected


def test_the_same_evidence_again_adds_nothing(store_engine):
    rollout = opened(store_engine)
    rows = [batch(day) for day in range(3)]
    assert store.add_evidence(store_engine, rollout.id, rows[:2], tick=1) == 2
    assert store.add_evidence(store_engine, rollout.id, [*rows, rows[2]], tick=2) == 1
    assert store.evidence(store_engine, rollout.id) == rows


@pytest.mark.parametrize("together", [False, True])
def test_other_sums_under_a_key_that_is_there_are_refused_and_nothing_is_written(store_engine, together):
    rollout = opened(store_engine)
    if not together:
        store.add_evidence(store_engine, rollout.id, [batch(1)], tick=1)
    rows = [batch(0), *([batch(1)] if together else []), batch(1, worst=0.5)]
    with pytest.raises(StoreError, match=r"never rewritten: gate quality, segment all, batch 2013-04-02"):
        store.add_evidence(store_engine, rollout.id, rows, tick=2)
    assert len(store.evidence(store_engine, rollout.id)) == (0 if together else 1)


@pytest.mark.parametrize(
    "change",
    [
        {"gate": "other"},
        {"segment": "origin=JFK"},
        {"batch": APRIL + timedelta(microseconds=1)},
        {"entry": 1},
        {"share_bp": 500},
        {"source": Source.PLANE},
        {"part": "w1"},
    ],
)
def test_every_part_of_the_key_tells_batches_apart(store_engine, change):
    rollout = opened(store_engine)
    store.add_evidence(store_engine, rollout.id, [batch()], tick=1)
    assert store.add_evidence(store_engine, rollout.id, [batch(worst=0.5, **change)], tick=1) == 1


def test_a_mark_reads_exactly_what_a_tick_saw(store_engine):
    rollout = opened(store_engine)
    other = opened(store_engine, name="other")
    assert store.evidence_mark(store_engine, rollout.id) == 0
    store.add_evidence(store_engine, rollout.id, [batch(5), batch(6)], tick=1)
    mark = store.evidence_mark(store_engine, rollout.id)
    store.add_evidence(store_engine, other.id, [batch(7)], tick=1)
    assert store.evidence_mark(store_engine, rollout.id) == mark
    store.add_evidence(store_engine, rollout.id, [batch(1)], tick=2)
    assert store.evidence(store_engine, rollout.id, up_to=mark) == [batch(5), batch(6)]
    assert store.evidence(store_engine, rollout.id) == [batch(1), batch(5), batch(6)]
    assert store.evidence(store_engine, rollout.id, up_to=0) == []


def test_the_last_closed_batch_is_of_a_paired_loss_not_of_operation(store_engine):
    rollout = opened(store_engine)
    assert store.last_batch(store_engine, rollout.id) is None
    store.add_evidence(store_engine, rollout.id, [batch(9, gate="errors", sums=RateSum(5, 0))], tick=1)
    assert store.last_batch(store_engine, rollout.id) is None
    store.add_evidence(store_engine, rollout.id, [batch(2), batch(1)], tick=1)
    assert store.last_batch(store_engine, rollout.id) == batch(2).batch
    units = UnitSum(worst=((0, 1),), best=((0, 1),))
    store.add_evidence(store_engine, rollout.id, [batch(3, sums=units)], tick=1)
    assert store.last_batch(store_engine, rollout.id) == batch(3).batch


def test_evidence_that_is_no_evidence_is_refused(store_engine):
    rollout = opened(store_engine)
    with pytest.raises(InputError, match="naive"):
        store.add_evidence(store_engine, rollout.id, [batch(batch=datetime(2013, 4, 1))], 1)  # noqa: DTZ001 - the point
    with pytest.raises(InputError, match="found empty text"):
        store.add_evidence(store_engine, rollout.id, [batch(segment="")], 1)
    with pytest.raises(StoreError, match="finite"):
        store.add_evidence(store_engine, rollout.id, [batch(worst=float("nan"))], 1)
    with pytest.raises(InputError, match="missing-1"):
        store.add_evidence(store_engine, "missing-1", [batch()], 1)
    assert store.add_evidence(store_engine, rollout.id, [], 1) == 0


# ---------------------------------------------------------------- the traffic log


def test_the_log_is_read_on_from_where_it_was_left(store_engine):
    rollout = opened(store_engine)
    start = store.cursor(store_engine, "flight-delays")
    assert (dict(start.position), dict(start.carry), start.version) == ({}, {}, 0)
    carry = {"mirror": [["r1", 0.1 + 0.2]]}
    after = store.ingest(
        store_engine,
        rollout.id,
        [batch(source=Source.PLANE, sums=RateSum(9, 1))],
        tick=1,
        expected=start,
        position={"access.log": 120},
        carry=carry,
        entities={"all": {0: ["N1", "N2", "N1"], 1: ["N1"]}},
    )
    assert store.cursor(store_engine, "flight-delays") == after == store.Cursor({"access.log": 120}, carry, 1)
    assert store.seen(store_engine, rollout.id, 0) == {"N1", "N2"}
    assert store.seen(store_engine, rollout.id, 1) == {"N1"}
    assert store.seen(store_engine, rollout.id, 2) == set()
    assert len(store.evidence(store_engine, rollout.id)) == 1


def test_of_two_readers_of_the_same_lines_one_stands_down_and_counts_nothing(store_engine):
    rollout = opened(store_engine)
    start = store.cursor(store_engine, "flight-delays")
    read = {"tick": 1, "expected": start, "position": {"access.log": 120}}
    store.ingest(store_engine, rollout.id, [batch(part="one")], **read, entities={"all": {0: ["N1"]}})
    with pytest.raises(StandDown, match="read on"):
        store.ingest(store_engine, rollout.id, [batch(part="two")], **read, entities={"all": {0: ["N2"]}})
    assert [row.part for row in store.evidence(store_engine, rollout.id)] == ["one"]
    assert store.seen(store_engine, rollout.id, 0) == {"N1"}


def test_an_ingest_that_fails_half_way_leaves_the_cursor_where_it_was(store_engine):
    rollout = opened(store_engine)
    start = store.cursor(store_engine, "flight-delays")
    first = store.ingest(
        store_engine,
        rollout.id,
        [batch()],
        tick=1,
        expected=start,
        position={"log": 5},
        entities={"all": {0: ["N1"]}},
    )
    with pytest.raises(StoreError):  # N1 would count twice
        store.ingest(
            store_engine,
            rollout.id,
            [batch(1)],
            tick=2,
            expected=first,
            position={"log": 9},
            entities={"all": {0: ["N1"]}},
        )
    assert store.cursor(store_engine, "flight-delays") == first
    assert store.evidence(store_engine, rollout.id) == [batch()]


# ---------------------------------------------------------------- windows

WEEK = timedelta(days=7)


def window(start=APRIL, end=APRIL + WEEK, digest="sha", **counts):
    return store.Window(start, end, "lake/1.parquet", digest, counts or {"requests": 5}, APRIL + 2 * WEEK)


def test_a_window_is_noted_once(store_engine):
    rollout = opened(store_engine)
    later = window(APRIL + WEEK, APRIL + 2 * WEEK)
    for one in (later, window(), window()):
        assert store.add_window(store_engine, rollout.id, one) == one
    assert store.windows(store_engine, rollout.id) == [window(), later]


def test_a_window_scored_twice_with_other_content_is_refused(store_engine):
    rollout = opened(store_engine)
    store.add_window(store_engine, rollout.id, window())
    for other in (window(digest="another"), window(requests=6)):
        with pytest.raises(StoreError, match="scored before with other content"):
            store.add_window(store_engine, rollout.id, other)


def test_windows_that_overlap_or_run_backwards_are_refused(store_engine):
    rollout = opened(store_engine)
    store.add_window(store_engine, rollout.id, window())
    with pytest.raises(StoreError, match="overlaps"):
        store.add_window(store_engine, rollout.id, window(APRIL + timedelta(days=1), APRIL + 2 * WEEK))
    with pytest.raises(InputError, match="ends after it starts"):
        store.add_window(store_engine, rollout.id, window(APRIL + WEEK, APRIL))
