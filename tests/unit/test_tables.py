"""Requests and outcomes made usable: everything left out is counted under one reason."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.errors import InputError
from headgate.plan.model import Plan
from headgate.tables import (
    EXCHANGES,
    REQUESTS,
    clean_outcomes,
    clean_requests,
    exchanges_schema,
    outcomes_schema,
    require,
    unknown_outcomes,
)

PLAN = Plan.model_validate(
    {
        "version": 1,
        "name": "r",
        "service": "s",
        "owner": {"name": "o", "contact": "o@x"},
        "author": "a@x",
        "incumbent": {"kind": "http", "url": "http://h:1", "model": "m", "version": "a"},
        "candidate": {"kind": "http", "url": "http://h:2", "model": "m", "version": "b"},
        "requests": {"path": "p", "id": "flight", "at": "scored_at"},
        "unit": {"entity": "tailnum"},
        "outcomes": {"path": "p", "label": "late", "known_at": "landed", "maturity": "2d"},
        "prediction": {"kind": "probability"},
        "gates": [{"name": "q", "metric": "brier", "margin": 0.01}],
        "steps": [{"percent": 0}, {"percent": 100}],
    }
)
START = datetime(2013, 4, 1, tzinfo=UTC)
UTC_US = pa.timestamp("us", "UTC")


def times(*hours, kind=UTC_US):
    return pa.array([None if h is None else START + timedelta(hours=h) for h in hours], UTC_US).cast(kind)


def requests(flight, hours, tailnum, **others):
    return pa.table({"flight": flight, "scored_at": times(*hours), "tailnum": tailnum, **others})


def outcomes(flight, late, hours):
    return pa.table({"flight": flight, "late": late, "landed": times(*hours)})


def kept(cleaned):
    return cleaned.table.column(0).to_pylist()


def non_zero(cleaned):
    return {reason: count for reason, count in cleaned.counts.items() if count}


# ---------------------------------------------------------------- requests


def test_requests_come_out_in_order_of_time_and_id_with_headgates_columns_first():
    cleaned = clean_requests(requests(["b", "c", "a"], [1, 0, 1], ["N1", "N2", "N1"], wind=[1, 2, 3]), PLAN)
    assert cleaned.table.schema.names == [*REQUESTS.names, "flight", "scored_at", "tailnum", "wind"]
    assert kept(cleaned) == ["c", "a", "b"]
    assert cleaned.table["wind"].to_pylist() == [2, 3, 1]
    assert require(cleaned.table, REQUESTS, "requests").schema == REQUESTS
    assert non_zero(cleaned) == {}


def test_every_bad_request_is_counted_under_one_reason_and_none_is_lost():
    table = requests(
        ["a", "a", "b", "b", None, "", "c", "d", "e"],
        [0, 0, 1, 2, 3, 4, None, 5, 6],
        ["N1", "N1", "N2", "N2", "N3", "N4", "N5", None, ""],
    )
    cleaned = clean_requests(table, PLAN)
    assert kept(cleaned) == ["a", "d", "e"]
    assert cleaned.counts == {
        "missing_id": 2, "contradicting_id": 2, "duplicate_id": 1, "missing_at": 1, "unknown_entity": 2
    }  # fmt: skip
    left_out = sum(count for reason, count in cleaned.counts.items() if reason != "unknown_entity")
    assert cleaned.table.num_rows + left_out == table.num_rows


def test_an_unknown_entity_falls_back_to_the_request_id():
    assert clean_requests(requests(["a"], [0], [None]), PLAN).table["entity"].to_pylist() == ["a"]


def test_rows_with_one_id_that_differ_anywhere_contradict_each_other():
    table = requests(["a", "a", "a"], [0, 0, 0], ["N1"] * 3, wind=[1.0, 1.0, None])
    assert non_zero(clean_requests(table, PLAN)) == {"contradicting_id": 3}


def test_copies_are_recognised_also_with_nan_lists_and_dictionaries():
    others = {
        "nan": pa.array([float("nan")] * 2, from_pandas=False),
        "list": [[1, 2], [1, 2]],
        "dictionary": pa.chunked_array([pa.array(["x"]).dictionary_encode()] * 2),
    }
    table = requests(["a", "a"], [0, 0], ["N1", "N1"], **others)
    assert non_zero(clean_requests(table, PLAN)) == {"duplicate_id": 1}


def test_whole_numbers_serve_as_ids_and_entities():
    cleaned = clean_requests(requests([7, 8], [0, 1], [1, None]), PLAN)
    assert cleaned.table.select(["request_id", "entity"]).to_pylist() == [
        {"request_id": "7", "entity": "1"}, {"request_id": "8", "entity": "8"}
    ]  # fmt: skip


def test_times_in_another_zone_or_unit_are_the_same_instants():
    table = requests(["a"], [0], ["N1"]).set_column(
        1, "scored_at", times(0, kind=pa.timestamp("ns", "America/New_York"))
    )
    assert clean_requests(table, PLAN).table["at"].to_pylist() == [START]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("scored_at", times(0, kind=pa.timestamp("us")), r"naive timestamps.*tz_localize"),
        ("scored_at", pa.array(["2013-04-01"]), "with a time zone; found string"),
        ("scored_at", times(0).cast(pa.date32()), "found date32"),
        ("scored_at", pa.array([2**62], pa.timestamp("s", "UTC")), "within the years"),
        ("flight", pa.array([1.5]), "text or whole numbers; found double"),
        ("tailnum", pa.array([1.5]), "text or whole numbers; found double"),
    ],
)
def test_a_key_column_of_no_use_is_an_error_that_says_what_to_do(column, values, message):
    table = requests(["a"], [0], ["N1"])
    table = table.set_column(table.schema.get_field_index(column), column, values)
    with pytest.raises(InputError, match=message):
        clean_requests(table, PLAN)


@pytest.mark.parametrize("column", ["flight", "scored_at", "tailnum"])
def test_a_key_column_that_is_missing_is_named(column):
    with pytest.raises(InputError, match=f"requests: asked one column '{column}'"):
        clean_requests(requests(["a"], [0], ["N1"]).drop_columns([column]), PLAN)


def test_no_requests_stay_no_requests():
    cleaned = clean_requests(requests(["a"], [0], ["N1"]).slice(0, 0), PLAN)
    assert cleaned.table.num_rows == sum(cleaned.counts.values()) == 0


# ---------------------------------------------------------------- outcomes


@pytest.mark.parametrize("late", [[True, False], [1, 0], [1.0, 0.0]])
def test_labels_may_be_booleans_integers_or_floats(late):
    cleaned = clean_outcomes(outcomes(["a", "b"], late, [1, 0]), PLAN)
    assert cleaned.table.schema == outcomes_schema(PLAN)
    assert cleaned.table.to_pydict() == {
        "flight": ["b", "a"], "late": [0, 1], "landed": [START, START + timedelta(hours=1)]
    }  # fmt: skip


def test_every_bad_outcome_is_counted_under_one_reason_and_none_is_lost():
    table = outcomes(
        [None, "a", "b", "c", "c", "d", "e", "e", "f"],
        [1.0, None, 0.5, 0.0, 1.0, 1.0, 1.0, 1.0, float("nan")],
        [0, 1, 2, 3, 4, None, 7, 6, 8],
    )
    cleaned = clean_outcomes(table, PLAN)
    assert kept(cleaned) == ["e"]
    assert cleaned.counts == {
        "missing_id": 1,
        "missing_label": 1,
        "not_binary": 2,
        "contradicting": 2,
        "missing_known_at": 1,
        "duplicate": 1,
    }
    assert cleaned.table.num_rows + sum(cleaned.counts.values()) == table.num_rows


def test_of_the_same_outcome_told_twice_the_earliest_counts():
    cleaned = clean_outcomes(outcomes(["a", "a", "a"], [1, 1, 1], [5, 3, 4]), PLAN)
    assert cleaned.table["landed"].to_pylist() == [START + timedelta(hours=3)]
    assert non_zero(cleaned) == {"duplicate": 2}


def test_a_contradiction_counts_also_where_one_side_does_not_say_when():
    cleaned = clean_outcomes(outcomes(["a", "a"], [1, 0], [1, None]), PLAN)
    assert non_zero(cleaned) == {"contradicting": 2}


@pytest.mark.parametrize("late", [["yes"], [[1]], times(0)])
def test_labels_of_another_type_are_an_error_that_names_the_column(late):
    with pytest.raises(InputError, match="asked label 'late' as 0 and 1"):
        clean_outcomes(outcomes(["a"], late, [0]), PLAN)


def test_naive_times_of_outcomes_are_an_error():
    table = outcomes(["a"], [1], [0]).set_column(2, "landed", times(0, kind=pa.timestamp("us")))
    with pytest.raises(InputError, match="outcomes: asked 'landed' with a time zone"):
        clean_outcomes(table, PLAN)


def test_outcomes_for_unknown_requests_are_counted():
    cleaned = clean_outcomes(outcomes(["a", "b", "c"], [1, 0, 1], [0, 1, 2]), PLAN)
    assert unknown_outcomes(cleaned.table, pa.array(["b", "z"])) == 2
    assert unknown_outcomes(cleaned.table, pa.chunked_array([["a", "b"], ["c"]])) == 0
    assert unknown_outcomes(cleaned.table, pa.chunked_array([], pa.string())) == 3


rows = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b", "c"]),
        st.sampled_from([None, 0, 1, 2]),
        st.sampled_from([None, 0, 1]),
    ),
    max_size=12,
)


@given(rows, st.randoms(use_true_random=False))
def test_cleaning_loses_nothing_forgets_order_and_is_done_after_once(told, random):
    def clean(told):
        ids, labels, hours = zip(*told, strict=True) if told else ([], [], [])
        columns = [pa.array(ids, pa.string()), pa.array(labels, pa.float64()), times(*hours)]
        return clean_outcomes(pa.table(columns, names=["flight", "late", "landed"]), PLAN)

    shuffled = list(told)
    random.shuffle(shuffled)
    once = clean(told)
    assert once.table.num_rows + sum(once.counts.values()) == len(told)
    assert clean(shuffled).table == once.table
    assert clean(shuffled).counts == once.counts
    again = clean_outcomes(once.table, PLAN)
    assert again.table == once.table
    assert not non_zero(again)


@given(rows)
def test_requests_are_all_kept_or_counted_and_cleaning_twice_is_cleaning_once(told):
    ids, entities, hours = zip(*told, strict=True) if told else ([], [], [])
    table = requests(pa.array(ids, pa.string()), hours, pa.array(entities, pa.int64()))
    once = clean_requests(table, PLAN)
    unknown = once.counts["unknown_entity"]
    assert once.table.num_rows + sum(once.counts.values()) - unknown == len(told)
    assert once.table["entity"].null_count == 0
    assert len(set(kept(once))) == once.table.num_rows
    again = clean_requests(once.table, PLAN)
    assert again.table == once.table
    assert set(non_zero(again)) <= {"unknown_entity"}


def test_copies_are_found_among_many_rows():
    n = 60_000
    ids = np.arange(n) % (n // 2)  # every request twice, far apart
    times_of_ids = pa.array(ids * 1_000_000).cast(UTC_US)
    table = pa.table({"flight": ids, "scored_at": times_of_ids, "tailnum": ids % 97})
    assert non_zero(clean_requests(table, PLAN)) == {"duplicate_id": n // 2}


# ---------------------------------------------------------------- exchanges


def test_exchanges_have_a_text_column_per_segment_behind_the_agreed_ones():
    schema = exchanges_schema(["origin", "carrier"])
    assert schema.names == [*EXCHANGES.names, "seg_origin", "seg_carrier"]
    assert EXCHANGES.names == [
        "request_id", "entity", "at", "window", "incumbent_prediction", "candidate_prediction",
        "incumbent_status", "candidate_status", "incumbent_version", "candidate_version",
        "reject_reason", "share_bp",
    ]  # fmt: skip


def test_a_table_is_held_against_its_schema():
    table = EXCHANGES.empty_table()
    assert require(table.select(EXCHANGES.names[::-1]), EXCHANGES, "exchanges").schema == EXCHANGES
    with pytest.raises(InputError, match="exchanges: asked one column 'seg_origin'"):
        require(table, exchanges_schema(["origin"]), "exchanges")
    wrong = table.set_column(11, "share_bp", pa.array([], pa.int64()))
    with pytest.raises(InputError, match="asked share_bp as int32; found int64"):
        require(wrong, EXCHANGES, "exchanges")
    nobody = pa.table({"request_id": pa.array([None], pa.string()), "entity": ["e"], "at": times(0)})
    with pytest.raises(InputError, match="asked request_id in every row; found 1 without"):
        require(nobody, REQUESTS, "requests")


# ---------------------------------------------------------------- numbers, overrides, impossible times


def changed(**changes):
    return Plan.model_validate(PLAN.canonical() | changes)


NUMBER = changed(
    prediction={"kind": "number"}, gates=[{"name": "q", "metric": "absolute_error", "margin": 1}]
)
OVERRULED = changed(outcomes=PLAN.canonical()["outcomes"] | {"overridden": "by_hand"})


def test_labels_of_a_regression_are_any_finite_numbers():
    table = outcomes(["a", "b", "c", "d", "e"], [3.5, -7.0, float("nan"), float("inf"), None], [1] * 5)
    cleaned = clean_outcomes(table, NUMBER)
    assert cleaned.table["late"].to_pylist() == [3.5, -7.0]
    assert cleaned.table.schema == outcomes_schema(NUMBER)
    assert (cleaned.counts["not_finite"], cleaned.counts["missing_label"]) == (2, 1)
    assert "not_binary" not in cleaned.counts
    assert clean_outcomes(cleaned.table, NUMBER).table == cleaned.table


def test_two_numbers_for_one_request_contradict_each_other_and_equal_ones_are_duplicates():
    cleaned = clean_outcomes(outcomes(["a", "a", "b", "b"], [3.5, 3.5, 1.0, 1.1], [2, 1, 1, 1]), NUMBER)
    assert kept(cleaned) == ["a"]
    assert (cleaned.counts["contradicting"], cleaned.counts["duplicate"]) == (2, 1)


@pytest.mark.parametrize("late", [["x"], [True], [START]])
def test_labels_that_are_no_numbers_are_an_error_that_names_the_column_of_a_regression(late):
    with pytest.raises(InputError, match="asked label 'late' as numbers"):
        clean_outcomes(outcomes(["a"], late, [1]), NUMBER)


def test_decimals_are_numbers():
    late = pa.array(["1.5"]).cast(pa.decimal128(5, 2))
    assert clean_outcomes(outcomes(["a"], late, [1]), NUMBER).table["late"].to_pylist() == [1.5]


def test_an_outcome_known_before_its_request_was_made_is_left_out_and_counted():
    asked = pa.table({"request_id": ["a", "b", "c"], "at": times(5, 5, 5)})
    table = outcomes(["a", "a", "b", "stranger"], [0, 1, 1, 1], [4, 6, 5, 1])
    cleaned = clean_outcomes(table, PLAN, asked)
    assert sorted(kept(cleaned)) == ["a", "b", "stranger"]
    assert cleaned.counts["outcome_before_request"] == 1
    assert cleaned.counts["contradicting"] == 0  # what is impossible contradicts nothing
    assert "outcome_before_request" not in clean_outcomes(table, PLAN).counts


def test_without_a_time_nothing_is_known_to_be_before_its_request():
    asked = pa.table({"request_id": ["a"], "at": times(5)})
    cleaned = clean_outcomes(outcomes(["a"], [1], [None]), PLAN, asked)
    assert (cleaned.counts["outcome_before_request"], cleaned.counts["missing_known_at"]) == (0, 1)


def test_overrides_are_kept_where_the_plan_names_their_column():
    table = outcomes(["a", "b", "c", "d"], [1, 0, 1, 0], [1, 2, 3, 4])
    table = table.append_column("by_hand", pa.array([1.0, 0.0, None, 7.0]))
    cleaned = clean_outcomes(table, OVERRULED)
    assert cleaned.table["by_hand"].to_pylist() == [1, 0, None, None]
    assert cleaned.counts["override_not_binary"] == 1
    assert cleaned.table.schema == outcomes_schema(OVERRULED)
    assert clean_outcomes(cleaned.table, OVERRULED).table == cleaned.table
    assert clean_outcomes(table, PLAN).table.num_columns == 3


def test_an_override_told_twice_at_once_counts_in_any_order():
    table = outcomes(["a", "a"], [1, 1], [1, 1]).append_column("by_hand", pa.array([False, True]))
    for order in ([0, 1], [1, 0]):
        assert clean_outcomes(table.take(order), OVERRULED).table["by_hand"].to_pylist() == [1]


def test_a_column_of_overrides_that_is_missing_is_named():
    with pytest.raises(InputError, match="by_hand"):
        clean_outcomes(outcomes(["a"], [1], [1]), OVERRULED)
