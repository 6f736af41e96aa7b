"""A request is read as the protocol says, or refused with the tensor's name."""

import json

import numpy as np
import pytest

from deployments.flights import protocol
from deployments.flights.preprocessing import Preprocessing
from headgate.errors import InputError

READS = Preprocessing(("sched_dep", "temp"), ("origin",), (), ("sched_dep",), required=("sched_dep",))


def tensor(name, values, datatype="FP64", **other):
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": values, **other}


def inputs(**other):
    rows = {
        "sched_dep": tensor("sched_dep", [17.25, 6]),
        "temp": tensor("temp", [None, 40.5]),
        "origin": tensor("origin", ["EWR", None], "BYTES"),
        **other,
    }
    return json.dumps({"id": "a-1", "inputs": [t for t in rows.values() if t is not None]}).encode()


def test_columns_are_read_with_null_as_missing():
    asked = protocol.read_request(inputs(), READS)
    assert (asked.id, asked.rows) == ("a-1", 2)
    assert asked.columns["sched_dep"].tolist() == [17.25, 6.0]
    np.testing.assert_array_equal(asked.columns["temp"], [np.nan, 40.5])
    assert asked.columns["origin"] == ["EWR", None]


def test_whole_numbers_are_numbers():
    asked = protocol.read_request(inputs(temp=tensor("temp", [1, None], "INT64")), READS)
    np.testing.assert_array_equal(asked.columns["temp"], [1.0, np.nan])


def test_tensors_of_other_models_are_left_alone():
    asked = protocol.read_request(inputs(dest=tensor("dest", ["IAH"], "BYTES")), READS)
    assert set(asked.columns) == {"sched_dep", "temp", "origin"}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"temp": None}, "tensor 'temp': missing"),
        ({"temp": tensor("temp", [1.0])}, "tensor 'temp': 1 rows where the tensors before it have 2"),
        ({"temp": tensor("temp", [1.0, "cold"])}, "tensor 'temp': asked for numbers or null, found text"),
        ({"temp": tensor("temp", [1.0, True])}, "tensor 'temp': asked for numbers or null, found a boolean"),
        ({"temp": tensor("temp", [[1.0], [2.0]])}, "tensor 'temp': asked for numbers or null, found a list"),
        ({"temp": tensor("temp", [1.0, 2.0], "BYTES")}, "tensor 'temp': asked for datatype FP64 or INT64"),
        ({"temp": tensor("temp", [1.0, 2.0], shape=[2, 1])}, r"tensor 'temp': asked for shape \[2\]"),
        ({"temp": tensor("temp", [1.0, 2.0], data=7)}, "tensor 'temp': asked for a list under 'data'"),
        ({"temp": tensor("temp", [10**400, 2.0])}, "infinity|infinite"),
        ({"sched_dep": tensor("sched_dep", [1.0, None])}, "tensor 'sched_dep': null in row 1"),
        ({"sched_dep": tensor("sched_dep", [])}, "tensor 'sched_dep': asked for 1 to 10000 rows, found 0"),
        (
            {"origin": tensor("origin", ["EWR", 3], "BYTES")},
            "tensor 'origin': asked for words or null, found a number",
        ),
        (
            {"origin": tensor("origin", ["EWR", "JFK"])},
            "tensor 'origin': asked for datatype BYTES, found 'FP64'",
        ),
        ({"again": tensor("temp", [1.0, 2.0])}, "tensor 'temp': given twice"),
        ({"nameless": {"data": []}}, r"inputs\[3\]: asked for a tensor with a name"),
    ],
)
def test_a_tensor_that_is_not_as_agreed_is_named(other, message):
    with pytest.raises(InputError, match=message):
        protocol.read_request(inputs(**other), READS)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[]", b"{}", b'{"inputs": {}}', b'{"inputs": [], "id": 3}']
)
def test_a_body_that_is_no_request_is_refused(body):
    with pytest.raises(InputError, match="asked for"):
        protocol.read_request(body, READS)


def test_values_stay_out_of_messages():
    with pytest.raises(InputError) as refused:
        protocol.read_request(inputs(temp=tensor("temp", [1.0, "s3cret"])), READS)
    assert "s3cret" not in str(refused.value)


def test_an_answer_carries_id_name_version_and_shape():
    asked = protocol.read_request(inputs(), READS)
    assert protocol.answer(asked, np.array([0.25, 0.5]), name="delays", version="gbm-2") == {
        "id": "a-1",
        "model_name": "delays",
        "model_version": "gbm-2",
        "outputs": [{"name": "probability", "datatype": "FP64", "shape": [2], "data": [0.25, 0.5]}],
    }
