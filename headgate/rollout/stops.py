"""The rules that stop a rollout: abort, roll back, reject, pause, expire. Worst first."""

from __future__ import annotations

from headgate.rollout.moment import Moment, at_zero, percent
from headgate.rollout.orders import failing, new_incumbent, pausing, pressed
from headgate.rollout.questions import rejection
from headgate.rollout.state import Decision, Move, Outcome, Pause, Phase, PlaneView, Verb, Waiting
from headgate.rollout.timers import deadlines
from headgate.verdicts import Verdict


def without_the_lease_nothing_moves(m: Moment) -> Decision | None:
    """Only the holder of the service's lease may move traffic; in the queue there is none to move."""
    if m.world.lease or m.state.phase in (Phase.QUEUED, Phase.DONE):
        return None
    return m.hold([Waiting.OPERATOR], ["another rollout holds the service's lease: this one must not act"])


def an_undo_takes_a_promotion_back(m: Moment) -> Decision | None:
    """Roll a promoted rollout back, once its undo has given it the lease again; nothing else reopens one."""
    order = pressed(m.world, Verb.UNDO)
    promoted = m.state.phase is Phase.DONE and m.state.outcome is Outcome.PROMOTED
    if order is None or not promoted or not m.world.lease:
        return None
    return _roll_back(f"{order.by} took the promotion back: {order.reason}")


def what_is_done_stays_done(m: Moment) -> Decision | None:
    """Late outcomes and late orders change nothing that is over."""
    if m.state.phase is not Phase.DONE:
        return None
    return Decision(Move.HOLD, (f"the rollout is done: {m.state.outcome}",))


def an_abort_beats_everything(m: Moment) -> Decision | None:
    """Let an operator's abort win over every verdict; once rolling back, the outcome is decided."""
    order = pressed(m.world, Verb.ABORT)
    if order is None or m.state.phase is Phase.ROLLING_BACK:
        return None
    return Decision(Move.ABORT, (f"{order.by} aborted: {order.reason}",), outcome=Outcome.ABORTED)


def rolling_back_ends_when_the_plane_itself_reports_zero(m: Moment) -> Decision | None:
    """Our own record is no proof; until the plane says 0 the route is applied again and again."""
    state, world = m.state, m.world
    if state.phase is not Phase.ROLLING_BACK:
        return None
    if world.plane is PlaneView.AGREES and world.observed_share_bp == 0:
        return Decision(Move.FINISH, ("the plane itself reports share 0",), outcome=state.outcome)
    if (world.observed_generation or 0) > state.generation:
        why = f"the plane holds generation {world.observed_generation}, newer than ours: 0 is written anew"
        return Decision(Move.ROLL_BACK, (why,), outcome=state.outcome)
    return m.hold([Waiting.TRAFFIC], [f"rolling back: {_plane_words(m)}; share 0 is applied again"])


def a_rollback_order_is_obeyed(m: Moment) -> Decision | None:
    """Roll back from every live phase, and ask no gate and no calendar."""
    order = pressed(m.world, Verb.ROLLBACK)
    if order is None or not m.live:
        return None
    return _roll_back(f"{order.by} ordered a rollback: {order.reason}")


def a_candidate_that_changed_under_us_is_rolled_back(m: Moment) -> Decision | None:
    """Roll back where what is served is not what was judged."""
    frozen, served = m.state.versions, m.world.versions[1]
    if not m.live or frozen is None or served in (None, frozen[1]):
        return None
    return _roll_back(f"the candidate answers as version {served}; {frozen[1]} was judged")


def a_candidate_whose_steps_changed_is_rolled_back(m: Moment) -> Decision | None:
    """Roll back where a version goes on under its name and does something else with a request."""
    changed = m.world.steps_changed[1]
    if not m.live or changed is None:
        return None
    return _roll_back(f"the candidate's preprocessing changed under its version: {changed}")


def a_failed_guardrail_is_acted_on(m: Moment) -> Decision | None:
    """Harm leads to less traffic in the same tick, paused or not, as the plan's ``on_fail`` says."""
    state, name = m.state, failing(m.world.scorecard)
    if not m.live or name is None:
        return None
    why = f"guardrail {name} failed: {_words_of(m, name)}"
    if m.plan.on_fail == "freeze":
        if state.paused is not None and state.share_bp == 0:
            return m.hold([Waiting.OPERATOR], [f"{why}; frozen at share 0 already, roll back or abort"])
        pause = Pause(Waiting.OPERATOR, why, state.paused.since if state.paused else m.now)
        return Decision(Move.FREEZE, (why,), (Waiting.OPERATOR,), pause=pause)
    if m.plan.on_fail == "step_back" and state.step > 0:
        if state.step_backs == 0:
            return Decision(Move.STEP_BACK, (why,))
        why += "; it stepped back once already"
    return _roll_back(why)


