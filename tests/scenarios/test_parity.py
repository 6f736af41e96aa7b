"""M19: a step that a server lost is named before traffic moves, and one that loses it later rolls back."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headgate import parity
from headgate.parity import Chain, Step, StepRecord
from headgate.ports import PARITY
from headgate.rollout.state import Move, Outcome, Phase
from tests.scenarios.small import HOUR, better

pytestmark = [pytest.mark.prefect]


def _times(name: str, factor: float) -> Step:
    record = StepRecord(name, "scale", {"factor": factor})
    return Step(record, lambda columns: columns | {"signal": [value * factor for value in columns["signal"]]})


def _without_hundreds(columns):
    """Answer as a server that lost the first step: a hundredth of the truth."""
    return [value / 100 for value in columns["signal"]]


@pytest.fixture
def recorded(small):
    """The small world, with golden examples of gbm-2 on the shelf: signal x 100 / 100."""
    chain = Chain(
        steps=(_times("hundreds", 100.0), _times("parts", 0.01)),
        start=lambda table: table.to_pydict(),
        shown=lambda columns: columns,
        answer=lambda columns: columns["signal"],
    )
    rows = pa.table({"signal": [0.1, 0.3, 0.5, 0.9], "region": ["north", "north", "south", "south"]})
    golden = parity.record(chain, rows, model="delays", version="gbm-2")
    small.wired.shelf.put("delays", "gbm-2", {PARITY: parity.to_bytes(golden)}, {"fingerprint": "a"})
    return small


def test_m19_a_lost_step_is_named_before_traffic_moves_and_a_provider_who_loses_it_later_is_rolled_back(
    recorded,
):
    small = recorded
    small.candidate.answer = _without_hundreds
    small.open(parity={"compare": "answers", "every": "2h"})
    rejected = small.tick()
    assert (rejected.state.phase, rejected.state.outcome) == (Phase.DONE, Outcome.REJECTED)
    assert "parity of the candidate: step hundreds is dropped" in rejected.decision.reason
    assert "(changes all 4 golden rows)" in rejected.decision.reason
    assert small.plane.observe().share_bp == 0

    small.candidate.answer = better  # mended, under the same version
    small.rollout, small.now = "", small.now + HOUR
    small.open(name="mended", parity={"compare": "answers", "every": "2h"})
    assert small.tick().state.phase is Phase.SHADOW
    assert small.after(1).state.phase is Phase.SHADOW

    small.candidate.answer = _without_hundreds  # a provider may change a model without a new version
    taken_back = small.after(2)
    assert (taken_back.decision.move, taken_back.state.outcome) == (Move.ROLL_BACK, Outcome.ROLLED_BACK)
    assert "preprocessing changed under its version: step hundreds is dropped" in taken_back.decision.reason
    assert small.plane.observe().share_bp == 0
