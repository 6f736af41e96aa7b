"""Stays on steps are what the plane confirmed, one after the other without a gap."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.adapters import store
from headgate.evidence import Entry
from tasks.stays import by_generation, stays
from tests.builders import APRIL
from tests.unit.task_cases import opened

HOUR = timedelta(hours=1)


@pytest.fixture
def rollout(wired):  # noqa: ARG001 - in place before anything is opened
    return opened().rollout.id


def confirm(wired, rollout, generation, hour, entry, share_bp=0, step=0):
    at = APRIL + hour * HOUR
    store.confirm(
        wired.engine, rollout, generation=generation, at=at, share_bp=share_bp, entry=entry, step=step
    )


def test_before_the_plane_confirmed_anything_there_is_no_stay(rollout):
    assert (by_generation(rollout), stays(rollout)) == ({}, ())


def test_a_stay_ends_when_the_next_is_confirmed_and_the_last_goes_on(wired, rollout):
    confirm(wired, rollout, 1, 0, entry=0)
    confirm(wired, rollout, 2, 10, entry=1, share_bp=500, step=1)
    confirm(wired, rollout, 3, 30, entry=2, share_bp=5_000, step=2)
    at = [APRIL + hour * HOUR for hour in (0, 10, 30)]
    assert stays(rollout) == (
        Entry(0, 0, 0, at[0], at[1]),
        Entry(1, 1, 500, at[1], at[2]),
        Entry(2, 2, 5_000, at[2], None),
    )


def test_a_second_write_of_a_stay_belongs_to_it_and_begins_nothing(wired, rollout):
    confirm(wired, rollout, 1, 0, entry=0)
    confirm(wired, rollout, 2, 5, entry=0)
    confirm(wired, rollout, 3, 10, entry=1, share_bp=500, step=1)
    assert [(stay.entry, stay.since, stay.until) for stay in stays(rollout)] == [
        (0, APRIL, APRIL + 10 * HOUR),
        (1, APRIL + 10 * HOUR, None),
    ]
    assert {generation: entry.entry for generation, entry in by_generation(rollout).items()} == {
        1: 0, 2: 0, 3: 1,
    }  # fmt: skip


def test_a_stay_that_was_never_confirmed_is_left_out_and_leaves_no_gap(wired, rollout):
    confirm(wired, rollout, 1, 0, entry=0)
    confirm(wired, rollout, 5, 20, entry=3, share_bp=0, step=0)
    first, second = stays(rollout)
    assert (first.entry, first.until, second.entry) == (0, second.since, 3)


# The order in which confirmations were written down is no matter; each example has a rollout of its own.
@given(lengths=st.lists(st.integers(1, 3), min_size=1, max_size=6), data=st.data())
def test_any_confirmed_stays_are_contiguous_and_in_order(lengths, data):
    from headgate.rollout import stays as contiguous

    entries = [entry for entry, writes in enumerate(lengths) for _ in range(writes)]
    hours = sorted(data.draw(st.lists(st.integers(0, 500), min_size=len(entries), max_size=len(entries))))
    confirmed = [
        Entry(entry, entry, 100 * entry, APRIL + hour * HOUR)
        for entry, hour in zip(entries, hours, strict=True)
    ]
    found = contiguous(confirmed)
    assert [stay.entry for stay in found] == list(range(len(lengths)))
    assert all(before.until == after.since for before, after in pairwise(found))
    assert found[-1].until is None
    assert found[0].since == confirmed[0].since
