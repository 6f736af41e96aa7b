"""One rollout of the worked example that lived through weeks of real flights, and a ledger to fill.

Everything runs through the real flows, called as plain functions. Nothing here imports Prefect before
it is called: a server's settings have to come first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from benchmarks.shadow import APRIL
from headgate.adapters import store
from headgate.adapters.codec import dump
from headgate.adapters.lake import Lake
from headgate.adapters.planes.in_process import InProcessPlane
from headgate.adapters.settings import Settings
from headgate.adapters.store.engine import writing
from headgate.adapters.store.tables import LedgerRow
from headgate.plan import Plan
from headgate.rollout.state import Move, Phase, Tick

if TYPE_CHECKING:
    from tasks.wiring import Wiring

WEEK = timedelta(days=7)
#: Played time between ticks.
PAUSE = timedelta(minutes=5)


@contextmanager
def bare(plan: Plan) -> Iterator[None]:
    """Let flows run as plain functions: no Prefect around the tasks, no HTTP for the versions."""
    from prefect import Task

    import flows.advance
    import flows.shadow
    from tasks import looking

    async def known(_plan: Plan) -> tuple[str, str]:
        return plan.incumbent.version, plan.candidate.version

    with ExitStack() as stack:
        stack.enter_context(patch.object(looking, "_versions", known))
        for module in (flows.advance, flows.shadow):
            for name, task in list(vars(module).items()):
                if isinstance(task, Task):
                    stack.enter_context(patch.object(module, name, task.fn))
        yield


def opened(plan: Plan) -> datetime:
    """Open the rollout and tick until shadow is confirmed; return the time."""
    from flows.advance import advance
    from tasks.ledger import open_in_store
    from tasks.standing import all_standings

    now = APRIL
    open_in_store.fn(plan, now, "benchmarks")
    for _ in range(2):
        now += PAUSE
        advance.fn(plan.service, now)
    row = next(iter(all_standings()))
    if row["phase"] != Phase.SHADOW.value:
        raise RuntimeError(f"asked a rollout in shadow to measure; found {row['phase']}: {row['reasons']}")
    return now


def lived(plan: Plan, plane: InProcessPlane, now: datetime, weeks: int) -> datetime:
    """Let weeks go by: live requests, shadow scoring and a tick a week; return the time."""
    from flows.advance import advance
    from flows.shadow import shadow

    for _ in range(weeks):
        call(plane, now, now + WEEK, timedelta(minutes=30))
        now += WEEK
        shadow.fn(plan.service, now, "7d")
        advance.fn(plan.service, now)
    return now


def fill(wired: Wiring, last: Tick, rows: int) -> None:
    """Append rows like the last one, a second apart, each the work of another flow run."""
    if last.decision.move is not Move.HOLD:
        raise RuntimeError(f"asked a ledger that ends with a hold; found {last.decision.move}")
    filled = (
        replace(last, tick=last.tick + i, at=last.at + timedelta(seconds=i), flow_run_id=f"filled-{i}")
        for i in range(1, rows + 1)
    )
    with writing(wired.engine) as session:  # past the store's `record`, which takes one at a time
        session.add_all(_row(tick) for tick in filled)


def _row(tick: Tick) -> LedgerRow:
    """Return the ledger row of a tick; added to a session, the audit chain vouches for it as for any."""
    return LedgerRow(
        rollout_id=tick.state.rollout,
        slice=tick.state.slice,
        tick=tick.tick,
        at=tick.at,
        flow_run_id=tick.flow_run_id,
        phase=tick.state.phase.value,
        share_bp=tick.state.share_bp,
        move=tick.decision.move.value,
        body=dump(tick),
    )


def wired_to(home: Path, path: Path, plane: InProcessPlane) -> Wiring:
    """Return the store in this file, the exchanges of the folder, and a plane."""
    from tasks.wiring import Wiring

    engine = store.connect(f"sqlite:///{path}")
    settings = Settings(anchors=home / "anchors.jsonl", pages=home / "pages")
    return Wiring(engine, Lake(home / "exchanges", base=home), lambda _service: plane, settings)


def last_of(wired: Wiring) -> Tick:
    """Return the last ledger row of the only rollout."""
    (rollout,) = store.rollouts(wired.engine)
    last = store.last_tick(wired.engine, rollout.id)
    if last is None:
        raise RuntimeError(f"{rollout.id} has no ledger row")
    return last


def call(plane: InProcessPlane, start: datetime, end: datetime, every: timedelta) -> None:
    """Send live requests through the plane, evenly spaced."""
    while start < end:
        plane.serve(f"live-{start.timestamp():.6f}", f"N{int(start.timestamp()) % 997}", start)
        start += every
