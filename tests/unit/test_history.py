"""A history is read whole, joined and in order, whatever files it comes in."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headgate.adapters.history import open_history
from tests.builders import APRIL
from tests.histories import INSTANT, exchanges, outcomes, put, small_plan, write

SEGMENTED = {"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}}


def read(plan, made, known):
    with open_history(plan, made, known) as history:
        return history, list(history.blocks()), dict(history.data_quality)


def test_a_history_comes_in_blocks_of_time_each_sorted_by_entity_and_request(tmp_path):
    history, blocks, quality = read(small_plan(), *write(tmp_path, exchanges(3), outcomes(3)))
    assert [block.num_rows for block in blocks] == [100, 100, 100]
    assert (history.rows, history.first_at, quality) == (300, APRIL, {})
    for day, block in enumerate(blocks):
        assert {at.date() for at in block["at"].to_pylist()} == {(APRIL + timedelta(days=day)).date()}
        keys = list(zip(block["entity"].to_pylist(), block["request_id"].to_pylist(), strict=True))
        assert keys == sorted(keys)


def test_reading_twice_gives_the_same_tables(tmp_path):
    with open_history(small_plan(), *write(tmp_path, exchanges(3), outcomes(3))) as history:
        first = history.blocks()
        next(first)  # one that stopped early does not disturb the next
        again = list(history.blocks())
        assert [block.equals(other) for block, other in zip(again, history.blocks(), strict=True)] == [
            True
        ] * 3


def test_labels_are_joined_with_when_they_were_known(tmp_path):
    _, blocks, _ = read(small_plan(), *write(tmp_path, exchanges(2), outcomes(2)))
    table = pa.concat_tables(blocks)
    labels = dict(zip(outcomes(2)["request_id"].to_pylist(), outcomes(2)["label"].to_pylist(), strict=True))
    assert dict(zip(table["request_id"].to_pylist(), table["label"].to_pylist(), strict=True)) == labels
    assert pc.unique(pc.subtract(table["known_at"], table["at"])).to_pylist() == [timedelta(hours=6)]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_csv_and_parquet_files_folders_and_patterns_say_the_same(tmp_path, kind):
    made, known = exchanges(2), outcomes(2)
    _, whole, _ = read(small_plan(), *write(tmp_path / "one", made, known))
    folder = tmp_path / "split" / "deep"
    for i in range(4):
        put(folder / f"exchanges-{i}.{kind}", made.slice(i * 50, 50))
    put(tmp_path / f"known.{kind}", known)
    (folder / "_SUCCESS").write_text("")
    for path in (tmp_path / "split", tmp_path / "split" / "*" / f"exchanges-*.{kind}"):
        _, parts, _ = read(small_plan(), str(path), str(tmp_path / f"known.{kind}"))
        assert [block.equals(other) for block, other in zip(whole, parts, strict=True)] == [True, True]


def test_the_order_of_the_files_rows_does_not_matter(tmp_path):
    made, known = exchanges(3), outcomes(3)
    _, whole, _ = read(small_plan(), *write(tmp_path / "a", made, known))
    order = np.random.default_rng(3).permutation(made.num_rows)
    _, mixed, _ = read(small_plan(), *write(tmp_path / "b", made.take(order), known.take(order[::-1])))
    assert [block.equals(other) for block, other in zip(whole, mixed, strict=True)] == [True] * 3


def test_optional_columns_come_through_where_they_are(tmp_path):
    n = 200
    made = exchanges(
        2,
        incumbent_latency_ms=np.full(n, 10.0),
        candidate_latency_ms=np.where(np.arange(n) == 3, -1.0, 12.0),
        candidate_cost=np.full(n, 0.5),
        served_by=pa.array(["incumbent"] * n),
        share_bp=np.full(n, 500),
    )
    _, blocks, quality = read(small_plan(segments=SEGMENTED), *write(tmp_path, made, outcomes(2)))
    table = pa.concat_tables(blocks)
    assert set(table["served_by"].to_pylist()) == {"incumbent"}
    assert set(table["share_bp"].to_pylist()) == {500}
    assert set(table["seg_origin"].to_pylist()) == {"JFK", "LGA"}
    assert table["candidate_latency_ms"].null_count == 1
    assert quality == {"candidate_latency_ms_unusable": 1}
    _, blocks, _ = read(small_plan(), *write(tmp_path / "bare", exchanges(2), outcomes(2)))
    assert "candidate_latency_ms" not in blocks[0].column_names


def test_without_statuses_an_answer_is_ok_and_none_is_an_error(tmp_path):
    made = exchanges(2, errors=0.1).drop_columns(["incumbent_status", "candidate_status"])
    missing = made["candidate_prediction"].null_count
    _, blocks, quality = read(small_plan(), *write(tmp_path, made, outcomes(2)))
    statuses = pc.value_counts(pa.concat_tables(blocks)["candidate_status"]).to_pylist()
    assert {s["values"]: s["counts"] for s in statuses} == {"ok": 200 - missing, "error": missing}
    assert quality == {"candidate_not_answered": missing}


def test_whole_numbers_are_ids_and_timestamps_of_any_unit_are_times(tmp_path):
    made, known = exchanges(2), outcomes(2)
    numbers = pa.array(np.arange(200))
    for name, unit in (("ns", "ns"), ("ms", "ms")):
        at = made["at"].cast(pa.timestamp(unit, "UTC"), safe=False)
        files = write(
            tmp_path / name,
            made.set_column(0, "request_id", numbers).set_column(2, "at", at),
            known.set_column(0, "request_id", numbers),
        )
        history, blocks, quality = read(small_plan(), *files)
        assert (history.rows, history.outcomes, quality) == (200, 200, {})
        assert blocks[0]["at"].type == INSTANT


def test_an_unknown_entity_is_its_own_request(tmp_path):
    made = exchanges(2)
    entity = pa.array([None, "", *made["entity"].to_pylist()[2:]])
    _, blocks, quality = read(
        small_plan(), *write(tmp_path, made.set_column(1, "entity", entity), outcomes(2))
    )
    table = pa.concat_tables(blocks)
    mine = dict(zip(table["request_id"].to_pylist(), table["entity"].to_pylist(), strict=True))
    assert (mine["r0"], mine["r1"], quality) == ("r0", "r1", {"unknown_entity": 2})


def test_an_entity_that_is_half_the_traffic_is_reported(tmp_path):
    made = exchanges(2)
    half = pa.array(["big" if i % 2 else f"e{i}" for i in range(200)])
    _, _, quality = read(small_plan(), *write(tmp_path, made.set_column(1, "entity", half), outcomes(2)))
    assert quality == {"one_entity_above_a_fifth": 100}


def test_temporary_files_are_removed_also_after_an_error(tmp_path, monkeypatch):
    spill = tmp_path / "spill"
    spill.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spill))
    files = write(tmp_path, exchanges(2), outcomes(2), "csv")
    read(small_plan(), *files)
    assert list(spill.iterdir()) == []
    with pytest.raises(RuntimeError, match="half-way"), open_history(small_plan(), *files):  # noqa: PT012 - it is raised inside on purpose
        assert len(list(spill.iterdir())) == 1
        raise RuntimeError("half-way")
    assert list(spill.iterdir()) == []


def test_the_lakes_own_exchanges_are_read_by_their_segment_columns(tmp_path):
    made = exchanges(2)
    made = made.rename_columns(["seg_origin" if name == "origin" else name for name in made.column_names])
    _, blocks, _ = read(small_plan(segments=SEGMENTED), *write(tmp_path, made, outcomes(2)))
    assert "seg_origin" in blocks[0].column_names
