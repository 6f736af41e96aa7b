"""Entities of a split that history recorded, by the side they first met."""

from __future__ import annotations

import random
from datetime import timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headgate.compare.recorded import recorded_split_rows
from headgate.evidence import Entry, Source, SplitSum
from tests.builders import APRIL
from tests.unit.exchange_rows import exchange, exchanges

HOUR = timedelta(hours=1)
STAYS = (Entry(0, 0, 0, APRIL), Entry(1, 1, 2500, APRIL + 6 * HOUR))


def table(*rows):
    """(entity, hour, side, share): one exchange each; more keys as a fifth item."""
    made = exchanges(
        *(
            exchange(f"r{i}", entity=entity, at=APRIL + hour * HOUR, share_bp=share, **dict(*more))
            for i, (entity, hour, _, share, *more) in enumerate(rows)
        )
    )
    return made.append_column("served_by", pa.array([row[2] for row in rows], pa.string()))


def counted(rows):
    return {(row.batch, row.entry, row.share_bp): (row.sums.n1, row.sums.n0) for row in rows}


def test_an_entity_counts_once_per_entry_and_recorded_share_by_the_side_it_first_met():
    rows, seen = recorded_split_rows(
        table(
            ("a", 2, "candidate", 500),
            ("a", 1, "incumbent", 500),
            ("b", 2, "candidate", 500),
            ("b", 3, "candidate", 500),
            ("a", 4, "candidate", 5000),
            ("a", 7, "candidate", 5000),
        ),
        STAYS,
        "w",
    )
    assert counted(rows) == {
        (APRIL + 1 * HOUR, 0, 500): (0, 1),
        (APRIL + 2 * HOUR, 0, 500): (1, 0),
        (APRIL + 4 * HOUR, 0, 5000): (1, 0),
        (APRIL + 7 * HOUR, 1, 5000): (1, 0),
    }
    assert {(row.gate, row.source) for row in rows} == {("split", Source.PLANE)}
    assert {key: sorted(names.to_pylist()) for key, names in seen.items()} == {
        (0, 500): ["a", "b"], (0, 5000): ["a"], (1, 5000): ["a"],
    }  # fmt: skip


def test_without_both_columns_nothing_is_said_about_a_split():
    whole = table(("a", 1, "candidate", 500))
    for column in ("served_by", "share_bp"):
        assert recorded_split_rows(whole.drop_columns([column]), STAYS, "w") == ([], {})
    assert recorded_split_rows(whole.slice(0, 0), STAYS, "w") == ([], {})


def test_what_was_no_split_or_served_by_nobody_is_left_out():
    rows, _ = recorded_split_rows(
        table(("a", 1, "incumbent", 0), ("b", 1, "candidate", 10_000), ("c", 1, None, 500)), STAYS, "w"
    )
    assert rows == []


def test_a_candidate_that_falls_back_does_not_look_like_a_skewed_split():
    failing = [
        (f"e{i}", 1, "incumbent", 5000, {"candidate_status": "timeout"}) for i in range(50)
    ]  # assigned to whom? nobody knows: the incumbent answered them all
    fair = [(f"f{i}", 1, "candidate" if i % 2 else "incumbent", 5000) for i in range(20)]
    rows, _ = recorded_split_rows(table(*failing, *fair), STAYS, "w")
    assert [row.sums for row in rows] == [SplitSum(10, 10)]


drawn = st.lists(
    st.tuples(
        st.sampled_from("abcdef"), st.integers(0, 9), st.sampled_from(["candidate", "incumbent"]),
        st.sampled_from([0, 500, 5000]),
    ),
    max_size=30,
)  # fmt: skip


@given(drawn, st.integers(0, 2**32))
def test_order_changes_no_count_and_windows_in_order_of_time_add_up(requests, seed):
    straight, met = recorded_split_rows(table(*requests), STAYS, "w")
    mixed = list(requests)
    random.Random(seed).shuffle(mixed)
    assert recorded_split_rows(table(*mixed), STAYS, "w")[0] == straight
    cut, total, seen = seed % 10, {}, None
    for part in (lambda hour: hour < cut, lambda hour: hour >= cut):
        rows, seen = recorded_split_rows(table(*(r for r in requests if part(r[1]))), STAYS, "w", seen)
        total |= counted(rows)
    assert total == counted(straight)
    assert {k: set(v.to_pylist()) for k, v in seen.items()} == {k: set(v.to_pylist()) for k, v in met.items()}