def a_rejection_ends_it(m: Moment) -> Decision | None:
    """One approver's no is enough."""
    no = rejection(m)
    if no is None:
        return None
    why = f"{no.approver} rejected step {no.step} ({percent(m.plan.steps[no.step].share_bp)}): {no.comment}"
    move = Move.FINISH if at_zero(m.state, m.world) else Move.ROLL_BACK
    return Decision(move, (why,), outcome=Outcome.REJECTED)


def what_must_be_looked_into_pauses_it(m: Moment) -> Decision | None:
    """Stand still for a plane off the record, a wrong split, an alarm, a new incumbent or an operator."""
    if not m.live:
        return None
    found = _to_look_into(m)
    if not found:
        return None
    reasons = tuple(reason for _, reason in found)
    paused, waiting = m.state.paused, tuple(dict.fromkeys(w for w, _ in found))
    since = paused.since if paused else m.now
    return Decision(Move.PAUSE, reasons, waiting, pause=Pause(waiting[0], "; ".join(reasons), since))


def a_paused_rollout_holds(m: Moment) -> Decision | None:
    """Timers stand still and the share stays until an operator resumes."""
    pause = m.state.paused
    if pause is None:
        return None
    # No due time: while it is paused no dwell and no deadline comes nearer.
    return Decision(
        Move.HOLD, (f"paused since {pause.since:%Y-%m-%d %H:%M}: {pause.reason}",), (pause.waiting_for,)
    )


def a_deadline_expires_it(m: Moment) -> Decision | None:
    """Time that is up is no proof: the incumbent takes all traffic and a person decides."""
    late = [
        f"the {name}'s deadline was {at:%Y-%m-%d %H:%M}"
        for at, name in deadlines(m.state, m.plan, m.now)
        if at <= m.now
    ]
    if not late:
        return None
    unproved = [
        f"{v.gate}[{v.segment}]" if v.segment else v.gate
        for v in m.world.scorecard.deciding()
        if v.verdict is not Verdict.PASS
    ]
    missing = [f"not proved by then: {', '.join(unproved)}"] if unproved and m.live else []
    return Decision(Move.EXPIRE, (*late, *missing), outcome=Outcome.EXPIRED)


def _roll_back(why: str) -> Decision:
    return Decision(Move.ROLL_BACK, (why,), outcome=Outcome.ROLLED_BACK)


def _to_look_into(m: Moment) -> list[tuple[Waiting, str]]:
    state, card = m.state, m.world.scorecard
    found = []
    if m.world.plane is PlaneView.DISAGREES:
        lower = percent(min(state.share_bp, m.world.observed_share_bp or 0))
        found.append((Waiting.OPERATOR, f"{_plane_words(m)}; the lower share, {lower}, is put in force"))
    # Paused already, or resumed just now: the alarms that are in force are known to whoever resumes.
    standing_still = state.paused is not None or m.resumed
    if card.split_alarm and not standing_still:
        found.append((Waiting.SPLIT, "the traffic split is not as configured (sample ratio)"))
    if card.alarmed and not standing_still:
        found.append((Waiting.OPERATOR, f"alarm: {', '.join(card.alarmed)}"))
    incumbent = new_incumbent(state, m.world)
    if incumbent is not None and state.versions is not None:
        why = f"the incumbent answers as version {incumbent}, no longer {state.versions[0]}"
        found.append((Waiting.OPERATOR, f"{why}: evidence starts afresh"))
    changed = m.world.steps_changed[0]
    if changed is not None:
        why = f"the incumbent's preprocessing changed under its version: {changed}"
        found.append((Waiting.OPERATOR, f"{why}: evidence starts afresh"))
    order = pausing(state, m.world)
    if order is not None:
        found.append((Waiting.OPERATOR, f"{order.by} paused it: {order.reason}"))
    return found


def _plane_words(m: Moment) -> str:
    state, world = m.state, m.world
    if world.plane is PlaneView.UNREACHABLE:
        return "the plane cannot be reached"
    share = "no share of ours" if world.observed_share_bp is None else percent(world.observed_share_bp)
    observed = "none of ours" if world.observed_generation is None else str(world.observed_generation)
    return (
        f"the plane reports {share} at generation {observed}, "
        f"the record says {percent(state.share_bp)} at generation {state.generation}"
    )


def _words_of(m: Moment, name: str) -> str:
    for v in m.world.scorecard.verdicts:
        if name in (v.gate, f"{v.gate}[{v.segment}]") and v.reason:
            return v.reason
    return "harm is proved"
