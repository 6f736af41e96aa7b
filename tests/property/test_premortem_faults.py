"""Laws of every fault: rows stay, only what its name says changes, and only from the onset on."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.compare.losses import losses
from headgate.plan.model import Gate
from headgate.premortem.catalogue import EQUAL, FAULTS, NOTHING
from headgate.premortem.fault import injected
from headgate.premortem.faults import begun, in_segment
from headgate.premortem.target import Target, floats
from headgate.premortem.worse import worsen
from tests.builders import plan
from tests.unit.fault_tables import START, block

EVERY = [NOTHING, EQUAL, *FAULTS]
#: What each fault may change.
MAY_CHANGE = {
    "nothing": set(),
    "equal": {f"{s}_{c}" for s in ("incumbent", "candidate") for c in ("prediction", "status", "latency_ms")},
    "worse": {"candidate_prediction"},
    "worse-twice": {"candidate_prediction"},
    "worse-in-segment": {"candidate_prediction"},
    "errors": {"candidate_prediction", "candidate_status"},
    "slow": {"candidate_latency_ms"},
    "late-labels": {"candidate_prediction", "known_at"},
    "skewed-split": {"served_by", "share_bp"},
    "dropped-feature": {"candidate_prediction"},
    "wrong-rows": {"candidate_prediction"},
}
hours = st.integers(-5, 30)
seeds = st.integers(0, 2**20)


def target(hour: int = 0, seed: int = 0, **gate: object) -> Target:
    made = plan(segments={"by": ["region"], "floor": 0.02, "gates": {"quality": 0.03}})
    first = made.gates[0].model_copy(update=gate)
    return Target(made, first, 0.005, ("region", "south"), 0.03, START + timedelta(hours=hour), seed)


def same(left: pa.Table, right: pa.Table, rows: np.ndarray) -> bool:
    kept = pa.array(rows)
    shared = [name for name in left.column_names if name in right.column_names]
    return left.select(shared).filter(kept).equals(right.select(shared).filter(kept))


@pytest.mark.parametrize("fault", EVERY, ids=lambda fault: fault.name)
@given(hour=hours, seed=seeds)
def test_rows_stay_and_only_what_the_fault_names_changes_from_its_onset_on(fault, hour, seed):
    before, aimed = block(n=60, seed=seed % 7), target(hour, seed)
    after = injected(fault, before, aimed)
    assert after.num_rows == before.num_rows
    assert {f.name: f.type for f in before.schema}.items() <= {f.name: f.type for f in after.schema}.items()
    untouched = [name for name in before.column_names if name not in MAY_CHANGE[fault.name]]
    assert after.select(untouched).equals(before.select(untouched))
    assert set(after.column_names) - set(before.column_names) <= MAY_CHANGE[fault.name]
    assert same(before, after, ~begun(before, aimed))
    if fault.segment:
        assert same(before, after, ~in_segment(before, aimed))


@pytest.mark.parametrize("fault", EVERY, ids=lambda fault: fault.name)
@given(seed=seeds)
def test_the_same_seed_gives_the_same_fault(fault, seed):
    table = block(n=60)
    assert injected(fault, table, target(3, seed)).equals(injected(fault, table, target(3, seed)))


@given(
    metric=st.sampled_from(["brier", "absolute_error", "squared_error"]),
    d=st.floats(1e-4, 0.2),
    seed=seeds,
)
def test_a_graded_loss_of_probabilities_rises_by_d_exactly(metric, d, seed):
    rng = np.random.default_rng(seed)
    made, gate = plan(), Gate(name="quality", metric=metric, margin=0.01)
    answers = rng.uniform(0, 1, 300)
    label = (rng.random(300) < answers).astype(float)
    worse = worsen(gate, made, answers, label, d, rng)
    rise = losses(gate, made, worse.answers, label) - losses(gate, made, answers, label)
    assert float(rise.mean()) == pytest.approx(d, abs=1e-9)
    assert worse.answers.min() >= 0
    assert worse.answers.max() <= 1
    assert rise.min() >= -1e-12


@given(metric=st.sampled_from(["absolute_error", "squared_error"]), d=st.floats(1e-3, 50), seed=seeds)
def test_a_loss_of_numbers_rises_by_d_in_every_request(metric, d, seed):
    rng = np.random.default_rng(seed)
    made = plan(prediction={"kind": "number"})
    gate = Gate(name="quality", metric=metric, margin=1.0)
    answers, label = rng.normal(10, 5, 100), rng.normal(10, 5, 100)
    worse = worsen(gate, made, answers, label, d, rng)
    rise = losses(gate, made, worse.answers, label) - losses(gate, made, answers, label)
    assert rise == pytest.approx(np.full(100, d), rel=1e-6)


@given(
    kind=st.sampled_from(["probability", "label"]),
    threshold=st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]),
    d=st.floats(0.01, 0.3),
    seed=seeds,
)
def test_a_right_or_wrong_loss_is_expected_to_rise_by_d(kind, threshold, d, seed):
    rng = np.random.default_rng(seed)
    made = plan(prediction={"kind": kind, "threshold": threshold})
    gate = Gate(name="quality", metric="zero_one", margin=0.01)
    answers = rng.uniform(0, 1, 4_000) if kind == "probability" else rng.integers(0, 2, 4_000).astype(float)
    label = rng.integers(0, 2, 4_000).astype(float)
    before = losses(gate, made, answers, label)
    worse = worsen(gate, made, answers, label, d, rng)
    rise = float((losses(gate, made, worse.answers, label) - before).mean())
    assert worse.risen <= d + 1e-12
    assert rise == pytest.approx(worse.risen, abs=5 * np.sqrt(d / 4_000))
    if threshold == 0.5:
        assert worse.risen == pytest.approx(d)


@given(seed=seeds)
def test_the_value_of_decisions_falls_by_d(seed):
    rng = np.random.default_rng(seed)
    made = plan()
    payoff = {"true_positive": 3.0, "false_positive": -1.0, "false_negative": -2.0}
    gate = Gate(name="worth", metric="value", margin=0.1, payoff=payoff)
    answers, label = rng.uniform(0, 1, 5_000), rng.integers(0, 2, 5_000).astype(float)
    worse = worsen(gate, made, answers, label, 0.2, rng)
    rise = losses(gate, made, worse.answers, label) - losses(gate, made, answers, label)
    assert worse.risen == pytest.approx(0.2)
    assert float(rise.mean()) == pytest.approx(0.2, abs=0.06)


def test_worse_in_history_shifts_every_blocks_mean_loss_by_the_margin():
    table, aimed = block(n=500), target(-1)
    after = injected(FAULTS[0], table, aimed)
    label = floats(table, "label")
    rise = (floats(after, "candidate_prediction") - label) ** 2 - (
        floats(table, "candidate_prediction") - label
    ) ** 2
    assert float(rise.mean()) == pytest.approx(0.005, abs=1e-9)
