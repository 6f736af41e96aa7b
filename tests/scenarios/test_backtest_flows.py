"""M2, M27: what the flows decided is what a backtest of their own exchanges decides, bit for bit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from headgate.adapters import store
from headgate.adapters.history import open_history
from headgate.backtest.replay import replay
from headgate.rollout.state import Move, Phase
from tests.scenarios.small import SMALL
from tests.scenarios.world import say

pytestmark = [pytest.mark.prefect]

#: Whole shadow windows: what has not been scored yet has not been seen.
EVERY = timedelta(hours=16)
#: Judged on what both sides answered: the plane double's callers are not in the exchanges.
GATES = [
    SMALL["gates"][0],
    {"name": "disagreement", "metric": "disagreement", "ceiling": 0.9, "role": "signal"},
    {"name": "calibration", "metric": "calibration", "role": "report"},
]


def test_live_flows_and_a_backtest_of_their_exchanges_decide_alike_bit_for_bit(small):
    small.open(gates=GATES)
    assert small.tick().state.phase is Phase.SHADOW
    live = []
    while not live or live[-1].state.phase is not Phase.DONE:
        live.append(small.after(EVERY / timedelta(hours=1)))
        if live[-1].decision.move is Move.ASK:
            say(small.rollout, "chief@example.org", small.now)

    plan = store.plan_of(small.engine, store.get(small.engine, small.rollout).plan_hash)
    exchanges = small.home / "lake" / "exchanges" / small.rollout
    with open_history(plan, str(exchanges), str(small.home / "outcomes")) as history:
        replayed = replay(plan, history, every=EVERY, approve=True)

    ticks = [one.tick for one in replayed.ticks]
    assert [tick.at for tick in ticks] == [tick.at for tick in live]
    for ours, theirs in zip(ticks, live, strict=True):
        assert (ours.decision.move, ours.state.phase, ours.state.share_bp) == (
            theirs.decision.move,
            theirs.state.phase,
            theirs.state.share_bp,
        )
        assert ours.verdicts == theirs.verdicts
        assert ours.log_harm == theirs.log_harm
    assert max(tick.state.share_bp for tick in ticks) == 10_000
