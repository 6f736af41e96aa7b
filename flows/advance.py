"""One tick of a rollout: look, judge, decide, write down, move; every slice in its own right."""

from __future__ import annotations

from datetime import datetime

from prefect import flow
from prefect.runtime import flow_run

from headgate.rollout.slices import weightiest
from headgate.rollout.state import Decision, Phase
from tasks.asking import ask_people, note_lost_forms
from tasks.clock import the_time
from tasks.closing import close_blocks
from tasks.deciding import decide_together
from tasks.ending import ended
from tasks.evidence import count_traffic, judge_now
from tasks.ledger import take_case, write_down
from tasks.looking import look_around, world_of
from tasks.telling import ring
from tasks.traffic import finish_the_last_write, look_at_plane, set_share


@flow(name="advance", flow_run_name="advance {service}")
def advance(service: str, now: datetime | None = None) -> Decision | None:
    """Take at most one step with every slice. Safe to run at any time, any number of times.

    Returns the decision (of several slices the weightiest), or None when there is nothing to do: no
    rollout of this service is open, or another tick owns the step. Prefect's list shows it as the state.

    Args:
        service: Whose rollout is looked at.
        now: The time this tick is held to be at, in UTC. Empty: the clock in use.
    """
    now = the_time(now)
    case = take_case(service, now)
    if case is None or case.state.phase is Phase.PREFLIGHT:
        finish_the_last_write(service, now)
    if case is None:
        ring(service, None, now)
        return ended(None)

    note_lost_forms(case, now)
    slices = case.each_open()
    planes = [look_at_plane(one, now) for one in slices]
    count_traffic(case)
    close_blocks(case, now)
    judged = [judge_now(one, plane, now) for one, plane in zip(slices, planes, strict=True)]
    around = look_around(case, now)
    worlds = [
        world_of(one, plane, scorecard, around, now)
        for one, plane, (scorecard, _) in zip(slices, planes, judged, strict=True)
    ]
    steps = decide_together(slices, worlds, [mark for _, mark in judged])

    # The ledger says what the share should be; the plane follows it. In this order a crash in between
    # is mended by the next tick, and no share moves unrecorded.
    in_force = write_down(steps, str(flow_run.id))
    if in_force is None:
        return ended(None)
    set_share(in_force, in_force.state, now)
    ask_people(in_force, now)
    ring(service, in_force, now)
    return ended(weightiest([step.decision for step in steps]))
