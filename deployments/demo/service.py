"""One running service of the demo: its flows, its callers, and its two operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash

from deployments.demo.callers import Callers, Live, Tally
from flows.advance import advance
from flows.open import open_rollout
from flows.shadow import shadow
from headgate.adapters import store
from headgate.plan import Plan
from headgate.rollout.state import Answer, Asked, State, Tick
from tasks import people, wiring

#: They approve whatever is asked, and the record says so.
OPERATORS = ("demo-operator-1@example.org", "demo-operator-2@example.org")
COMMENT = "demo operator: approves whatever is asked"
OPENED_BY = "demo"


@dataclass
class DemoService:
    """Implements `deployments.demo.player.Service` with the real flows.

    Attributes
    ----------
    plan, path
        The plan, and the file it is started from.
    callers
        Who sends live traffic.
    every
        Length of a shadow window.
    live
        How much of the service's traffic is also sent live, by share in force (basis points).
    """

    plan: Plan
    path: Path
    callers: Callers
    every: str
    live: Callable[[int], Live]
    tally: Tally = field(default_factory=Tally)
    rollout: str = field(default="", init=False)

    def open(self, now: datetime) -> None:
        """Open the rollout (flow ``open``)."""
        self.rollout = open_rollout(str(self.path), now=now, opened_by=OPENED_BY)

    def shadow(self, now: datetime) -> None:
        """Score the windows that are due (flow ``shadow``)."""
        shadow(self.plan.service, now=now, every=self.every)

    def tick(self, now: datetime) -> Tick:
        """Take one tick (flow ``advance``); return the last ledger row."""
        advance(self.plan.service, now=now)
        last = store.last_tick(wiring.build().engine, self.rollout)
        assert last is not None  # noqa: S101 - opening wrote the first row
        return last

    def call(self, start: datetime, end: datetime, state: State) -> None:
        """Send a fixed part of the requests in ``[start, end)`` through the plane, one by one."""
        if end - start < timedelta(minutes=1):
            return
        requests = wiring.build().lake.read_requests(self.plan, start, end)
        live = self.live(state.share_bp)
        chosen = _part_of(requests, self.plan.requests.id, live.part)
        self.callers.send(chosen, self.tally, live.per_second)

    def approve(self, asked: Asked, now: datetime) -> None:
        """Let as many operators answer as the step asks for."""
        rule = self.plan.steps[asked.step].approval
        for operator in OPERATORS[: rule.approvers if rule else 0]:
            people.answer(self.rollout, Answer.APPROVE, operator, COMMENT, now)


def _part_of(requests: pa.Table, id_column: str, part: float) -> pa.Table:
    """Return about this part of the requests, always the same ones: chosen by their id."""
    below = int(part * 10_000)
    chosen = [
        xxhash.xxh64_intdigest(str(i).encode()) % 10_000 < below for i in requests[id_column].to_pylist()
    ]
    return requests.filter(pa.array(np.array(chosen, dtype=bool)))
