"""The rules that let a rollout go up, or say what is missing. Nothing worse is the matter by then."""

from __future__ import annotations

from datetime import datetime

from headgate.plan.applies import gate_applies
from headgate.plan.calendar import OpenHours
from headgate.review.load import short_of_reviewers
from headgate.rollout.moment import Moment, percent
from headgate.rollout.questions import approvers, digest, open_question
from headgate.rollout.state import Asked, Decision, Move, Outcome, Phase, PlaneView, Waiting
from headgate.rollout.timers import dwell_ends, labels_needed_through
from headgate.verdicts import Role, Verdict

#: What is waited for, a sentence about it, and when time alone may bring it.
_Missing = tuple[Waiting, str, datetime | None]


def the_queue_ends_with_the_lease(m: Moment) -> Decision | None:
    """One rollout per service moves traffic; the others wait for their turn."""
    if m.state.phase is not Phase.QUEUED:
        return None
    if m.world.lease:
        return Decision(Move.ADVANCE, ("the service is free: it has the lease now",))
    return m.hold([Waiting.TRAFFIC], ["queued: another rollout moves this service's traffic"])


def preflight_needs_every_check(m: Moment) -> Decision | None:
    """Any failed check rejects, with every reason; one that waits for somebody, or none at all, holds."""
    if m.state.phase is not Phase.PREFLIGHT:
        return None
    checks = m.world.checks
    failed = tuple(f"{c.name}: {c.reason}" for c in checks if c.passed is False)
    if failed:
        return Decision(Move.FINISH, failed, outcome=Outcome.REJECTED)
    waiting = [f"{c.name} waits: {c.reason}" for c in checks if c.passed is None]
    if waiting or not checks:
        return m.hold([Waiting.OPERATOR], waiting or ["no preflight check has been made"])
    if m.world.plane is PlaneView.UNREACHABLE:
        return m.hold([Waiting.TRAFFIC], ["the plane cannot be reached"])
    silent = _silent_servers(m)
    if silent is not None:
        return silent
    return Decision(Move.ADVANCE, (f"all {len(checks)} preflight checks pass", *(c.reason for c in checks)))


def the_plane_must_serve_what_was_decided(m: Moment) -> Decision | None:
    """Hold while the share is not in force: it proves nothing."""
    share = percent(m.state.share_bp)
    match m.world.plane:
        case PlaneView.UNREACHABLE:
            return m.hold([Waiting.TRAFFIC], ["the plane cannot be reached"])
        case PlaneView.BEHIND:
            return m.hold([Waiting.TRAFFIC], [f"the plane is behind the record: {share} is applied again"])
        case _ if m.state.confirmed_at is None:
            return m.hold([Waiting.TRAFFIC], [f"the plane has not confirmed {share} yet"])
        case _:
            return None


def both_servers_must_answer(m: Moment) -> Decision | None:
    """Unknown versions are not unchanged versions."""
    return _silent_servers(m)


def every_sign_off_must_stand(m: Moment) -> Decision | None:
    """Hold while a sign-off that the plan asks for is missing or over; the rest is told beside it."""
    missing = tuple(f"{c.name} waits: {c.reason}" for c in m.world.checks if c.passed is not True)
    if not m.live or not missing:
        return None
    rest = the_evidence_must_be_in(m) or Decision(Move.HOLD, ())
    waiting = dict.fromkeys((Waiting.OPERATOR, *rest.waiting_for))
    return m.hold(tuple(waiting), (*missing, *rest.reasons), rest.due)


def reviewers_must_keep_up(m: Moment) -> Decision | None:
    """Hold while the people who look at answers are behind, or would be at the next step."""
    step, rule = m.next_step, m.plan.review
    if rule is None or step is None:
        return None
    behind = short_of_reviewers(rule, m.world.review, m.state.slice, step.share_bp, m.now)
    if not behind:
        return None
    rest = the_evidence_must_be_in(m) or Decision(Move.HOLD, ())
    waiting = dict.fromkeys((*rest.waiting_for, Waiting.REVIEW_CAPACITY))
    return m.hold(tuple(waiting), (*rest.reasons, *behind), rest.due)


def the_evidence_must_be_in(m: Moment) -> Decision | None:
    """Gates, dwell and labels, all of them told at once."""
    dwell = dwell_ends(m.state, m.plan, m.now)
    missing: list[_Missing] = [(Waiting.SAMPLES, reason, None) for reason in _not_passing(m)]
    if dwell is None or dwell > m.now:
        missing.append(
            (Waiting.DWELL, f"the {_stay(m)} lasts until {dwell:%Y-%m-%d %H:%M}{_labels_due(m)}", dwell)
        )
    else:
        missing += _labels_missing(m)
    if not missing:
        return None
    waiting = dict.fromkeys(w for w, _, _ in missing)
    return m.hold(tuple(waiting), tuple(r for _, r, _ in missing), *(at for _, _, at in missing))


def a_watch_that_is_over_promotes(m: Moment) -> Decision | None:
    """Promote, in the only way there is."""
    if m.state.phase is not Phase.WATCH:
        return None
    why = f"the watch at {percent(m.state.share_bp)} is over and every gate passes"
    return Decision(Move.FINISH, (why,), outcome=Outcome.PROMOTED)


