"""Caps: a quantile over the first batches, frozen once, and never judged by itself."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.compare.caps import Caps
from headgate.compare.quality import paired_rows
from headgate.evidence import BlockSum, Entry, RateSum
from tests.builders import APRIL, plan
from tests.unit.exchange_rows import BLOCK
from tests.unit.small_batches import batch, plan_of

STAY = Entry(0, 0, 0, APRIL)
MINUTES = plan_of("absolute_error", "number")


def labelled(n, lost=1.0, start=0):
    """n labelled pairs, the incumbent off by ``lost`` and the candidate right."""
    label = np.arange(start, start + n, dtype=float)
    return batch(label + lost, label, label)


def test_a_cap_is_frozen_by_the_batch_that_brings_a_thousand_losses():
    first = Caps().after(MINUTES, labelled(499))
    assert first.frozen == {}
    assert len(first.gathered["q"]) == 998
    second = first.after(MINUTES, labelled(1, lost=7.0))
    assert second == Caps({"q": 1.0}, {})


def test_the_cap_is_the_99_9_percent_quantile_of_both_sides():
    label = np.zeros(1000)
    found = Caps().after(MINUTES, batch(np.arange(1000.0), np.arange(1000.0, 2000.0), label))
    assert found.frozen == {"q": 1997.0}  # of 0 to 1999, 1998 values do not exceed it


def test_a_frozen_cap_never_changes():
    caps = Caps({"q": 3.0})
    assert caps.after(MINUTES, labelled(5000, lost=80.0)) == caps


def test_only_gates_without_a_largest_loss_of_their_own_and_without_a_cap_in_the_plan_gather():
    for the_plan in (plan_of("brier"), plan_of("absolute_error", "number", cap=4.0)):
        assert Caps().after(the_plan, batch([0.1] * 2000, [0.2] * 2000, [1] * 2000)) == Caps()


def test_losses_that_are_nearly_all_zero_are_capped_by_their_largest():
    label = np.zeros(2000)
    rare = label.copy()
    rare[7] = 30.0
    assert Caps().after(MINUTES, batch(rare, label, label)).frozen == {"q": 30.0}


def test_where_nothing_was_ever_lost_no_cap_is_invented_and_memory_stays_small():
    label = np.zeros(4000)
    found = Caps().after(MINUTES, batch(label, label, label))
    assert found.frozen == {}
    assert len(found.gathered["q"]) == 1000


def test_missing_unpaired_and_undrawn_labels_gather_nothing():
    there = labelled(3)
    label = there.label.copy()
    label[0] = np.nan
    unsure = replace(
        there, label=label, paired=np.array([True, False, True]), drawn=np.array([True, True, False])
    )
    assert Caps().after(MINUTES, unsure) == Caps()


def test_costs_are_capped_by_the_incumbents():
    the_plan = plan(gates=[{"name": "q", "metric": "cost", "margin": 0.1}])
    costs = (np.full(1000, 2.0), np.full(1000, 50.0))
    many = batch([0.5] * 1000, [0.5] * 1000, [np.nan] * 1000, amounts={"cost": costs})
    assert Caps().after(the_plan, many).frozen == {"q": 2.0}
    assert Caps().after(the_plan, labelled(1000)) == Caps()


def test_an_unpaired_gate_gathers_the_loss_of_the_side_that_answered():
    the_plan = plan_of("absolute_error", "number", unpaired=True)
    sides = np.arange(1000) % 2 == 0
    many = replace(labelled(1000, lost=5.0), candidate_side=sides)
    assert Caps().after(the_plan, many).frozen == {"q": 5.0}
    assert Caps().after(the_plan, replace(many, candidate_side=np.ones(1000, bool))).frozen == {}


def test_a_gate_without_a_cap_yet_judges_nothing():
    rows = [paired_rows(MINUTES, labelled(5), BLOCK, STAY, caps) for caps in (Caps().frozen, {"other": 1.0})]
    assert rows == [[], []]


def test_a_capped_gate_counts_how_often_its_cap_is_passed_by_the_candidate_alone():
    three = batch([0.0, 0.0, 9.0], [9.0, 1.0, 0.0], [0.0, 0.0, 0.0])
    quality, above = paired_rows(MINUTES, three, BLOCK, STAY, {"q": 4.0})
    assert isinstance(quality.sums, BlockSum)
    assert (quality.sums.cap, quality.sums.capped) == (4.0, 2)
    assert quality.sums.observed == pytest.approx((4 + 1 - 4) / 3)
    assert (above.gate, above.segment, above.batch) == ("q-capped", None, APRIL)
    assert above.sums == RateSum(n=3, x=1)
    assert above.gate in {gate.name for gate in MINUTES.all_gates}


sizes = st.lists(st.integers(0, 700), max_size=6)


@given(sizes, st.integers(0, 2**32))
def test_a_restart_between_two_batches_and_any_order_within_them_freeze_the_same_caps(sizes, seed):
    rng = np.random.default_rng(seed)
    straight = restarted = Caps()
    for n in sizes:
        incumbent, candidate, label = rng.normal(size=(3, n))
        order = rng.permutation(n)
        straight = straight.after(MINUTES, batch(incumbent, candidate, label))
        restarted = Caps.from_json(json.loads(json.dumps(restarted.to_json())))
        restarted = restarted.after(MINUTES, batch(incumbent[order], candidate[order], label[order]))
    assert straight == restarted
