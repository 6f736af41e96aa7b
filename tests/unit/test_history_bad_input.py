"""Bad input never becomes a pass: it is counted, or it is an error that names column and file."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headgate.adapters.history import open_history
from headgate.errors import InputError
from tests.histories import INSTANT, exchanges, outcomes, put, small_plan, write

SEGMENTED = {"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}}


def read(folder, made=None, known=None, plan=None, kind="parquet"):
    """Return (rows, all blocks as one table, data quality)."""
    files = write(
        folder, made if made is not None else exchanges(2), known if known is not None else outcomes(2), kind
    )
    with open_history(plan or small_plan(), *files) as history:
        table = pa.concat_tables(history.blocks())
        return history.rows, table, dict(history.data_quality)


def refusal(folder, *, made=None, known=None, plan=None, kind="parquet"):
    with pytest.raises(InputError) as caught:
        read(folder, made, known, plan, kind)
    message = str(caught.value)
    assert "asked" in message
    assert "found" in message
    return message


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, values)


def changed(table, name, places):
    """Return the table with some values of a column changed: {row: value}."""
    values = table[name].to_pylist()
    for place, value in places.items():
        values[place] = value
    return with_column(table, name, pa.array(values, table[name].type))


# ---------------------------------------------------------------- counted


def test_exact_duplicates_count_once_and_contradicting_ids_not_at_all(tmp_path):
    made = exchanges(2)
    other = changed(made.slice(7, 1), "candidate_prediction", {0: 0.1})
    rows, table, quality = read(tmp_path, pa.concat_tables([made, made.slice(3, 2), made.slice(3, 1), other]))
    ids = table["request_id"].to_pylist()
    assert (rows, len(ids), ids.count("r3"), ids.count("r7")) == (199, 199, 1, 0)
    assert quality == {
        "duplicate_id": 3, "contradicting_id": 2, "outcomes.unknown_request": 1,
    }  # fmt: skip


def test_duplicates_in_other_files_and_on_other_days_are_found(tmp_path):
    made = exchanges(2)
    later = with_column(made.slice(0, 1), "at", made["at"].slice(150, 1))
    put(tmp_path / "x" / "a.parquet", made)
    put(tmp_path / "x" / "b.parquet", pa.concat_tables([later, made.slice(1, 1)]))
    put(tmp_path / "o.parquet", outcomes(2))
    with open_history(small_plan(), str(tmp_path / "x"), str(tmp_path / "o.parquet")) as history:
        assert history.rows == 199
        assert history.data_quality == {
            "contradicting_id": 2, "duplicate_id": 1, "outcomes.unknown_request": 1,
        }  # fmt: skip


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_nan_infinite_and_impossible_answers_are_that_sides_fault(tmp_path, kind):
    made = changed(exchanges(2), "candidate_prediction", {0: float("nan"), 1: float("inf"), 2: 1.5, 3: -0.1})
    made = changed(made, "incumbent_prediction", {9: float("-inf")})
    _, table, quality = read(tmp_path, made, kind=kind)
    status = dict(zip(table["request_id"].to_pylist(), table["candidate_status"].to_pylist(), strict=True))
    assert [status[f"r{i}"] for i in range(5)] == ["invalid"] * 4 + ["ok"]
    assert quality == {
        "candidate_not_finite": 2, "candidate_out_of_range": 2, "incumbent_not_finite": 1,
    }  # fmt: skip


def test_a_null_answer_with_status_ok_is_an_error_of_that_side(tmp_path):
    _, table, quality = read(tmp_path, changed(exchanges(2), "candidate_prediction", {0: None}))
    assert pc.sum(pc.equal(table["candidate_status"], "error")).as_py() == 1
    assert quality == {"candidate_not_answered": 1}


def test_one_side_missing_for_a_stretch_is_its_error_not_a_gap(tmp_path):
    made = changed(exchanges(2), "candidate_prediction", dict.fromkeys(range(50, 150)))
    rows, table, _ = read(tmp_path, made)
    assert rows == 200
    assert pc.sum(pc.equal(table["candidate_status"], "error")).as_py() == 100


def test_outcomes_before_their_request_are_left_out(tmp_path):
    known = outcomes(2, late=timedelta(hours=6))
    at = exchanges(2)["at"].to_pylist()
    known = changed(known, "known_at", {0: at[0] - timedelta(seconds=1), 1: at[1]})
    _, table, quality = read(tmp_path, known=known)
    assert (table["label"].null_count, quality) == (1, {"outcomes.before_request": 1})


def test_outcomes_known_after_closing_are_missing(tmp_path):
    at = exchanges(2)["at"].to_pylist()
    midnight = at[0] + timedelta(days=2)  # the end of the first day plus a maturity of one
    known = changed(outcomes(2), "known_at", {0: midnight, 1: midnight + timedelta(microseconds=1)})
    _, table, quality = read(tmp_path, known=known)
    assert (table["label"].null_count, quality) == (1, {"outcomes.after_closing": 1})


def test_contradicting_outcomes_are_left_out_and_copies_count_once(tmp_path):
    known = outcomes(2)
    opposite = with_column(known.slice(0, 1), "label", pa.array(1 - np.asarray(known["label"].slice(0, 1))))
    _, table, quality = read(tmp_path, known=pa.concat_tables([known, opposite, known.slice(5, 1)]))
    assert table["label"].null_count == 1
    assert quality == {"outcomes.contradicting": 2, "outcomes.duplicate": 1}


def test_a_contradiction_after_closing_does_not_reach_back(tmp_path):
    known = outcomes(2)
    late = with_column(known.slice(0, 1), "label", pa.array(1 - np.asarray(known["label"].slice(0, 1))))
    late = changed(late, "known_at", {0: known["known_at"][0].as_py() + timedelta(days=9)})
    _, table, _ = read(tmp_path, known=pa.concat_tables([late, known]))
    mine = dict(zip(table["request_id"].to_pylist(), table["label"].to_pylist(), strict=True))
    assert mine["r0"] == known["label"][0].as_py()


def test_labels_that_are_not_binary_and_outcomes_of_nobody_are_counted(tmp_path):
    known = outcomes(2)
    known = with_column(known, "label", known["label"].cast(pa.float64()))
    known = changed(known, "label", {0: 2.0, 1: None, 2: float("nan"), 3: 0.5})
    known = changed(known, "request_id", {4: "nobody", 5: None})
    known = changed(known, "known_at", {6: None})
    _, table, quality = read(tmp_path, known=known)
    assert table["label"].null_count == 7
    assert quality == {
        "outcomes.missing_id": 1, "outcomes.missing_known_at": 1, "outcomes.missing_label": 1,
        "outcomes.not_binary": 3, "outcomes.unknown_request": 1,
    }  # fmt: skip


def test_rows_without_id_or_time_are_left_out(tmp_path):
    made = changed(changed(exchanges(2), "request_id", {0: None}), "at", {1: None})
    rows, _, quality = read(tmp_path, made)
    assert (rows, quality["missing_id"], quality["missing_at"]) == (198, 1, 1)


def test_ten_thousand_segment_values_are_no_burden(tmp_path):
    many = exchanges(100, origin=pa.array([f"v{i}" for i in range(10_000)]))
    rows, table, quality = read(tmp_path, many, outcomes(100), small_plan(segments=SEGMENTED))
    assert (rows, quality) == (10_000, {"segment_origin_values_not_told_apart": 9_000})
    assert len(pc.unique(table["seg_origin"])) == 1_001  # what is not told apart has no value: it is `other`


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("column", ["request_id", "entity", "at", "candidate_prediction"])
def test_a_missing_column_is_named_with_its_file(tmp_path, kind, column):
    message = refusal(tmp_path, made=exchanges(2).drop_columns([column]), kind=kind)
    assert repr(column) in message
    assert f"exchanges.{kind}" in message
    assert "--exchanges" in message


@pytest.mark.parametrize("column", ["request_id", "label", "known_at"])
def test_a_missing_column_of_the_outcomes_is_named(tmp_path, column):
    message = refusal(tmp_path, known=outcomes(2).drop_columns([column]))
    assert repr(column) in message
    assert "--outcomes" in message


def test_a_column_missing_from_one_of_many_files_names_that_file(tmp_path):
    put(tmp_path / "x" / "a.parquet", exchanges(2))
    put(tmp_path / "x" / "b.parquet", exchanges(2).drop_columns(["entity"]))
    put(tmp_path / "o.parquet", outcomes(2))
    with (
        pytest.raises(InputError, match=r"b\.parquet.*'entity'"),
        open_history(small_plan(), str(tmp_path / "x"), str(tmp_path / "o.parquet")),
    ):
        pass


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_naive_times_are_refused(tmp_path, kind):
    made = exchanges(2)
    naive = made["at"].cast(pa.timestamp("us"))
    if kind == "csv":
        naive = pa.array([at.isoformat() for at in naive.to_pylist()])
    message = refusal(tmp_path, made=with_column(made, "at", naive), kind=kind)
    assert "'at'" in message
    assert "zone" in message


def test_naive_times_of_outcomes_are_refused(tmp_path):
    known = outcomes(2)
    message = refusal(
        tmp_path, known=with_column(known, "known_at", known["known_at"].cast(pa.timestamp("us")))
    )
    assert "'known_at'" in message


def test_some_naive_times_among_others_are_refused(tmp_path):
    made = exchanges(2)
    texts = [at.isoformat() for at in made["at"].to_pylist()]
    texts[5] = texts[5].removesuffix("+00:00")
    message = refusal(tmp_path, made=with_column(made, "at", pa.array(texts)), kind="csv")
    assert "1 without one" in message


def test_mixed_time_zones_are_refused(tmp_path):
    made = exchanges(2)
    texts = [at.isoformat() for at in made["at"].to_pylist()]
    texts[5] = texts[5].replace("+00:00", "+02:00")
    message = refusal(tmp_path / "csv", made=with_column(made, "at", pa.array(texts)), kind="csv")
    assert "one time zone" in message
    put(tmp_path / "x" / "a.parquet", made.slice(0, 100))
    there = made.slice(100).cast(made.schema.set(2, pa.field("at", pa.timestamp("us", "America/New_York"))))
    put(tmp_path / "x" / "b.parquet", there)
    put(tmp_path / "o.parquet", outcomes(2))
    with (
        pytest.raises(InputError, match="America/New_York"),
        open_history(small_plan(), str(tmp_path / "x"), str(tmp_path / "o.parquet")),
    ):
        pass


def test_one_zone_with_either_spelling_of_utc_is_fine(tmp_path):
    made = exchanges(2)
    texts = [
        at.isoformat().replace("+00:00", "Z" if i % 2 else "+00:00")
        for i, at in enumerate(made["at"].to_pylist())
    ]
    rows, table, _ = read(tmp_path, with_column(made, "at", pa.array(texts)), kind="csv")
    assert rows == 200
    assert set(table["at"].to_pylist()) == set(made["at"].to_pylist())


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("candidate_prediction", ["high"] * 200),
        ("at", ["yesterday"] * 200),
        ("candidate_status", ["fine"] * 200),
    ],
)
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_column_of_another_type_is_named(tmp_path, column, values, kind):
    assert repr(column) in refusal(
        tmp_path, made=with_column(exchanges(2), column, pa.array(values)), kind=kind
    )


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_labels_of_another_type_than_the_plan_says_are_refused(tmp_path, kind):
    known = with_column(outcomes(2), "label", pa.array(["late"] * 200))
    assert "'label'" in refusal(tmp_path, known=known, kind=kind)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_true_and_false_are_labels(tmp_path, kind):
    known = with_column(outcomes(2), "label", pc.cast(outcomes(2)["label"], pa.bool_()))
    _, table, quality = read(tmp_path, known=known, kind=kind)
    assert (table["label"].null_count, quality) == (0, {})


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("which", ["exchanges", "outcomes"])
def test_files_without_rows_are_refused(tmp_path, kind, which):
    made, known = exchanges(2), outcomes(2)
    empty = {"exchanges": {"made": made.slice(0, 0)}, "outcomes": {"known": known.slice(0, 0)}}[which]
    assert f"--{which}" in refusal(tmp_path, **empty, kind=kind)


@pytest.mark.parametrize("name", ["exchanges.parquet", "exchanges.csv"])
def test_an_empty_file_is_refused(tmp_path, name):
    put(tmp_path / "o.parquet", outcomes(2))
    (tmp_path / name).write_bytes(b"")
    with (
        pytest.raises(InputError, match="empty file"),
        open_history(small_plan(), str(tmp_path / name), str(tmp_path / "o.parquet")),
    ):
        pass


@pytest.mark.parametrize("what", ["missing", "folder", "text", "garbage"])
def test_what_is_no_history_at_all_is_refused(tmp_path, what):
    put(tmp_path / "o.parquet", outcomes(2))
    path = (
        tmp_path / {"missing": "none.parquet", "folder": "f", "text": "a.txt", "garbage": "g.parquet"}[what]
    )
    if what == "folder":
        path.mkdir()
    elif what != "missing":
        path.write_text("not a table")
    with (
        pytest.raises(InputError, match="--exchanges"),
        open_history(small_plan(), str(path), str(tmp_path / "o.parquet")),
    ):
        pass


def test_a_segment_column_that_is_missing_is_refused(tmp_path):
    plan = small_plan(segments=SEGMENTED)
    assert "'origin'" in refusal(tmp_path, made=exchanges(2).drop_columns(["origin"]), plan=plan)


def test_a_share_that_is_none_and_a_side_that_is_nobody_are_refused(tmp_path):
    n = 200
    assert "'share_bp'" in refusal(tmp_path / "a", made=exchanges(2, share_bp=np.full(n, 20_000)))
    assert "'served_by'" in refusal(tmp_path / "b", made=exchanges(2, served_by=pa.array(["us"] * n)))


def test_times_keep_their_microseconds(tmp_path):
    made = exchanges(2)
    odd = pa.array([at + timedelta(microseconds=123_457) for at in made["at"].to_pylist()], INSTANT)
    for kind in ("parquet", "csv"):
        _, table, _ = read(tmp_path / kind, with_column(made, "at", odd), kind=kind)
        assert set(table["at"].to_pylist()) == set(odd.to_pylist())
