"""Steps are named, ordered, plain data, and do the same in training and serving."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.flights.preprocessing import OneHot, Preprocessing, Scale, ShareLate, Standardise
from headgate.errors import InputError

STEPS = (
    Scale("minutes", "sched_dep", 60.0),
    Standardise("distance-standard", "distance", mean=1000.0, deviation=500.0),
    OneHot("carrier-one-hot", "carrier", ("AA", "UA")),
    ShareLate("dest-share-late", "dest", {"IAH": 0.25, "MIA": 0.5}, otherwise=0.3),
)
WHOLE = Preprocessing(
    numbers=("sched_dep", "distance"),
    words=("carrier", "dest"),
    steps=STEPS,
    features=("sched_dep", "distance", "carrier=AA", "carrier=UA", "dest"),
    required=("sched_dep",),
)


def columns(rows):
    departs, distance, carrier, dest = zip(*rows, strict=True)
    return {
        "sched_dep": np.array(departs, dtype=float),
        "distance": np.array(distance, dtype=float),
        "carrier": list(carrier),
        "dest": list(dest),
    }


def test_every_step_does_its_part_in_the_order_of_the_features():
    matrix = WHOLE.matrix(columns([(17.25, 1500.0, "UA", "MIA"), (0.0, 1000.0, "AA", "IAH")]))
    assert matrix.tolist() == [[1035.0, 1.0, 0.0, 1.0, 0.5], [0.0, 0.0, 1.0, 0.0, 0.25]]


def test_words_never_seen_and_missing_values_have_a_defined_place():
    matrix = WHOLE.matrix(columns([(1.0, np.nan, "ZZ", "XXX"), (1.0, np.nan, None, None)]))
    assert np.isnan(matrix[:, 1]).all()
    assert matrix[:, [0, 2, 3, 4]].tolist() == [[60.0, 0.0, 0.0, 0.3]] * 2


words = st.sampled_from(["AA", "UA", "MIA", "IAH", "new", None])
numbers = st.floats(0, 5000) | st.just(np.nan)


@given(st.lists(st.tuples(numbers, numbers, words, words), min_size=1, max_size=20))
def test_a_batch_is_its_rows_one_by_one(rows):
    singly = np.vstack([WHOLE.matrix(columns([row])) for row in rows])
    np.testing.assert_array_equal(WHOLE.matrix(columns(rows)), singly)


def test_the_input_is_left_as_it_was():
    given_columns = columns([(17.25, 1500.0, "UA", "MIA")])
    WHOLE.matrix(given_columns)
    assert given_columns["sched_dep"].tolist() == [17.25]
    assert given_columns["carrier"] == ["UA"]


def test_json_gives_the_same_steps_back():
    again = Preprocessing.from_json(json.loads(json.dumps(WHOLE.to_json())))
    assert again == WHOLE
    assert again.fingerprint == WHOLE.fingerprint


def test_a_lost_a_swapped_and_a_changed_step_each_change_the_fingerprint():
    lost = WHOLE.without("minutes")
    swapped = Preprocessing(WHOLE.numbers, WHOLE.words, STEPS[::-1], WHOLE.features, WHOLE.required)
    hours = (Scale("minutes", "sched_dep", 1.0), *STEPS[1:])
    changed = Preprocessing(WHOLE.numbers, WHOLE.words, hours, WHOLE.features, WHOLE.required)
    assert len({part.fingerprint for part in (WHOLE, lost, swapped, changed)}) == 4


def test_losing_a_unit_step_breaks_nothing_that_shows():
    row = columns([(17.25, 1500.0, "UA", "MIA")])
    whole, lost = WHOLE.matrix(row), WHOLE.without("minutes").matrix(row)
    assert lost[0, 0] == 17.25
    assert lost[0, 1:].tolist() == whole[0, 1:].tolist()


def test_losing_a_step_that_is_not_there_names_those_that_are():
    with pytest.raises(InputError, match="lose step 'hours'; the steps are minutes, distance-standard"):
        WHOLE.without("hours")


def test_a_matrix_is_never_made_of_words_or_of_nothing():
    with pytest.raises(InputError, match="numbers in 'dest', found words"):
        WHOLE.without("dest-share-late").matrix(columns([(1.0, 1.0, "UA", "MIA")]))
    with pytest.raises(InputError, match="numbers in 'distance', found nothing"):
        WHOLE.matrix({"sched_dep": np.array([1.0])})


@pytest.mark.parametrize("broken", [{}, {"steps": [{"kind": "pickle"}]}, {"steps": [{"kind": "scale"}]}])
def test_steps_that_cannot_be_read_are_refused(broken):
    with pytest.raises(InputError, match="cannot be read"):
        Preprocessing.from_json({**WHOLE.to_json(), "steps": None, **broken})
