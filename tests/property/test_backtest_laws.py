"""Laws of a replay, whatever the history and however its files are cut."""

import tempfile
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.adapters.history import open_history
from headgate.backtest.replay import replay
from headgate.backtest.told import as_text
from headgate.evidence import BlockSum, EvidenceRow, RateSum, Source, Standing
from headgate.gates import judge
from headgate.gates.rows import Kept
from headgate.rollout.state import Move
from tests.builders import APRIL, plan
from tests.histories import exchanges, outcomes, put, small_plan, write

FEW = settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PLAN = small_plan(
    segments={"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}},
    gates=[
        {"name": "quality", "metric": "brier", "margin": 0.02, "min_samples": 3},
        {"name": "arms", "metric": "brier", "margin": 0.1, "unpaired": True, "role": "report"},
        {"name": "errors", "metric": "error_rate", "ceiling": 0.1, "from": 50},
    ],
)


def told(folder, made, known, **how):
    with open_history(PLAN, *write(Path(folder), made, known)) as history:
        return replay(PLAN, history, **how)


@FEW
@given(seed=st.integers(0, 1_000), cuts=st.sets(st.integers(1, 899), max_size=4))
def test_neither_the_order_of_rows_nor_the_cut_of_files_changes_a_byte(seed, cuts):
    made, known = exchanges(15, 60, seed=seed, entities=50), outcomes(15, 60, seed=seed)
    order = np.random.default_rng(seed).permutation(900)
    mixed = made.take(order)
    with tempfile.TemporaryDirectory() as folder:
        whole = as_text([told(folder, made, known)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = [0, *sorted(cuts), 900]
        for i, (start, end) in enumerate(pairwise(places)):
            put(folder / "x" / f"{i}.parquet", mixed.slice(start, end - start))
        put(folder / "o.parquet", known.take(order[::-1]))
        with open_history(PLAN, str(folder / "x"), str(folder / "o.parquet")) as history:
            assert as_text([replay(PLAN, history)]) == whole


@FEW
@given(
    seed=st.integers(0, 1_000),
    worse_by=st.floats(-0.1, 0.5),
    worse_from=st.floats(0, 40),
    errors=st.floats(0, 0.3),
    approve=st.booleans(),
)
def test_the_share_climbs_one_step_at_a_time_and_never_past_what_was_approved(
    seed, worse_by, worse_from, errors, approve
):
    made = exchanges(40, 60, seed=seed, worse_by=worse_by, worse_from=worse_from, errors=errors)
    with tempfile.TemporaryDirectory() as folder:
        result = told(folder, made, outcomes(40, 60, seed=seed), approve=approve)
    ladder = [step.share_bp for step in PLAN.steps]
    before = 0
    for one in result.ticks:
        share = one.tick.state.share_bp
        assert share <= before or share == ladder[ladder.index(before) + 1]
        assert share <= before or one.tick.decision.move is Move.ADVANCE
        assert approve or share == 0
        before = share


@FEW
@given(seed=st.integers(0, 1_000))
def test_permuted_outcomes_promote_nobody(seed):
    known = outcomes(40, 60, seed=seed)
    shuffled = np.random.default_rng(seed).permutation(np.asarray(known["label"]))
    # An eager candidate: right most of the time, and dearly wrong once nothing means anything.
    made = exchanges(40, 60, seed=seed, worse_by=-0.35)
    with tempfile.TemporaryDirectory() as folder:
        fine = told(folder, made, known)
    with tempfile.TemporaryDirectory() as folder:
        lost = told(folder, made, known.set_column(1, "label", pa.array(shuffled)))
    assert fine.outcome == "promoted"
    assert lost.outcome != "promoted"
    assert all(one.tick.state.share_bp == 0 for one in lost.ticks)


rows = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 1), st.integers(0, 50), st.sampled_from("ab")),
    unique_by=lambda drawn: (drawn[0], drawn[1], drawn[3]),
    max_size=60,
)


@given(drawn=rows, order=st.randoms(use_true_random=False), cuts=st.integers(1, 10))
def test_evidence_kept_as_it_comes_is_judged_as_if_it_had_come_at_once(drawn, order, cuts):
    hour = timedelta(hours=1)
    evidence = [
        EvidenceRow(
            "errors",
            None,
            APRIL + at * hour,
            entry,
            500 * entry,
            Source.SHADOW,
            part,
            RateSum(50, min(x, 50)),
        )
        for at, entry, x, part in drawn
    ]
    evidence += [
        EvidenceRow(
            "quality", None, APRIL + day * 24 * hour, 0, 0, Source.SHADOW, "batch",
            BlockSum(x / 1_000, x / 1_000, x / 1_000, 5, 5),
        )
        for day, x in {at // 24: x for at, _, x, _ in drawn}.items()
    ]  # fmt: skip
    asked = plan()
    order.shuffle(evidence)
    kept, seen = Kept(asked), []
    for i in range(cuts):
        part = evidence[i::cuts]
        kept.add(part)
        seen += part
        now = APRIL + (100 * (i + 1)) * hour
        where = Standing(step=1, entry=1, share_bp=500, confirmed_at=APRIL, now=now)
        assert judge(asked, kept, where) == judge(asked, seen, where)
