"""Carries a decision out on the state: the only place where phase, step or share changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from headgate.errors import IllegalTransition
from headgate.plan.model import Plan
from headgate.rollout.moment import at_zero
from headgate.rollout.orders import changed_just_now, new_incumbent, resuming
from headgate.rollout.state import LIVE, Decision, Move, Outcome, Phase, PlaneView, State, Waiting, World
from headgate.rollout.timers import paused_in_all, paused_on_step
from headgate.rollout.transitions import refuse_impossible


def apply(state: State, decision: Decision, plan: Plan, world: World) -> State:
    """Return the state after the decision. Rolling back, pausing, freezing or asking twice is once.

    Raises
    ------
    IllegalTransition
        If this move is impossible from here; `decide` never asks for one.
    """
    if _carried_out(state, decision, world):
        return replace(state, waiting_for=decision.waiting_for)
    seen = as_seen(state, plan, world)
    refuse_impossible(seen, decision, plan, world)
    match decision.move:
        case Move.HOLD:
            after = seen
        case Move.ASK if decision.asked is not None:
            after = replace(seen, asked=decision.asked, attempt=decision.asked.attempt)
        case Move.ADVANCE:
            after = _advanced(seen, plan, world)
        case Move.PAUSE:
            after = _paused(seen, decision, world)
        case Move.FREEZE:
            after = replace(seen, paused=decision.pause, reentries=seen.reentries + 1)
            after = _new_stay(after, world, share_bp=0) if seen.share_bp else after
        case Move.STEP_BACK:
            after = _stepped_back(seen, plan, world)
        case Move.FINISH if seen.phase is Phase.WATCH or seen.phase is Phase.ROLLING_BACK:
            after = _done(seen, decision.outcome, world)
        case _:
            after = _ended(seen, decision.outcome, world)
    return replace(_without_a_void_question(after, world), waiting_for=decision.waiting_for)


def settle(state: State, world: World) -> State:
    """Return the state with the plane's confirmation of its share, if that has come."""
    return confirmed(state, world.confirmed_at)


def confirmed(state: State, at: datetime | None) -> State:
    """Return the state as confirmed by the plane at this time; the first confirmation stands.

    Dwell and fresh evidence start here, not when the share was decided.
    """
    if at is None or state.confirmed_at is not None or state.phase not in LIVE | {Phase.ROLLING_BACK}:
        return state
    return replace(state, confirmed_at=max(at, state.entered_at))


def as_seen(state: State, plan: Plan, world: World) -> State:
    """Return the state that this tick's rules look at: settled, and resumed if somebody ordered that.

    A resume never raises the share. Where it fell below that of the step (a freeze, a plane that was
    found lower) the rollout goes on from the highest step at or below it, with fresh gates, dwell and
    approvals.
    """
    state = settle(state, world)
    if resuming(state, world) is None:
        return state
    now = world.now
    resumed = replace(
        state,
        paused=None,
        held=paused_on_step(state, now),
        held_total=paused_in_all(state, now),
        restarts=_restarts(state, world),
    )
    if state.share_bp == plan.steps[state.step].share_bp:
        return resumed
    step = max(i for i, step in enumerate(plan.steps) if step.share_bp <= state.share_bp)
    phase = Phase.RAMP if step else Phase.SHADOW
    return _new_stay(resumed, world, phase=phase, step=step, share_bp=plan.steps[step].share_bp)


def _carried_out(state: State, decision: Decision, world: World) -> bool:
    overtaken = (world.observed_generation or 0) > state.generation
    match decision.move:
        case Move.ROLL_BACK | Move.ABORT | Move.EXPIRE if state.phase is Phase.ROLLING_BACK:
            return not overtaken
        case Move.ROLL_BACK | Move.ABORT | Move.EXPIRE | Move.FINISH if state.phase is Phase.DONE:
            return state.outcome is decision.outcome
        case Move.PAUSE | Move.FREEZE:
            return state.paused is not None and state.paused == decision.pause
        case _:
            return False


