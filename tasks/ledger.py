"""The record: which rollout holds the service, where it stands, and what each tick decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from prefect import task

from headgate.adapters import store
from headgate.errors import StandDown, StoreError
from headgate.plan import Plan
from headgate.rollout.state import Decision, PlaneView, State, Tick, World
from tasks import wiring
from tasks.retrying import ONCE, OUTSIDE


@dataclass(frozen=True)
class Case:
    """A rollout as a tick finds it: who it is, its frozen plan, and its last ledger row."""

    rollout: store.Rollout
    plan: Plan
    last: Tick

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.last.state


@task(name="open in the store", **OUTSIDE)
def open_in_store(plan: Plan, now: datetime, opened_by: str) -> store.Rollout:
    """Freeze the plan and open a rollout: it takes the service's lease, or queues."""
    return store.open_rollout(wiring.build().engine, plan, now, opened_by)


@task(name="take the case", **OUTSIDE)
def take_case(service: str, now: datetime) -> Case | None:
    """Return the rollout that holds the service's lease; a free lease goes to the first in the queue."""
    engine = wiring.build().engine
    rollout = store.holder(engine, service) or store.promote_queue(engine, service, now)
    return case_of(rollout) if rollout else None


def case_of(rollout: store.Rollout) -> Case:
    """Return a rollout with its plan and last ledger row."""
    engine = wiring.build().engine
    last = store.last_tick(engine, rollout.id)
    if last is None:
        raise StoreError(f"{rollout.id} has no ledger row: restore the store, a rollout opens with one")
    return Case(rollout, store.plan_of(engine, rollout.plan_hash), last)


@task(name="write down", **ONCE)
def write_down(
    case: Case, world: World, decision: Decision, after: State, flow_run_id: str, mark: int
) -> State | None:
    """Write the decision before anything moves; return the state in force, or None to stand down.

    The unique (rollout, tick) and the rollout's version decide who owns a tick, not a read before the
    write. The same flow run writing again changes nothing: what it wrote first is in force.
    """
    tick = Tick(
        tick=case.last.tick + 1,
        at=world.now,
        flow_run_id=flow_run_id,
        decision=decision,
        state=after,
        verdicts=world.scorecard.verdicts,
        log_harm=world.scorecard.log_harm,
        log_harm_threshold=world.scorecard.log_harm_threshold,
        evidence_mark=mark,
    )
    engine = wiring.build().engine
    try:
        store.record(engine, case.rollout, tick, acted=tuple(order.id for order in world.orders))
    except StandDown:
        return None
    if world.plane is PlaneView.DISAGREES:
        seen = f"{world.observed_share_bp} basis points at generation {world.observed_generation}"
        text = f"the plane serves {seen}, which is not what was recorded"
        store.add_incident(engine, case.rollout.id, store.Incident(world.now, "plane disagrees", text))
    return case_of(case.rollout).state
