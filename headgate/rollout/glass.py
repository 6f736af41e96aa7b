"""Break glass: two people take a rollout up one step without proof, and the record says so loudly."""

from __future__ import annotations

from datetime import timedelta

from headgate.rollout.climbs import (
    the_evidence_must_be_in,
    the_share_rises_only_while_the_calendar_is_open,
    whoever_must_approve_is_asked,
)
from headgate.rollout.moment import Moment, Rule, percent
from headgate.rollout.questions import person
from headgate.rollout.state import Answer, Approval, Decision, Move, Phase
from headgate.verdicts import Verdict

#: How long one person's word waits for the second person's.
HOLDS_FOR = timedelta(hours=4)
#: How many people it takes.
PEOPLE = 2
LOUD = "BREAK GLASS:"

#: What two people may pass over: proof and time. Harm, an order to stop, a pause, a plane or a server that
#: does not answer, a sign-off, reviewers who do not keep up and the lease come before this rule and are never
#: passed over.
_PASSED_OVER: tuple[Rule, ...] = (
    the_evidence_must_be_in,
    the_share_rises_only_while_the_calendar_is_open,
    whoever_must_approve_is_asked,
)


def two_people_break_the_glass(m: Moment) -> Decision | None:
    """Go up exactly one step without proof; never into the watch, and never from it.

    A resume in the same tick comes first: the pause it ends was there for a reason.
    """
    if m.next_step is None or not m.live or m.state.phase is Phase.WATCH or m.resumed:
        return None
    words = _words(m)
    if len(words) < PEOPLE:
        return None
    missing = [reason for rule in _PASSED_OVER if (held := rule(m)) is not None for reason in held.reasons]
    if not missing:
        return None  # nothing is passed over: the rules that follow advance it with proof
    said = "; ".join(f"{one.approver} ({one.comment})" for one in words)
    first = f"from {percent(m.state.share_bp)} to {percent(m.next_step.share_bp)} without proof: {said}"
    gates = ", ".join(_not_passing(m)) or "none"
    reasons = (first, f"gates that do not pass: {gates}", *(f"passed over: {reason}" for reason in missing))
    return Decision(Move.ADVANCE, tuple(f"{LOUD} {reason}" for reason in reasons))


def _words(m: Moment) -> tuple[Approval, ...]:
    """Return one break-glass word per person, none of them the author's, given on this very stay."""
    state, author = m.state, person(m.plan.author)
    words = {
        person(one.approver): one
        for one in m.world.approvals
        if one.answer is Answer.BREAK_GLASS
        and (one.step, one.attempt) == (state.step + 1, -state.entry)
        and one.plan_hash == m.plan_hash
        and m.now - HOLDS_FOR < one.at <= m.now
    }
    return tuple(words[name] for name in sorted(words.keys() - {author, ""}))


def _not_passing(m: Moment) -> list[str]:
    return [
        f"{v.gate}[{v.segment}] ({v.verdict})" if v.segment else f"{v.gate} ({v.verdict})"
        for v in m.world.scorecard.deciding()
        if v.verdict is not Verdict.PASS
    ]
