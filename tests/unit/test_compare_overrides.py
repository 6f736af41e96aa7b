"""How often a person overruled the candidate."""

from __future__ import annotations

import numpy as np

from headgate.compare.overrides import override_rows
from headgate.compare.pairs import Batch
from headgate.evidence import Entry, EvidenceRow, RateSum, Source
from tests.builders import APRIL, plan
from tests.unit.exchange_rows import BLOCK

PLAN = plan(gates=[{"name": "overrides", "metric": "override_rate", "ceiling": 0.1}])
STAY = Entry(1, 1, 2500, APRIL)


def batch(overridden, candidate_side):
    n = len(overridden)
    nothing, no = np.full(n, np.nan), np.zeros(n, dtype=np.bool_)
    return Batch(
        entity=np.arange(n), incumbent=nothing, candidate=nothing, label=nothing, paired=no, parts={},
        at=np.zeros(n, dtype=np.int64), drawn=no, candidate_side=np.array(candidate_side, dtype=np.bool_),
        share_bp=np.full(n, 2500, dtype=np.int32), exposed_before=no,
        overridden=np.array(overridden, dtype=np.float64),
    )  # fmt: skip


def test_only_the_candidates_own_answers_count_and_only_where_it_is_known():
    found = override_rows(PLAN, batch([1, 0, np.nan, 1, 0], [True, True, True, False, False]), BLOCK, STAY)
    assert found == [EvidenceRow("overrides", None, APRIL, 1, 2500, Source.PLANE, "batch", RateSum(n=2, x=1))]


def test_silence_is_not_approval():
    assert override_rows(PLAN, batch([np.nan, np.nan], [True, True]), BLOCK, STAY) == []


def test_a_plan_that_does_not_ask_gets_nothing():
    assert override_rows(plan(), batch([1.0], [True]), BLOCK, STAY) == []
