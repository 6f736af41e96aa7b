"""When dwell, labels and deadlines are over. Pauses shift them; nothing here reads a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from headgate.plan.applies import gate_applies, needs_labels
from headgate.plan.model import Plan
from headgate.rollout.state import LIVE, Phase, State
from headgate.verdicts import Role

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)


def paused_on_step(state: State, now: datetime) -> timedelta:
    """Return the time this stay on the step has spent paused, the pause in force included."""
    if state.paused is None:
        return state.held
    return state.held + (now - max(state.paused.since, state.entered_at))


def paused_in_all(state: State, now: datetime) -> timedelta:
    """Return the time the rollout has spent paused, the pause in force included."""
    if state.paused is None:
        return state.held_total
    return state.held_total + (now - state.paused.since)


def dwell_ends(state: State, plan: Plan, now: datetime) -> datetime | None:
    """Return when the dwell of this step (or the watch) is over; None before the plane confirmed it.

    A pause that began before the confirmation counts in full, so the dwell is then rather longer than
    the plan asks, never shorter.
    """
    if state.confirmed_at is None:
        return None
    length = plan.watch if state.phase is Phase.WATCH else plan.steps[state.step].dwell
    return state.confirmed_at + length + paused_on_step(state, now)


def labels_needed_through(state: State, plan: Plan, now: datetime) -> datetime | None:
    """Return the end of the last block whose labels must be in; None where no gate here needs labels.

    On a step these are the blocks that ended by the end of its dwell; in the watch also the block in
    which it ends, so that the whole cohort served at full traffic is judged.
    """
    ends = dwell_ends(state, plan, now)
    if ends is None or not _labels_count_here(state, plan):
        return None
    length = _HOUR if plan.unit.block == "none" else plan.unit.block
    whole, rest = divmod(ends - _EPOCH, length)
    if rest and state.phase is Phase.WATCH:
        whole += 1
    return _EPOCH + whole * length


def deadlines(state: State, plan: Plan, now: datetime) -> tuple[tuple[datetime, str], ...]:
    """Return the deadlines in force with a name each; none once the rollout ends."""
    if state.phase in (Phase.ROLLING_BACK, Phase.DONE):
        return ()
    rollout = state.opened_at + plan.deadline.rollout + paused_in_all(state, now)
    if state.phase not in LIVE:
        return ((rollout, "rollout"),)
    step = state.entered_at + plan.deadline.step + paused_on_step(state, now)
    return ((step, "step"), (rollout, "rollout"))


def _labels_count_here(state: State, plan: Plan) -> bool:
    return any(
        needs_labels(gate) and gate.role is not Role.REPORT and gate_applies(gate, state.share_bp, plan)
        for gate in plan.gates
    )
