"""Bad input to profiles: every fault is a finding or an error with a todo, never a wrong number."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headgate.errors import InputError
from headgate.plan.sides import ColumnContract, ColumnKind
from headgate.profile import Kind, Opaque, compare, from_bytes, merge, outline, take, to_bytes
from headgate.profile.grid import is_coarse
from headgate.profile.telling import comparison_json, profile_json

RNG = np.random.default_rng(7)


def compared(old, new):
    reference = take(pa.table(old))
    found = compare(reference, take(pa.table(new), like=reference))
    json.dumps(comparison_json(found), allow_nan=False)  # no data is never a number, and never NaN
    return {column.name: column for column in found.columns}


def test_a_column_that_is_missing_or_new_is_said():
    found = compared({"a": [1.0], "gone": [1.0]}, {"a": [1.0], "fresh": ["x"]})
    assert found["gone"].changed == "not there any more"
    assert found["gone"].missing_current == 1.0
    assert (found["fresh"].changed, found["fresh"].kind) == ("new", Kind.CATEGORY)
    assert found["gone"].psi is found["fresh"].psi is found["fresh"].missing_reference is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ([1.5], ["1.5"], "was number, is category"),
        ([True], [1], "was boolean, is number"),
        (
            [datetime(2026, 1, 1, tzinfo=UTC)],
            [date(2026, 1, 1)],
            "was timestamp, is timestamp without a zone",
        ),
        ([1.5], [[1.5]], "was number, is list<item: double>"),
        ([1.5], [1], None),
        ([1.5], pa.array([None], pa.null()), None),
    ],
)
def test_a_column_that_changes_its_type_is_said_and_gets_no_distance(old, new, said):
    column = compared({"x": old}, {"x": new})["x"]
    assert column.changed == said
    if said:
        assert column.psi is column.ks is column.chi2_p is None


def test_a_type_that_changes_from_file_to_file_does_not_stop_the_others(tmp_path):
    pq.write_table(pa.table({"x": [1.0, 2.0], "y": [1, 2]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"x": ["one"], "y": [3]}), tmp_path / "2.parquet")
    profile = take(tmp_path)
    assert profile.columns["x"] == Opaque(3, frozenset({"number", "category"}))
    assert profile.columns["y"].seen == 3
    column = compare(take(tmp_path / "1.parquet"), profile).columns[0]
    assert column.changed == "was number, is category and number"


def test_a_column_that_only_some_files_have_is_missing_in_the_others(tmp_path):
    pq.write_table(pa.table({"x": [1.0]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"y": [1, 2, 3]}), tmp_path / "2.parquet")
    profile = take(tmp_path)
    assert (profile.rows, profile.missing("x"), profile.missing("y")) == (4, 0.75, 0.25)
    asked = take(tmp_path, columns=["x"])
    assert (asked.rows, asked.missing("x")) == (4, 0.75)


def test_an_all_null_column_has_no_distance_and_is_all_missing():
    for nulls in (pa.nulls(3), pa.nulls(3, pa.float64()), pa.nulls(3, pa.string())):
        column = compared({"x": nulls}, {"x": nulls})["x"]
        assert (column.missing_reference, column.missing_current, column.n_current) == (1.0, 1.0, 0)
        assert column.psi is column.ks is column.chi2_p is column.unseen_share is column.mean_current is None
    column = compared({"x": [1.0, 2.0]}, {"x": pa.nulls(2, pa.float64())})["x"]
    assert (column.missing_current, column.changed, column.psi) == (1.0, None, None)


def test_a_constant_column_that_stays_has_not_moved_and_one_that_jumps_has():
    same = compared({"x": [5.0] * 100, "c": ["a"] * 100}, {"x": [5.0] * 50, "c": ["a"] * 50})
    assert (same["x"].psi, same["x"].ks, same["x"].wasserstein) == (pytest.approx(0, abs=1e-3), 0.0, 0.0)
    assert (same["c"].chi2_p, same["c"].js) == (None, 0.0)
    jumped = compared({"x": [5.0] * 100, "c": ["a"] * 100}, {"x": [5.001] * 50, "c": ["b"] * 50})
    assert (jumped["x"].ks, jumped["x"].js) == (1.0, 1.0)
    assert jumped["x"].psi > 5
    assert jumped["x"].wasserstein == pytest.approx(0.001, rel=1e-3)
    assert (jumped["c"].unseen_share, jumped["c"].js) == (1.0, 1.0)


def test_infinities_and_nan_are_counted_and_poison_nothing():
    odd = [1.0, 2.0, 3.0, float("inf"), float("-inf"), float("nan"), None, 1e300]
    profile = take(pa.table({"x": odd}))
    state = profile.columns["x"]
    assert (state.seen, state.nan, state.below, state.above) == (7, 1, 1, 1)
    assert (state.least, state.most, profile.missing("x")) == (1.0, 1e300, 0.25)
    json.dumps(profile_json(profile), allow_nan=False)
    column = compared({"x": [1.0, 2.0, 3.0, 4.0]}, {"x": [*odd, *[float("inf")] * 4]})["x"]
    assert column.ks == pytest.approx(0.6)
    assert column.wasserstein is not None


def test_a_large_offset_with_noise_is_seen_as_finely_as_none():
    noise, moved = RNG.normal(size=5_000), RNG.normal(0.3, 1, size=5_000)
    plain = compared({"x": noise}, {"x": moved})["x"]
    offset = compared({"x": noise + 1e6}, {"x": moved + 1e6})["x"]
    assert offset.ks == pytest.approx(plain.ks, abs=0.004)
    assert offset.psi == pytest.approx(plain.psi, rel=0.05)
    assert offset.spread_current == pytest.approx(plain.spread_current, rel=1e-6)


def test_rows_that_begin_with_other_values_are_profiled_again_on_a_grid_that_fits():
    sorted_rows = pa.table({"x": np.concatenate([np.zeros(10), RNG.normal(1e6, 1, 150_000)])})
    first_only = outline(sorted_rows.slice(0, 10))
    assert is_coarse(take(sorted_rows, like=first_only).columns["x"])
    assert not is_coarse(take(sorted_rows).columns["x"])
    batches = [sorted_rows.slice(0, 10), sorted_rows.slice(10)]
    streamed = take(
        batch for part in batches for batch in part.to_batches()
    )  # a stream cannot be read twice: it is said
    assert compare(streamed, streamed).columns[0].coarse


def test_empty_and_tiny_windows_give_counts_and_no_invented_distance():
    none = {"x": pa.array([], pa.float64()), "c": pa.array([], pa.string())}
    assert [column.kind for column in take(pa.table(none)).columns.values()] == [Kind.NUMBER, Kind.CATEGORY]
    for found in (compared({"x": [1.0], "c": ["a"]}, none), compared(none, none)):
        for column in found.values():
            assert (
                column.psi is column.ks is column.chi2_p is column.missing_current is column.changed is None
            )
            assert column.n_current == 0
    tiny = compared({"x": [1.0, 2.0], "c": ["a", "b"]}, {"x": [1.5], "c": ["a"]})
    assert (tiny["x"].n_reference, tiny["x"].n_current, tiny["x"].ks) == (2, 1, 0.5)
    assert (tiny["c"].n_current, tiny["c"].chi2_p) == (1, None)
    assert take(iter(())).rows == 0


def test_ten_months_without_rows_are_a_span_and_no_difference():
    hours = [datetime(2026, m, d, h, tzinfo=UTC) for m in (1, 12) for d in range(1, 28) for h in range(24)]
    reference = take(pa.table({"at": hours[: len(hours) // 2]}), at="at")
    current = take(pa.table({"at": hours}), like=reference, at="at")
    assert (current.until - current.since).days > 300
    assert compare(reference, current).columns[0].chi2_p == 1.0


def test_values_outside_the_contract_are_counted():
    contract = {
        "x": ColumnContract(type=ColumnKind.NUMBER, min=0, max=10),
        "c": ColumnContract(type=ColumnKind.CATEGORY, values=("a", "b")),
    }
    good = take(pa.table({"x": [0.0, 10.0], "c": ["a", "b"]}), contract=contract)
    bad = take(
        pa.table({"x": [-1.0, 11.0, 5.0, float("nan")], "c": ["a", "z", None, "b"]}),
        like=good,
        contract=contract,
    )
    x, c = compare(good, bad).columns
    assert (x.out_of_contract_reference, x.out_of_contract_current) == (0.0, 0.75)
    assert c.out_of_contract_current == pytest.approx(1 / 3)
    assert merge(good, bad).columns["x"].outside == 3
    assert from_bytes(to_bytes(bad)) == bad


def test_dictionaries_of_any_shape_are_read_as_their_values():
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3, None], pa.int8()), ["a", "b", "a", None])
    numbers = pa.DictionaryArray.from_arrays(pa.array([0, 0, 1, 1, None]), [1.5, 2.5])
    profile = take(pa.table({"c": codes, "n": numbers, "v": pa.array(list("aabbc"), pa.string_view())}))
    assert (dict(profile.columns["c"].counts), profile.missing("c")) == ({"a": 2, "b": 1}, pytest.approx(0.4))
    assert (profile.columns["n"].kind, profile.columns["n"].mean) == (Kind.NUMBER, 2.0)
    assert profile.columns["v"].seen == 5


def test_slices_and_narrow_numbers_are_read_where_they_are():
    base = pa.array([9, 9, 9, 1, None, 3, 2, None, 4, 9], pa.int16())
    state = take(pa.table({"x": base.slice(3, 6)})).columns["x"]
    assert (state.seen, state.least, state.most, state.mean) == (4, 1.0, 4.0, 2.5)
    small = take(
        pa.table({"x": pa.array([0.5, 1.5], pa.float32()), "d": pa.array([Decimal("1.00"), Decimal("3.00")])})
    )
    assert (small.columns["x"].mean, small.columns["d"].mean) == (1.0, 2.0)


def test_a_long_text_does_not_make_a_large_profile():
    profile = take(pa.table({"x": ["word " * 10_000, "word " * 10_000, "word " * 10_001]}))
    assert len(to_bytes(profile)) < 1_000
    assert sorted(profile.columns["x"].counts.values()) == [1, 2]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path / "nothing.parquet", "found nothing there; name another"),
        (lambda path: path, "found none in this folder; name another"),
        (lambda path: _text(path / "no.parquet"), "asked a Parquet file; found .*; write it anew"),
        (lambda path: _cut(path / "cut.parquet"), "asked a Parquet file; found .*; write it anew"),
    ],
)
def test_files_that_are_none_are_refused(make, said, tmp_path):
    with pytest.raises(InputError, match=said):
        take(make(tmp_path))


def test_a_column_asked_for_that_is_nowhere_is_refused_in_a_reference_and_told_in_a_window():
    reference = take(pa.table({"x": [1.0]}))
    with pytest.raises(InputError, match="asked y; found x"):
        take(pa.table({"x": [1.0]}), columns=["y"])
    current = take(pa.table({"z": [1.0]}), columns=["x"], like=reference)
    assert compare(reference, current).columns[0].changed == "not there any more"


def test_a_column_there_twice_is_refused():
    with pytest.raises(InputError, match="found x twice"):
        take(pa.table([[1.0], [2.0]], names=["x", "x"]))


def test_a_column_of_times_that_is_none_is_refused():
    for at, said in (("x", "kind number"), ("y", "no such column")):
        with pytest.raises(InputError, match=said):
            take(pa.table({"x": [1.0]}), at=at)


def test_profiles_on_different_grids_are_not_compared():
    with pytest.raises(InputError, match="take the current profile like= the reference"):
        compare(take(pa.table({"x": [1.0]})), take(pa.table({"x": [2.0]})))


def test_bytes_that_are_no_whole_profile_are_refused():
    body = to_bytes(take(pa.table({"x": RNG.normal(size=100)})))
    for damaged, said in (
        (b"", "found something else"),
        (b"HGPROF", "found it damaged"),
        (body[:-20], "found it damaged"),
        (body[:60] + bytes((body[60] ^ 255,)) + body[61:], "found it damaged"),
        (b"PK" + body, "found something else"),
        (body[:6] + b"\x09" + body[7:], "found version 9; read it with"),
    ):
        with pytest.raises(InputError, match=said):
            from_bytes(damaged)


def _text(path):
    path.write_text("no Parquet")
    return path


def _cut(path):
    pq.write_table(pa.table({"x": RNG.normal(size=10_000)}), path)
    body = bytearray(path.read_bytes())
    body[4:400] = bytes(396)
    path.write_bytes(body)
    return path
