"""One tick of a rollout: look, judge, decide, write down, move."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow
from prefect.runtime import flow_run

from headgate.rollout import apply, decide, settle
from headgate.rollout.state import Decision, Phase
from tasks.evidence import close_blocks, count_traffic, judge_now
from tasks.ledger import take_case, write_down
from tasks.looking import look
from tasks.traffic import finish_the_last_write, look_at_plane, set_share


@flow(name="advance", flow_run_name="advance {service}")
def advance(service: str, now: datetime | None = None) -> Decision | None:
    """Take at most one step. Safe to run at any time, any number of times.

    Returns the decision, or None when there is nothing to do: no rollout of this service is open, or
    another tick owns the step.
    """
    now = now or datetime.now(UTC)
    case = take_case(service, now)
    if case is None or case.state.phase is Phase.PREFLIGHT:
        finish_the_last_write(service, now)
    if case is None:
        return None

    plane = look_at_plane(case, now)
    count_traffic(case)
    close_blocks(case, now)
    scorecard, mark = judge_now(case, plane, now)
    world = look(case, plane, scorecard, now)

    state = settle(case.state, world)
    decision = decide(state, case.plan, world, case.rollout.plan_hash)
    after = apply(state, decision, case.plan, world)

    # The ledger says what the share should be; the plane follows it. In this order a crash in between
    # is mended by the next tick, and no share moves unrecorded.
    in_force = write_down(case, world, decision, after, str(flow_run.id), mark)
    if in_force is None:
        return None
    set_share(case, in_force, now)
    return decision
