"""The input contract: what may be scored, and what is said about the rest."""

import math
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from headgate.contract import check
from headgate.errors import InputError
from headgate.plan.model import InputContract


def contract(on_invalid="reject", **columns):
    return InputContract.model_validate({"columns": columns, "on_invalid": on_invalid})


def outcome(values, rule, on_invalid="reject"):
    """(accepted, flagged, reasons) of a table with one column x."""
    checked = check(pa.table({"x": values}), contract(on_invalid, x=rule))
    return checked.mask_ok.tolist(), checked.flagged.tolist(), checked.reasons


def test_clean_requests_are_accepted_without_a_word():
    assert outcome([1, 2, 3], {"type": "integer", "min": 1, "max": 3}) == ([True] * 3, [False] * 3, {})


def test_missing_values_are_refused_unless_the_plan_allows_them():
    assert outcome([1.0, None], {"type": "number"}) == ([True, False], [False] * 2, {"x.missing": 1})
    assert outcome([1.0, None], {"type": "number", "missing": "allow"}) == ([True] * 2, [False] * 2, {})


def test_nan_and_infinities_are_counted_by_name_and_are_not_missing_values():
    values = pa.array([1.0, math.nan, math.inf, -math.inf], from_pandas=False)
    rule = {"type": "number", "min": 0, "max": 9, "missing": "allow"}
    assert outcome(values, rule) == (
        [True, False, False, False], [False] * 4, {"x.not_a_number": 1, "x.infinite": 2}
    )  # fmt: skip


def test_values_out_of_range_are_counted_by_the_side_they_are_on():
    assert outcome([-1, 0, 23, 24], {"type": "integer", "min": 0, "max": 23})[2] == {
        "x.below_min": 1, "x.above_max": 1
    }  # fmt: skip


def test_whole_floats_are_integers_and_others_are_not():
    assert outcome([1.0, 1.5], {"type": "integer"}) == ([True, False], [False] * 2, {"x.wrong_type": 1})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2"], "integer"),
        (["1", "2"], "number"),
        ([True, False], "integer"),
        ([1, 2], "category"),
        ([0, 1], "boolean"),
        (["true", "false"], "boolean"),
        (["2013-01-01T00:00:00Z", "x"], "timestamp"),
        ([[1], [2]], "number"),
    ],
)
def test_nothing_is_converted_to_fit(values, kind):
    assert outcome(values, {"type": kind}) == ([False, False], [False] * 2, {"x.wrong_type": 2})


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(20, 1)])
def test_every_arrow_number_is_a_number(kind):
    values = pa.array([1, 30, None], pa.int32()).cast(kind)
    assert outcome(values, {"type": "number", "max": 9})[2] == {"x.missing": 1, "x.above_max": 1}


def test_numbers_kept_as_a_dictionary_are_numbers():
    values = pa.array([1, 30, None]).dictionary_encode()
    assert outcome(values, {"type": "integer", "max": 9})[2] == {"x.missing": 1, "x.above_max": 1}


def test_an_unknown_category_is_rejected_or_flagged_as_the_plan_says():
    rule = {"type": "category", "values": ["AA", "UA"]}
    values = ["AA", "XX", None]
    assert outcome(values, rule)[:2] == ([True, False, False], [False] * 3)
    assert outcome(values, rule | {"other": "flag", "missing": "allow"}) == (
        [True, True, True], [False, True, False], {"x.unknown_category": 1}
    )  # fmt: skip


def test_dictionary_columns_are_read_as_their_values():
    values = pa.array(["AA", "XX", None]).dictionary_encode()
    assert outcome(values, {"type": "category", "values": ["AA"]})[2] == {
        "x.missing": 1, "x.unknown_category": 1
    }  # fmt: skip


def test_any_text_is_a_category_where_no_values_are_named():
    assert outcome(["AA", ""], {"type": "category"})[2] == {}


def test_timestamps_need_a_zone():
    aware = pa.array([datetime(2013, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    assert outcome(aware, {"type": "timestamp"}) == ([True], [False], {})
    naive = aware.cast(pa.timestamp("us"))
    assert outcome(naive, {"type": "timestamp"}) == ([False], [False], {"x.naive_timestamp": 1})


def test_flag_keeps_odd_requests_but_never_what_cannot_be_sent():
    values = [5.0, 99.0, None, math.nan, math.inf]
    rule = {"type": "number", "max": 9}
    accepted, flagged, reasons = outcome(pa.array(values, from_pandas=False), rule, "flag")
    assert accepted == [True, True, True, False, False]
    assert flagged == [False, True, True, False, False]
    assert sum(reasons.values()) == 4


def test_every_reason_of_a_row_is_kept_and_told_as_problem_details():
    table = pa.table({"hour": [3, 99], "carrier": ["AA", None]})
    rules = contract(
        hour={"type": "integer", "min": 0, "max": 23}, carrier={"type": "category", "values": ["AA", "UA"]}
    )
    checked = check(table, rules)
    assert checked.row_reasons == {1: "hour.above_max; carrier.missing"}
    assert checked.problem(0) is None
    assert checked.problem(1) == {
        "type": "about:blank",
        "title": "The request cannot be scored",
        "status": 422,
        "errors": [
            {
                "pointer": "#/hour",
                "code": "above_max",
                "detail": "asked a whole number of at least 0 and of at most 23; found 99 (int64)",
            },
            {"pointer": "#/carrier", "code": "missing", "detail": "asked one of AA, UA; found nothing"},
        ],
    }


def test_a_column_that_is_not_there_is_an_error_that_names_it():
    with pytest.raises(InputError, match=r"asked one column 'y'.*it is not there; the table has x"):
        check(pa.table({"x": [1]}), contract(y={"type": "number"}))


def test_a_column_that_is_there_twice_is_an_error():
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    with pytest.raises(InputError, match="2 times"):
        check(table, contract(x={"type": "number"}))


def test_columns_outside_the_contract_are_nobodys_business():
    assert check(pa.table({"x": [1], "z": [None]}), contract(x={"type": "number"})).mask_ok.all()


def test_no_requests_and_chunked_requests_are_checked_like_others():
    empty = pa.table({"x": pa.chunked_array([], pa.float64())})
    assert check(empty, contract(x={"type": "number"})).mask_ok.shape == (0,)
    chunked = pa.table({"x": pa.chunked_array([[1.0], [], [None, 50.0]])})
    checked = check(chunked, contract(x={"type": "number", "max": 9}))
    assert np.flatnonzero(~checked.mask_ok).tolist() == [1, 2]
    assert "found 50.0 (double)" in checked.problem(2)["errors"][0]["detail"]
