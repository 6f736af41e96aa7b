"""What an answer lost, metric by metric, worked by hand."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from headgate.compare.losses import cap_of, capped, difference_bounds, imported, losses
from headgate.errors import InputError
from tests.unit.small_batches import plan_of

PAYOFF = {"true_positive": 9, "false_positive": -4, "false_negative": -7, "true_negative": 1}


def loss(the_plan, prediction, label):
    found = losses(the_plan.gates[0], the_plan, np.array(prediction), np.array(label))
    return found.tolist()


@pytest.mark.parametrize(
    ("metric", "kind", "prediction", "label", "expected"),
    [
        ("brier", "probability", [0.25, 0.25], [0.0, 1.0], [0.0625, 0.5625]),
        ("zero_one", "probability", [0.5, 0.49, 0.5], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0]),
        ("accuracy", "probability", [0.5, 0.49], [1.0, 1.0], [0.0, 1.0]),
        ("zero_one", "label", [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]),
        ("absolute_error", "number", [10.0, -3.0], [7.5, 1.0], [2.5, 4.0]),
        ("squared_error", "number", [10.0, -3.0], [7.5, 1.0], [6.25, 16.0]),
        ("absolute_error", "probability", [0.25], [1.0], [0.75]),
    ],
)
def test_the_loss_of_each_metric(metric, kind, prediction, label, expected):
    assert loss(plan_of(metric, kind), prediction, label) == expected


def test_a_decision_costs_its_negative_worth():
    the_plan = plan_of("value", payoff=PAYOFF)
    assert loss(the_plan, [0.9, 0.9, 0.1, 0.1], [1.0, 0.0, 1.0, 0.0]) == [-9.0, 4.0, 7.0, -1.0]


def test_a_cap_is_the_plans_or_the_frozen_one_and_a_payoff_needs_none():
    gate = plan_of("absolute_error", "number").gates[0]
    assert (cap_of(gate, 3.0), cap_of(gate, None)) == (3.0, None)
    assert cap_of(plan_of("absolute_error", "number", cap=5.0).gates[0], 3.0) == 5.0
    assert cap_of(plan_of("value", payoff=PAYOFF, cap=5.0).gates[0], None) is None
    assert capped(np.array([1.0, 9.0]), 5.0).tolist() == [1.0, 5.0]


# ---------------------------------------------------------------- a loss of one's own


@pytest.fixture
def own(monkeypatch):
    """Put a function where `tests_own_losses:lost` finds it."""
    module = types.ModuleType("tests_own_losses")

    def put(function):
        module.lost = function
        monkeypatch.setitem(sys.modules, "tests_own_losses", module)
        imported.cache_clear()
        return plan_of("tests_own_losses:lost", "number", cap=10.0)

    yield put
    imported.cache_clear()


def test_a_loss_of_ones_own_is_called_with_whole_arrays(own):
    the_plan = own(lambda prediction, label: np.maximum(label - prediction, 0) * 2)
    assert loss(the_plan, [1.0, 5.0], [4.0, 4.0]) == [6.0, 0.0]


def test_a_loss_function_that_writes_into_its_arguments_changes_nothing_else(own):
    def rude(prediction, label):
        prediction -= label
        return np.abs(prediction)

    the_plan = own(rude)
    prediction = np.array([1.0, 5.0])
    losses(the_plan.gates[0], the_plan, prediction, np.array([4.0, 4.0]))
    assert prediction.tolist() == [1.0, 5.0]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda p, y: p - y, "finite losses of at least 0; found -3"),
        (lambda p, _: np.where(p > 2, np.nan, 1.0), "finite losses of at least 0; found nan"),
        (lambda p, _: np.full_like(p, np.inf), "finite losses of at least 0; found inf"),
        (lambda *_: 3.0, r"one loss per request, shape \(2,\); found shape \(\)"),
        (lambda p, y: max(p, y), "raised ValueError"),
        (17, "found a value of type int"),
    ],
)
def test_a_loss_function_that_is_none_is_an_error_that_names_it(own, function, message):
    the_plan = own(function)
    with pytest.raises(InputError, match=message) as caught:
        loss(the_plan, [1.0, 5.0], [4.0, 4.0])
    assert "tests_own_losses:lost" in str(caught.value)


@pytest.mark.parametrize("path", ["no_such_module_here:lost", "math:no_such_function"])
def test_a_loss_function_that_is_not_there_says_where_to_put_it(path):
    the_plan = plan_of(path, "number", cap=1.0)
    with pytest.raises(InputError, match="PYTHONPATH"):
        loss(the_plan, [1.0], [1.0])


# ---------------------------------------------------------------- labels that nobody knows


def bounds(the_plan, incumbent, candidate, cap=None):
    least, largest = difference_bounds(
        the_plan.gates[0], the_plan, np.array(incumbent), np.array(candidate), cap
    )
    return least.tolist(), largest.tolist()


def test_of_a_yes_or_no_both_labels_are_tried():
    assert bounds(plan_of("brier"), [0.5], [0.25]) == ([-0.1875], [0.3125])
    assert bounds(plan_of("zero_one"), [0.2, 0.9], [0.8, 0.9]) == ([-1.0, 0.0], [1.0, 0.0])
    assert bounds(plan_of("value", payoff=PAYOFF), [0.9], [0.1]) == ([-5.0], [16.0])


@pytest.mark.parametrize("metric", ["absolute_error", "squared_error"])
@pytest.mark.parametrize("apart", [0.0, 0.3, 1.0, 1.9, 2.0, 3.5, 40.0])
def test_of_a_number_the_bound_holds_for_every_label_and_is_reached(metric, apart):
    the_plan, cap = plan_of(metric, "number"), 4.0
    ((least,), (largest,)) = bounds(the_plan, [1.0], [1.0 + apart], cap)
    label = np.linspace(-60, 60, 120_001)

    def lost(answer):
        return capped(losses(the_plan.gates[0], the_plan, np.full_like(label, answer), label), cap)

    differences = lost(1.0 + apart) - lost(1.0)
    assert differences.max() <= largest + 1e-9
    assert differences.max() == pytest.approx(largest, abs=0.02)
    assert differences.min() == pytest.approx(least, abs=0.02)


def test_agreement_is_worth_nothing_whatever_the_label(own):
    the_plan = own(lambda p, y: np.abs(p - y))
    assert bounds(the_plan, [3.0, 3.0], [3.0, 3.5], 10.0) == ([0.0, -10.0], [0.0, 10.0])


def test_a_number_without_a_cap_has_no_bound():
    with pytest.raises(InputError, match="without a cap"):
        bounds(plan_of("absolute_error", "number"), [1.0], [2.0])