def _advanced(state: State, plan: Plan, world: World) -> State:
    match state.phase:
        case Phase.QUEUED:
            return replace(state, phase=Phase.PREFLIGHT, entered_at=world.now)
        case Phase.PREFLIGHT:
            incumbent, candidate = world.versions
            if incumbent is None or candidate is None:
                raise IllegalTransition(
                    f"{state.rollout}: a server does not say its version: nothing to freeze"
                )
            # Shadow is entry 0; the plane changes, because the mirror goes on.
            return _new_stay(state, world, phase=Phase.SHADOW, entry=0, versions=(incumbent, candidate))
        case _ if state.step + 1 < len(plan.steps):
            step = state.step + 1
            return _new_stay(state, world, phase=Phase.RAMP, step=step, share_bp=plan.steps[step].share_bp)
        case _:
            # The same share, but a generation of its own: the plane's log counts a stay by it.
            return _new_stay(state, world, phase=Phase.WATCH)


def _paused(state: State, decision: Decision, world: World) -> State:
    after = replace(state, paused=decision.pause)
    incumbent = new_incumbent(state, world)
    if incumbent is not None and state.versions is not None:
        after = replace(
            after,
            versions=(incumbent, state.versions[1]),
            fresh_since=world.now,
            reentries=after.reentries + 1,
        )
    elif changed_just_now(state, world):
        after = replace(after, fresh_since=world.now, reentries=after.reentries + 1)
    if world.plane is PlaneView.DISAGREES:
        # Nobody knows what the plane did meanwhile: the lower share, written anew, is a stay of its own.
        lower = min(state.share_bp, world.observed_share_bp or 0)
        after = _new_stay(after, world, share_bp=lower, reentries=after.reentries + 1)
    return after


def _stepped_back(state: State, plan: Plan, world: World) -> State:
    step = state.step - 1
    return _new_stay(
        state,
        world,
        phase=Phase.RAMP if step else Phase.SHADOW,
        step=step,
        share_bp=min(state.share_bp, plan.steps[step].share_bp),
        step_backs=state.step_backs + 1,
        reentries=state.reentries + 1,
    )


def _ended(state: State, outcome: Outcome | None, world: World) -> State:
    """Leave for good: straight to done where nobody is served by the candidate, else by rolling back."""
    if state.phase is Phase.ROLLING_BACK:  # overtaken by a newer write than ours: write once more
        return replace(state, generation=_next_generation(state, world), confirmed_at=None)
    if at_zero(state, world):
        return _done(state, outcome, world)
    rolling = _new_stay(state, world, phase=Phase.ROLLING_BACK, share_bp=0, outcome=outcome)
    return replace(rolling, paused=None, held_total=paused_in_all(state, world.now))


def _done(state: State, outcome: Outcome | None, world: World) -> State:
    return replace(
        state,
        phase=Phase.DONE,
        outcome=outcome,
        # Out of shadow the plane has to change once more: the mirror goes off.
        generation=_next_generation(state, world) if state.mirror else state.generation,
        paused=None,
        held_total=paused_in_all(state, world.now),
        asked=None,
    )


def _new_stay(state: State, world: World, **changes: object) -> State:
    """Begin a stay: evidence, dwell, timers and questions start anew, and the plane gets a new write."""
    anew: dict[str, object] = {
        "entry": state.entry + 1,
        "generation": _next_generation(state, world),
        "entered_at": world.now,
        "confirmed_at": None,
        "held": timedelta(0),
        "asked": None,
    }
    return replace(state, **(anew | changes))  # type: ignore[arg-type]  # mypy cannot see through the union


def _next_generation(state: State, world: World) -> int:
    # A plane may hold a generation we never wrote; ours has to be newer or it is refused.
    return max(state.generation, world.observed_generation or 0) + 1


def _without_a_void_question(state: State, world: World) -> State:
    """Forget a question whose evidence is not what it was: the same verdicts coming back ask anew."""
    if state.asked is None or state.versions is None:
        return state
    same = world.scorecard.digest(state.versions) == state.asked.digest
    return state if same else replace(state, asked=None)


def _restarts(state: State, world: World) -> tuple[tuple[str, datetime, float], ...]:
    """Return the restarts with the alarms that are in force now begun anew, each at half its level."""
    alarms = {name.partition("[")[0] for name in world.scorecard.alarmed}
    if world.scorecard.split_alarm or (state.paused and state.paused.waiting_for is Waiting.SPLIT):
        alarms.add("split")
    levels = {gate: level for gate, _, level in state.restarts}
    kept = tuple(restart for restart in state.restarts if restart[0] not in alarms)
    return kept + tuple((gate, world.now, levels.get(gate, 1.0) / 2) for gate in sorted(alarms))
