"""What a plan says beyond its keys: its slices, its implied gates, the families of its metrics."""

import math

import pytest

from headgate.errors import InputError
from headgate.plan.applies import carries, is_paired_loss, is_unpaired, loss_range, needs_labels
from headgate.plan.model import Gate, Metric
from tests.builders import PLAN, plan

RAMP = [{"percent": 0, "dwell": "1d"}, {"percent": 100}]
SLICES = [
    {"name": "jfk", "where": "origin == 'JFK'", "steps": RAMP},
    {"name": "lga", "where": "origin == 'LGA'", "steps": [*RAMP[:1], {"percent": 10}, *RAMP[1:]]},
]
COST = {"name": "cost", "metric": "cost", "margin": 0.1, "applies": "split", "from": 5, "role": "signal"}


def gate(**keys):
    return Gate.model_validate({"name": "g"} | keys)


def test_a_slice_lives_its_own_steps_and_its_part_of_the_error_budget():
    whole = plan(steps=None, slices=SLICES)
    lga = whole.of_slice("lga")
    assert [step.percent for step in lga.steps] == [0, 10, 100]
    assert lga.errors.promote_bad == whole.errors.promote_bad / 2
    assert lga.errors.roll_back_fine == whole.errors.roll_back_fine / 2
    assert lga.gates == whole.gates


def test_a_plan_without_slices_is_one_slice_called_all():
    whole = plan()
    assert whole.slice_names == ("all",)
    assert whole.of_slice("all") is whole


@pytest.mark.parametrize("changes", [{}, {"steps": None, "slices": SLICES}])
def test_a_slice_that_is_not_there_is_named_beside_those_that_are(changes):
    with pytest.raises(InputError, match=r"asked the slice 'ewr'; the plan has (all|jfk, lga)"):
        plan(**changes).of_slice("ewr")


def test_a_capped_gate_brings_a_gate_on_how_often_its_cap_is_passed():
    implied = plan(gates=[*PLAN["gates"], COST]).all_gates[-1]
    assert (implied.name, implied.metric, implied.role) == ("cost-capped", Metric.CAPPED_RATE, "signal")
    assert (implied.applies, implied.from_, implied.ceiling) == ("split", 5, 0.01)


def test_a_loss_that_is_bounded_by_itself_needs_no_cap():
    assert len(plan().all_gates) == len(plan().gates)
    assert loss_range(gate(metric="brier"), plan()) == 1
    numbers = plan(prediction={"kind": "number"}, gates=[gate(metric="squared_error", margin=1).model_dump()])
    assert loss_range(numbers.gates[0], numbers) == math.inf


def test_a_payoff_is_bounded_by_its_best_and_worst_decision():
    worth = gate(metric="value", margin=1, payoff={"true_positive": 50, "false_positive": -10})
    assert loss_range(worth, plan()) == 60
    assert needs_labels(worth)
    assert not needs_labels(gate(metric="value", margin=1))


def test_an_own_loss_is_named_by_its_function_and_survives_the_canonical_plan():
    own = plan(gates=[*PLAN["gates"], {"name": "own", "metric": "my.losses:pinball", "margin": 0.1}])
    assert (own.gates[-1].metric, own.gates[-1].loss) == (Metric.LOSS, "my.losses:pinball")
    assert type(own).model_validate(own.canonical()) == own


def test_outcomes_that_depend_on_the_decision_switch_paired_labels_off():
    dependent = plan(outcomes=PLAN["outcomes"] | {"depends_on_decision": True})
    brier = gate(metric="brier", margin=0.1)
    assert is_paired_loss(brier, plan())
    assert is_unpaired(brier, dependent)
    assert not carries(brier, dependent)
    assert not is_unpaired(gate(metric="cost", margin=0.1), dependent)


def test_numbers_may_be_anything_unless_the_plan_says_otherwise():
    assert plan().answers == (0, 1)
    assert plan(prediction={"kind": "number"}).answers == (-math.inf, math.inf)
    assert plan(prediction={"kind": "number"}, output={"min": 0}).answers == (0, math.inf)


def test_a_plan_frozen_before_the_guard_and_the_monitor_keeps_its_hash():
    # Computed by the versions before; approvals and ledger rows of running rollouts are bound to it.
    columns = {"a": {"type": "number"}}
    old = "a5e7b79c432aebe33c2e314113cff1a69f72bfd869a24e201a4d314f718a391d"
    assert plan(input={"columns": columns}).hash == old
    younger = [
        {"input": {"columns": columns, "mask": ["a"]}},
        {"input": {"columns": columns}, "serving": {"queue": {}}},
        {"input": {"columns": columns}, "serving": {"confidence_below": {"value": 0.5}}},
    ]
    assert len({old, *(plan(**changes).hash for changes in younger)}) == 4
