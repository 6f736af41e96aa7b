"""Which slice a request belongs to, and slices that a plan may not have."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headgate.errors import InputError
from headgate.plan.slice_rules import (
    slice_names_are_unique,
    slices_can_be_read,
    slices_compare_columns_with_what_they_hold,
    slices_share_no_requests,
)
from headgate.tables.slices import slice_columns, slice_of
from tests.builders import plan

STEPS = [{"percent": 0, "dwell": "2d"}, {"percent": 100}]
INPUT = {
    "columns": {
        "origin": {"type": "category", "values": ["EWR", "JFK", "LGA"]},
        "hour": {"type": "integer"},
        "late": {"type": "timestamp"},
    }
}


def sliced(**wheres):
    parts = [{"name": name, "where": where, "steps": STEPS} for name, where in wheres.items()]
    return plan(steps=None, slices=parts, input=INPUT)


BY_ORIGIN = sliced(jfk="origin == 'JFK'", early="origin == 'LGA' and hour < 12")


def table(**columns):
    return pa.table({"request_id": [f"r{i}" for i in range(len(next(iter(columns.values()))))], **columns})


def test_every_request_is_in_one_slice_or_in_none():
    log = table(origin=["JFK", "LGA", "LGA", "EWR", None], hour=[1, 2, 22, 4, 5])
    assert slice_of(BY_ORIGIN, log).to_pylist() == ["jfk", "early", None, None, None]
    assert slice_columns(BY_ORIGIN) == ("origin", "hour")


def test_the_answer_filters_a_table_by_its_name():
    log = table(origin=["JFK", "LGA", "EWR"], hour=[1, 2, 3])
    assert log.filter(pc.equal(slice_of(BY_ORIGIN, log), "jfk")).column("request_id").to_pylist() == ["r0"]


def test_without_slices_every_request_is_in_all():
    assert slice_of(plan(), table(origin=["JFK", None])).to_pylist() == ["all", "all"]
    assert slice_columns(plan()) == ()


def test_an_empty_table_has_no_slices_to_tell():
    empty = pa.table({"origin": pa.array([], pa.string()), "hour": pa.array([], pa.int64())})
    assert slice_of(BY_ORIGIN, empty).to_pylist() == []


def test_a_request_that_two_slices_claim_is_an_error_that_names_both():
    twice = sliced(jfk="origin == 'JFK'", early="hour < 12")
    with pytest.raises(InputError, match=r"found 1 in both 'jfk' and 'early', the first is request 'r1'"):
        slice_of(twice, table(origin=["LGA", "JFK"], hour=[3, 4]))


def test_a_column_that_is_missing_is_an_error_that_names_it():
    with pytest.raises(InputError, match="asked one column 'hour'"):
        slice_of(BY_ORIGIN, table(origin=["JFK"]))


@pytest.mark.parametrize(
    ("wheres", "says"),
    [
        ({"a": "origin == 'JFK'", "b": "origin  ==  'JFK'"}, "the very expression"),
        ({"a": "origin == 'JFK'", "b": "origin in ('JFK', 'LGA')"}, '{origin: "JFK"}'),
        ({"a": "hour < 12", "b": "hour > 10"}, "{hour: 11.0}"),
        ({"a": "hour <= 12", "b": "hour >= 12"}, "{hour: 12.0}"),
    ],
)
def test_slices_that_overlap_for_certain_are_refused_by_the_lint(wheres, says):
    (finding,) = slices_share_no_requests(sliced(**wheres))
    assert says in finding.found
    assert finding.path == ("slices", 1, "where")


@pytest.mark.parametrize(
    "wheres",
    [
        {"a": "origin == 'JFK'", "b": "origin == 'LGA'"},
        {"a": "hour < 12", "b": "hour >= 12"},
        {"a": "origin == 'JFK'", "b": "hour < 12"},  # only the data can show it
        {"a": "hour == 'x'", "b": "hour == 3"},
    ],
)
def test_slices_that_may_be_disjoint_pass_the_lint(wheres):
    assert not list(slices_share_no_requests(sliced(**wheres)))


def test_a_name_used_twice_and_the_name_of_no_slices_are_refused():
    twice = plan(
        steps=None,
        slices=[
            {"name": n, "where": f"hour == {i}", "steps": STEPS} for i, n in enumerate(["a", "a", "all"])
        ],
    )
    assert [f.path[1] for f in slice_names_are_unique(twice)] == [1, 2]


def test_an_expression_that_cannot_be_read_is_found_where_it_stands():
    (finding,) = slices_can_be_read(sliced(a="origin == JFK"))
    assert (finding.path, "position 11" in finding.found) == (("slices", 0, "where"), True)


@pytest.mark.parametrize("where", ["hour == 'x'", "origin == 3", "late == 'x'", "origin == 'JKF'"])
def test_a_literal_that_the_input_contract_never_holds_is_refused(where):
    assert len(list(slices_compare_columns_with_what_they_hold(sliced(a=where)))) == 1


def test_a_column_outside_the_input_contract_may_be_used():
    assert not list(slices_compare_columns_with_what_they_hold(sliced(a="carrier == 'UA'", b="hour == 3")))
