"""What one tick does: an ordered list of rules, worst first, and the first answer wins."""

from __future__ import annotations

from dataclasses import replace

from headgate.plan.model import Plan
from headgate.rollout import climbs, glass, stops
from headgate.rollout.apply import as_seen
from headgate.rollout.moment import Moment, Rule
from headgate.rollout.orders import resuming, unheeded
from headgate.rollout.state import Decision, State, World

#: The order is the law: abort > roll back > pause > expire > advance > hold.
RULES: tuple[Rule, ...] = (
    stops.without_the_lease_nothing_moves,
    stops.an_undo_takes_a_promotion_back,
    stops.what_is_done_stays_done,
    stops.an_abort_beats_everything,
    stops.rolling_back_ends_when_the_plane_itself_reports_zero,
    stops.a_rollback_order_is_obeyed,
    stops.a_candidate_that_changed_under_us_is_rolled_back,
    stops.a_candidate_whose_steps_changed_is_rolled_back,
    stops.a_failed_guardrail_is_acted_on,
    stops.a_rejection_ends_it,
    stops.what_must_be_looked_into_pauses_it,
    stops.a_paused_rollout_holds,
    stops.a_deadline_expires_it,
    climbs.the_queue_ends_with_the_lease,
    climbs.preflight_needs_every_check,
    climbs.the_plane_must_serve_what_was_decided,
    climbs.both_servers_must_answer,
    climbs.every_sign_off_must_stand,
    climbs.reviewers_must_keep_up,
    glass.two_people_break_the_glass,
    climbs.the_evidence_must_be_in,
    climbs.a_watch_that_is_over_promotes,
    climbs.the_last_step_is_followed_by_the_watch,
    climbs.the_share_rises_only_while_the_calendar_is_open,
    climbs.whoever_must_approve_is_asked,
    climbs.nothing_is_missing,
)


def decide(state: State, plan: Plan, world: World, plan_hash: str) -> Decision:
    """Choose what this tick does. Unknown holds, harm rolls back, and at most one step is taken.

    Parameters
    ----------
    state
        The last ledger row's.
    plan, plan_hash
        The frozen plan and the hash it was recorded under: approvals of any other count for nothing.
    world
        What is to be seen now. Every order in it is spent by this tick: what it cannot act on is named
        in the reasons.
    """
    resume = resuming(state, world)
    moment = Moment(as_seen(state, plan, world), plan, world, plan_hash, resumed=resume is not None)
    decision = next(answer for rule in RULES if (answer := rule(moment)) is not None)
    said = () if resume is None else (f"{resume.by} resumed it: {resume.reason}", *_begun_anew(state, moment))
    return replace(decision, reasons=(*said, *decision.reasons, *unheeded(state, world)))


def _begun_anew(before: State, moment: Moment) -> tuple[str, ...]:
    return tuple(
        f"{gate} starts afresh at {level:g} of its error level"
        for gate, since, level in moment.state.restarts
        if (gate, since, level) not in before.restarts
    )
