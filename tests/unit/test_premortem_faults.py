"""What each fault does to a history, one by one."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headgate.compare.stays import column_micros
from headgate.errors import InputError
from headgate.plan.model import Gate
from headgate.premortem.catalogue import FAULTS, NAMES, named
from headgate.premortem.fault import Fault, injected
from headgate.premortem.target import Target, aim, floats
from tests.builders import plan
from tests.unit.fault_tables import START, block, days

SEGMENTED = plan(segments={"by": ["region"], "floor": 0.02, "gates": {"quality": 0.03}})
BEFORE = START - timedelta(hours=1)


def fault(name: str) -> Fault:
    return next(one for one in FAULTS if one.name == name)


def broken(
    name: str, table: pa.Table, *, of=SEGMENTED, gate: Gate | None = None, d: float = 0.005
) -> pa.Table:
    aimed = Target(of, gate or of.gates[0], d, ("region", "south"), 0.03, BEFORE)
    return injected(fault(name), table, aimed)


def test_a_twentieth_of_the_answers_become_errors_without_a_prediction():
    after = broken("errors", block(n=4_000))
    failed = np.asarray(pc.equal(after["candidate_status"], "error"))
    assert failed.mean() == pytest.approx(0.05, abs=0.012)
    assert after["candidate_prediction"].null_count == failed.sum()


def test_a_slower_candidate_takes_a_third_longer_on_every_request():
    table = block()
    ratio = floats(broken("slow", table), "candidate_latency_ms") / floats(table, "candidate_latency_ms")
    assert ratio == pytest.approx(np.full(len(ratio), 1.3))


def test_labels_come_late_only_where_the_candidate_did_worse_and_then_after_closing():
    table = block()
    after = broken("late-labels", table)
    label, ours = floats(after, "label"), floats(after, "candidate_prediction")
    bad = (ours - label) ** 2 > (floats(after, "incumbent_prediction") - label) ** 2
    late = column_micros(after["known_at"]) > column_micros(table["known_at"])
    assert (late == bad).all()
    closes = START + timedelta(days=1) + SEGMENTED.outcomes.maturity
    known = np.array(after["known_at"].to_pylist())
    assert all(at > closes for at in known[bad])


def test_worse_in_one_segment_leaves_the_others_as_they_were():
    table = block(n=900)
    after = broken("worse-in-segment", table)
    moved = floats(after, "candidate_prediction") != floats(table, "candidate_prediction")
    south = np.asarray(pc.equal(table["seg_region"], "south"))
    assert moved[south].mean() > 0.9
    assert not moved[~south].any()
    rise = (floats(after, "candidate_prediction") - floats(table, "label")) ** 2
    rise -= (floats(table, "candidate_prediction") - floats(table, "label")) ** 2
    assert rise[south].mean() == pytest.approx(0.06, abs=1e-6)


def test_without_segments_a_tenth_of_the_entities_is_one():
    table = block(n=4_000)
    aimed = Target(plan(), plan().gates[0], 0.005, None, 0.005, BEFORE)
    after = injected(fault("worse-in-segment"), table, aimed)
    moved = floats(after, "candidate_prediction") != floats(table, "candidate_prediction")
    assert moved.mean() == pytest.approx(0.1, abs=0.04)
    entities = np.array(table["entity"].to_pylist())
    assert moved[np.isin(entities, entities[moved])].mean() > 0.9


def test_a_recorded_split_sends_the_candidate_a_tenth_more_entities():
    n = 8_000
    rng = np.random.default_rng(3)
    entity = [f"e{i:05d}" for i in range(n)]
    served = np.where(rng.random(n) < 0.2, "candidate", "incumbent")
    table = block(n=n, entity=entity, served_by=served, share_bp=pa.array([2_000] * n, pa.int32()))
    after = broken("skewed-split", table)
    share = np.asarray(pc.equal(after["served_by"], "candidate")).mean()
    assert share / (served == "candidate").mean() == pytest.approx(1.1, abs=0.03)
    assert after["share_bp"].equals(table["share_bp"])


def test_a_split_that_was_never_recorded_is_recorded_as_fifty_served_as_fifty_five():
    n = 8_000
    after = broken("skewed-split", block(n=n, entity=[f"e{i:05d}" for i in range(n)]))
    assert set(after["share_bp"].to_pylist()) == {5_000}
    assert np.asarray(pc.equal(after["served_by"], "candidate")).mean() == pytest.approx(0.55, abs=0.02)


def test_a_dropped_feature_leaves_one_answer_for_everybody():
    table = block()
    answers = floats(broken("dropped-feature", table), "candidate_prediction")
    assert set(answers) == {floats(table, "candidate_prediction").mean()}


def test_wrong_rows_keep_all_answers_and_give_them_to_others():
    table = block()
    before, after = (floats(t, "candidate_prediction") for t in (table, broken("wrong-rows", table)))
    assert sorted(after) == sorted(before)
    assert (before != after).mean() > 0.9


def test_a_request_without_a_label_or_an_answer_is_not_made_worse():
    n = 40
    label = pa.array([None if i % 2 else 1.0 for i in range(n)])
    status = ["error" if i % 4 == 0 else "ok" for i in range(n)]
    table = block(n=n, label=label, candidate_status=status)
    moved = floats(broken("worse", table), "candidate_prediction") != floats(table, "candidate_prediction")
    assert moved.tolist() == [i % 2 == 0 and i % 4 != 0 for i in range(n)]


def test_a_dearer_candidate_costs_the_margin_more_on_every_request():
    gate = Gate(name="cost", metric="cost", margin=0.02)
    table = block(candidate_cost=np.full(400, 0.5), incumbent_cost=np.full(400, 0.5))
    assert floats(broken("worse", table, gate=gate, d=0.02), "candidate_cost") == pytest.approx(0.52)


def test_the_target_is_the_first_guardrail_on_a_loss_and_its_margin():
    history = days(2)
    gates = [
        {"name": "told", "metric": "accuracy", "margin": 0.1, "role": "report"},
        {"name": "quality", "metric": "brier", "margin": 0.005},
        {"name": "errors", "metric": "error_rate", "ceiling": 0.01},
    ]
    made = plan(gates=gates, segments={"by": ["region"], "floor": 0.02, "gates": {"quality": 0.03}})
    aimed = aim(made, history, BEFORE)
    assert aimed.gate is not None
    assert (aimed.gate.name, aimed.d, aimed.segment, aimed.segment_d) == (
        "quality",
        0.005,
        ("region", "north"),
        0.03,
    )


def test_a_superiority_margin_makes_harm_the_worsening():
    gates = [{"name": "quality", "metric": "brier", "margin": 0.0, "expect": -0.01, "harm": 0.02}]
    assert aim(plan(gates=gates), days(2), BEFORE).d == 0.02


def test_a_ratio_margin_is_a_part_of_the_incumbents_own_rate():
    gates = [{"name": "rare", "metric": "zero_one", "ratio": 1.5, "unpaired": True}]
    history = days(3)
    wrong = np.mean(
        [np.mean((floats(t, "incumbent_prediction") >= 0.5) != floats(t, "label")) for t in history.tables]
    )
    assert aim(plan(gates=gates), history, BEFORE).d == pytest.approx(0.5 * wrong)


def test_a_fault_that_the_history_has_no_column_for_says_so():
    aimed = aim(plan(), days(1), BEFORE)
    columns = [name for name in block().column_names if not name.endswith("latency_ms")]
    assert "candidate_latency_ms" in fault("slow").lacks(columns, aimed)
    assert not fault("errors").lacks(columns, aimed)


def test_unknown_faults_are_named_with_what_there_is():
    with pytest.raises(InputError, match="found sloww; correct the list") as err:
        named(("slow", "sloww"))
    assert all(name in str(err.value) for name in NAMES)
    assert [one.name for one in named(("slow", "nothing"))] == ["nothing", "slow"]
    assert [one.name for one in named(None)] == list(NAMES)
