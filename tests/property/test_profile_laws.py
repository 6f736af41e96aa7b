"""Laws of profiles: parts add up to the whole, and bytes give back what was kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.profile import Numeric, Profile, compare, from_bytes, merge, outline, take, to_bytes

WEIRD = [0.0, -0.0, 1.0, 1e6, 1e6 + 1e-3, -1e-300, 1e300, float("inf"), float("-inf"), float("nan")]
numbers = st.one_of(st.floats(-1e3, 1e3), st.sampled_from(WEIRD), st.none())
texts = st.one_of(st.sampled_from(["AA", "UA", "", "Zürich"]), st.text("abé ", max_size=3), st.none())
times = st.one_of(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.none(),
)
rows = st.fixed_dictionaries(
    {
        "number": numbers,
        "whole": st.integers(-5, 5),
        "text": texts,
        "flag": st.booleans() | st.none(),
        "at": times,
    }
)
SCHEMA = pa.schema(
    [
        ("number", pa.float64()),
        ("whole", pa.int64()),
        ("text", pa.string()),
        ("flag", pa.bool_()),
        ("at", pa.timestamp("us", "UTC")),
    ]
)


def table(of: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(of, schema=SCHEMA)


def rounded(profile: Profile) -> Profile:
    """The same with means, which are sums of floats in some order, left out."""
    return replace(
        profile,
        columns={
            name: replace(column, mean=0.0, m2=0.0) if isinstance(column, Numeric) else column
            for name, column in profile.columns.items()
        },
    )


@settings(max_examples=20)
@given(st.lists(rows, max_size=30), st.randoms(use_true_random=False))
def test_nine_shuffled_partitions_merge_to_the_whole(some, random):
    whole_table = table(some)
    like = outline(whole_table)
    whole = take(whole_table, like=like, at="at")
    shuffled = random.sample(some, len(some))
    parts = [take(table(shuffled[i::9]), like=like, at="at") for i in range(9)]
    random.shuffle(parts)
    merged = merge(merge(*parts[:4]), merge(*parts[4:]))

    assert rounded(merged) == rounded(whole)
    for name in ("number", "whole"):
        one, other = merged.columns[name], whole.columns[name]
        assert one.mean == pytest.approx(other.mean, rel=1e-9, abs=1e-9)
        assert one.m2 == pytest.approx(other.m2, rel=1e-9, abs=1e-6)


@settings(max_examples=30)
@given(st.lists(rows, max_size=20))
def test_bytes_give_back_the_very_profile(some):
    profile = take(table(some), at="at")
    assert from_bytes(to_bytes(profile)) == profile
    assert to_bytes(from_bytes(to_bytes(profile))) == to_bytes(profile)


@settings(max_examples=30)
@given(st.lists(rows, min_size=1, max_size=20))
def test_a_window_is_at_no_distance_from_itself(some):
    profile = take(table(some))
    for column in compare(profile, profile).columns:
        distances = (column.psi, column.js, column.ks, column.wasserstein, column.unseen_share)
        assert {distance for distance in distances if distance is not None} <= {0.0}
        assert column.chi2_p in {None, 1.0}
        assert column.changed is None


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=50),
    st.lists(st.floats(-100, 100), min_size=1, max_size=50),
)
def test_distances_stay_in_their_range(old, new):
    reference = take(pa.table({"x": old}))
    (column,) = compare(reference, take(pa.table({"x": new}), like=reference)).columns
    assert column.psi >= 0
    assert 0 <= column.js <= 1
    assert 0 <= column.ks <= 1
    assert 0 <= column.wasserstein <= 200 * (1 + 2**-8)
    exact = np.abs(np.mean(old) - np.mean(new))
    assert column.wasserstein >= exact - 200 * 2**-8  # the mean moves no further than the mass


def test_parts_around_a_value_whose_square_is_infinite_merge_to_the_whole():
    row = {"number": 1e300, "whole": 0, "text": "AA", "flag": None}
    whole = table([row | {"at": datetime(2013, 4, 1, tzinfo=UTC)} for _ in range(4)])
    like = outline(whole)
    merged = merge(*(take(whole.slice(i, 2), like=like, at="at") for i in (0, 2))).columns["number"]
    assert (merged.finite, merged.mean, merged.m2) == (4, 1e300, 0.0)