def the_last_step_is_followed_by_the_watch(m: Moment) -> Decision | None:
    """Go on to the watch: the share does not rise, so neither calendar nor approval is asked."""
    if m.next_step is not None:
        return None
    why = f"every gate passes at the last step, {percent(m.state.share_bp)}: the watch begins"
    return Decision(Move.ADVANCE, (why,))


def the_share_rises_only_while_the_calendar_is_open(m: Moment) -> Decision | None:
    """Asked before the approvers are, so that their time does not run out over a weekend."""
    hours = OpenHours.of(m.plan.calendar)
    if hours.is_open(m.now):
        return None
    opening = hours.next_opening(m.now)
    when = f"it opens at {opening:%Y-%m-%d %H:%M} UTC" if opening else "it does not open again"
    return m.hold([Waiting.CALENDAR], [f"every gate passes; the calendar is closed: {when}"], opening)


def whoever_must_approve_is_asked(m: Moment) -> Decision | None:
    """Ask, and ask anew when the evidence changed: an approval counts for one question only."""
    step = m.next_step
    rule = step.approval if step else None
    if step is None or rule is None:
        return None
    asked = open_question(m)
    share = percent(step.share_bp)
    if asked is None:
        now, number = m.now, m.state.attempt + 1
        asked = Asked(m.state.step + 1, number, digest(m), now, now + rule.expires)
        why = f"every gate passes; {_people(rule.approvers)} must agree to {share} (question {number})"
        return Decision(Move.ASK, (why,), (Waiting.APPROVAL,), due=m.due(asked.expires_at), asked=asked)
    people = approvers(m, asked)
    if len(people) >= rule.approvers:
        return None
    why = f"{len(people)} of {_people(rule.approvers)} agreed to {share} (question {asked.attempt})"
    return m.hold([Waiting.APPROVAL], [why], asked.expires_at)


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"


def nothing_is_missing(m: Moment) -> Decision:
    """Every gate passes, the stay was long enough, and whoever had to agree did."""
    above = m.next_step
    share = percent(above.share_bp) if above else ""
    reasons = [f"every gate passes at {percent(m.state.share_bp)}: on to {share}"]
    asked = open_question(m)
    if above and above.approval and asked:
        reasons.append(f"approved by {', '.join(approvers(m, asked))}")
    return Decision(Move.ADVANCE, tuple(reasons))


def _silent_servers(m: Moment) -> Decision | None:
    sides = zip(("incumbent", "candidate"), m.world.versions, strict=True)
    silent = [f"the {side}'s server does not say its version" for side, version in sides if version is None]
    if m.live and m.state.versions is None:
        silent.append("no versions were frozen at preflight")
    return m.hold([Waiting.OPERATOR], silent) if silent else None


def _not_passing(m: Moment) -> list[str]:
    card = m.world.scorecard
    deciding = card.deciding()
    reasons = [v.reason for v in deciding if v.verdict is not Verdict.PASS]
    judged = {v.gate for v in deciding}
    reasons += [
        f"{gate.name} was not judged on this step"
        for gate in m.plan.all_gates
        if gate.role is not Role.REPORT
        and gate.name not in judged
        and gate_applies(gate, m.state.share_bp, m.plan)
    ]
    if not any(v.role is Role.GUARDRAIL for v in deciding):
        reasons.append("no guardrail was judged on this step")
    # Resumed just now: the restarted alarm has proved nothing yet, whatever this scorecard says.
    reasons += [f"{name} starts afresh after its alarm" for name in card.alarmed]
    if card.split_alarm:
        reasons.append("the traffic split starts afresh after its alarm")
    return reasons


def _labels_missing(m: Moment) -> list[_Missing]:
    if m.next_step is None and m.state.phase is not Phase.WATCH:
        return []  # the watch that follows judges everything served at the last share
    through = labels_needed_through(m.state, m.plan, m.now)
    if through is None:
        return []
    closes = through + m.plan.outcomes.maturity
    matured = m.world.scorecard.matured_through
    if m.plan.unit.block == "none" and matured is None:
        # Without blocks the scorecard names none, and age alone says that an outcome counts as known.
        matured = through if closes <= m.now else None
    if matured is not None and matured >= through:
        return []
    known = f"labels are complete through {matured:%Y-%m-%d %H:%M}" if matured else "no block is closed yet"
    why = f"{known}; needed through {through:%Y-%m-%d %H:%M}, which is at {closes:%Y-%m-%d %H:%M}"
    return [(Waiting.LABELS, why, closes)]


def _labels_due(m: Moment) -> str:
    """Return when the labels this step waits for will be in, as an addition to a sentence."""
    if m.next_step is None and m.state.phase is not Phase.WATCH:
        return ""
    through = labels_needed_through(m.state, m.plan, m.now)
    if through is None:
        return ""
    return f"; labels for this step are complete on {through + m.plan.outcomes.maturity:%Y-%m-%d %H:%M}"


def _stay(m: Moment) -> str:
    return "watch" if m.state.phase is Phase.WATCH else f"dwell at {percent(m.state.share_bp)}"
