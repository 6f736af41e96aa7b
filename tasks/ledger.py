"""The record: which rollout holds the service, where it stands, and what each tick decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from prefect import task

from headgate.adapters import store
from headgate.errors import StandDown, StoreError
from headgate.plan import Plan
from headgate.plan.model import ALL
from headgate.rollout.state import Decision, Phase, PlaneView, State, Tick, World
from tasks import wiring
from tasks.retrying import ONCE, OUTSIDE


@dataclass(frozen=True)
class Case:
    """One slice of a rollout as a tick finds it; without slices in the plan, all of it.

    Attributes
    ----------
    plan
        The whole frozen plan.
    last
        The slice's last ledger row.
    beside
        The last rows of the other slices, those that are done included.
    """

    rollout: store.Rollout
    plan: Plan
    last: Tick
    beside: tuple[Tick, ...] = ()

    @property
    def state(self) -> State:
        """Where the slice stands."""
        return self.last.state

    @property
    def slice(self) -> str:
        """Its name; ``all`` where the plan has none."""
        return self.last.state.slice

    @property
    def own_plan(self) -> Plan:
        """The plan as the slice lives it: its steps, its share of the error budget."""
        return self.plan.of_slice(self.slice)

    @property
    def states(self) -> tuple[State, ...]:
        """Where every slice stands, this one first."""
        return (self.state, *(tick.state for tick in self.beside))

    @property
    def next_tick(self) -> int:
        """Number of the tick that is being taken, the same for every slice that is not done."""
        return max(tick.tick for tick in (self.last, *self.beside)) + 1

    def each_open(self) -> tuple[Case, ...]:
        """Return the rollout as each slice that is not done finds it, in the order of the plan."""
        ticks = {tick.state.slice: tick for tick in (self.last, *self.beside)}
        order = [ticks[name] for name in self.plan.slice_names]
        return tuple(
            replace(self, last=tick, beside=tuple(other for other in order if other is not tick))
            for tick in order
            if tick.state.phase is not Phase.DONE
        )


@dataclass(frozen=True)
class Step:
    """What a tick decided for one slice, and what it looked at."""

    case: Case
    world: World
    decision: Decision
    after: State
    mark: int


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
    """Return a rollout as its first slice that is not done finds it; the first of all once every one is."""
    engine = wiring.build().engine
    plan = store.plan_of(engine, rollout.plan_hash)
    rows = [store.last_tick(engine, rollout.id, name) for name in plan.slice_names]
    ticks = [row for row in rows if row is not None]
    if len(ticks) < len(rows):
        raise StoreError(f"{rollout.id} has no ledger row: restore the store, a rollout opens with one")
    whole = Case(rollout, plan, ticks[0], tuple(ticks[1:]))
    return next(iter(whole.each_open()), whole)


@task(name="write down", **ONCE)
def write_down(steps: Sequence[Step], flow_run_id: str) -> Case | None:
    """Write what was decided for every slice before anything moves, all at once.

    Returns the rollout as it then stands in the record, or None to stand down. The unique (rollout, slice,
    tick) and the rollout's version decide who owns a tick, not a read before the write. The same flow run
    writing again changes nothing: what it wrote first is in force.
    """
    rollout = steps[0].case.rollout
    engine = wiring.build().engine
    orders = {order.id for step in steps for order in step.world.orders}
    rows = [_row(step, flow_run_id) for step in steps]
    try:
        store.record(engine, rollout, *rows, acted=tuple(sorted(orders)))
    except StandDown:
        return None
    off = [step for step in steps if step.world.plane is PlaneView.DISAGREES]
    if off:
        text = "; ".join(_off_the_record(step) for step in off)
        store.add_incident(engine, rollout.id, store.Incident(off[0].world.now, "plane disagrees", text))
    return case_of(rollout)


def _row(step: Step, flow_run_id: str) -> Tick:
    card = step.world.scorecard
    return Tick(
        tick=step.case.next_tick,
        at=step.world.now,
        flow_run_id=flow_run_id,
        decision=step.decision,
        state=step.after,
        verdicts=card.verdicts,
        log_harm=card.log_harm,
        log_harm_threshold=card.log_harm_threshold,
        evidence_mark=step.mark,
    )


def _off_the_record(step: Step) -> str:
    world, whose = step.world, "" if step.case.slice == ALL else f"slice {step.case.slice}: "
    seen = f"{world.observed_share_bp} basis points at generation {world.observed_generation}"
    return f"{whose}the plane serves {seen}, which is not what was recorded"
