"""The record: which rollout holds the service, where it stands, and what each tick decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from headgate.adapters import store
from headgate.alerts import Alert, alerts_of
from headgate.alerts.incidents import unworded
from headgate.alerts.waits import PATIENCE
from headgate.errors import StandDown, StoreError
from headgate.plan import Plan
from headgate.plan.model import ALL
from headgate.rollout.state import Decision, Outcome, Phase, PlaneView, State, Tick, Waiting, World
from tasks import wiring
from tasks.direct import task
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
        """Return the rollout as each slice that is not done finds it, in the order of the plan.

        Where an undo reopened the rollout, all of them are done: those are returned that were promoted.
        """
        ticks = {tick.state.slice: tick for tick in (self.last, *self.beside)}
        order = [ticks[name] for name in self.plan.slice_names]
        going = [tick for tick in order if tick.state.phase is not Phase.DONE]
        if not going and not self.rollout.done:
            going = [tick for tick in order if tick.state.outcome is Outcome.PROMOTED]
        return tuple(
            replace(self, last=tick, beside=tuple(other for other in order if other is not tick))
            for tick in going
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
        store.record(engine, rollout, *rows, acted=tuple(sorted(orders)), alerts=alerts_of_tick(steps))
    except StandDown:
        return None
    off = [step for step in steps if step.world.plane is PlaneView.DISAGREES]
    if off:
        text = "; ".join(_off_the_record(step) for step in off)
        store.add_incident(engine, rollout.id, store.Incident(off[0].world.now, "plane disagrees", text))
    return case_of(rollout)


def alerts_of_tick(steps: Sequence[Step]) -> tuple[Alert, ...]:
    """Return what people have to be told of this tick. Words must never keep a share up: they cannot fail."""
    told: list[Alert] = []
    for step in steps:
        afters = {one.after.slice: one.after for one in steps}
        beside = [afters.get(state.slice, state) for state in step.case.states[1:]]
        seen = (step.case.state, step.world, step.decision, step.after)
        try:
            told += alerts_of(step.case.own_plan, *seen, beside=beside, earlier=_earlier(step))
        except Exception as err:  # noqa: BLE001 - a mistake in a sentence must not stop a rollback
            told.append(unworded(step.case.own_plan, step.after, step.world.now, repr(err)))
    return tuple(told)


def _earlier(step: Step) -> Tick | None:
    """Return the row of a while ago, where a wait may have begun that has no time of its own."""
    state = step.after
    if state.paused is not None or not {Waiting.OPERATOR, Waiting.TRAFFIC} & set(state.waiting_for):
        return None
    then = step.world.now - PATIENCE
    return store.tick_at(wiring.build().engine, state.rollout, then, state.slice)


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
