"""A promoted model in a small world, and what becomes of its requests afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from headgate.adapters import store
from headgate.plan.model import Plan
from headgate.rollout.state import Decision, Move, Outcome, Phase, State, Tick
from tests.builders import APRIL
from tests.scenarios.small import DAY, HOUR, write
from tests.scenarios.world import World

#: Four weeks are learnt from; then the model serves alone.
SERVES = APRIL + 28 * DAY
_PER_DAY = 144
Change = Callable[[dict[str, Any], np.ndarray], None]


def logs(days: int, change: Change = lambda _columns, _day: None, seed: int = 1) -> tuple[pa.Table, pa.Table]:
    """Return requests and outcomes of so many days from April on.

    ``change`` rewrites columns (``signal``, ``region``, ``chance``, ``keep``); it is told each row's day.
    """
    rng = np.random.default_rng(seed)
    n = days * _PER_DAY
    day = np.arange(n) // _PER_DAY
    signal = rng.uniform(0.05, 0.95, n)
    columns: dict[str, Any] = {
        "signal": signal,
        "region": rng.choice(np.array(["north", "south"], object), n),
        "chance": signal.copy(),
        "keep": np.ones(n, bool),
        "known": np.ones(n, bool),
    }
    change(columns, day)
    at = [APRIL + i * DAY / _PER_DAY for i in range(n)]
    instant = pa.timestamp("us", tz="UTC")
    ids = [f"r{i:06d}" for i in range(n)]
    requests = pa.table(
        {
            "request_id": ids,
            "at": pa.array(at, instant),
            "tailnum": [f"N{k:03d}" for k in rng.integers(0, 60, n)],
            "region": pa.array(columns["region"].tolist(), pa.string()),
            "signal": columns["signal"],
        }
    ).filter(pa.array(columns["keep"]))
    late = (rng.random(n) < columns["chance"]).astype(np.int8)
    outcomes = pa.table(
        {"request_id": ids, "late": late, "known_at": pa.array([moment + 2 * HOUR for moment in at], instant)}
    ).filter(pa.array(columns["keep"] & columns["known"]))
    return requests, outcomes


def promoted(
    world: World,
    requests: pa.Table,
    outcomes: pa.Table,
    outcome: Outcome = Outcome.PROMOTED,
    retrain: Any = None,
    **drift: Any,
) -> str:
    """Put the logs in place and a rollout on record whose candidate has served alone since `SERVES`.

    Windows are of four days, so that few of them make a year.
    """
    write(world.home, requests, outcomes)
    body = world.body(drift={"reference": "rolling", "every": "4d", **drift}, retrain=retrain)
    body["unit"]["block"] = "1d"
    plan = Plan.model_validate(body)
    rollout = store.open_rollout(world.engine, plan, APRIL, "ops@example.org")
    done(world, rollout, SERVES, outcome)
    world.rollout, world.now = rollout.id, SERVES
    return rollout.id


def done(world: World, rollout: store.Rollout, at: datetime, outcome: Outcome) -> None:
    """End a rollout on record, as a tick would have."""
    last = store.last_tick(world.engine, rollout.id)
    assert last is not None
    state = State(rollout.id, Phase.DONE, rollout.opened_at, at, outcome=outcome)
    tick = Tick(last.tick + 1, at, "story", Decision(Move.FINISH, ("played",), outcome=outcome), state)
    store.record(world.engine, store.get(world.engine, rollout.id), tick)
