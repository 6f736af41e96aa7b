"""What a slice needs before it may go one step up, item by item, and when that may be at the earliest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from headgate.plan.applies import carries, gate_applies
from headgate.plan.calendar import OpenHours
from headgate.plan.model import Gate, Plan
from headgate.plan.reviewing import Review
from headgate.report.formats import count, e_value, estimate, interval, lasting, percent, when
from headgate.report.glance import Glance
from headgate.report.narration import question
from headgate.rollout.state import Move, Phase, Waiting
from headgate.verdicts import GateVerdict, Role, Verdict

#: What a need of people who look at answers is called.
REVIEWERS = "reviewers"
#: What is only looked at where reviewers keep up.
_LATER = frozenset({Waiting.SAMPLES, Waiting.DWELL, Waiting.LABELS, Waiting.CALENDAR, Waiting.APPROVAL})
#: A pace this slow is none: nobody waits ten years for a gate.
_FOREVER = timedelta(days=3_650)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that going on takes.

    Attributes
    ----------
    what
        What it is, e.g. ``gate quality`` or ``dwell``.
    met
        Whether it is there already; None where that is found out only when the rest is there.
    detail
        What is there, and what exactly is missing.
    ready_at
        When it may be met at the earliest, if time or traffic bring it; None: nobody can tell.
    """

    what: str
    met: bool | None
    detail: str
    ready_at: datetime | None = None


def needs(one: Glance) -> tuple[Need, ...]:
    """Return everything that the next step (or the end of the watch) takes, in the order it is asked for."""
    if one.plan is None or not one.live:
        return ()
    rises = one.next_step is not None
    found = [*_gates(one, one.plan), *_times(one)]
    if rises and one.plan.review is not None:
        found.append(_reviewers(one, one.plan.review))
    if rises:
        found.append(_calendar(one, one.plan))
    if rises and one.next_step and one.next_step.approval:
        found.append(_approval(one))
    return tuple(found)


def earliest(one: Glance) -> datetime | None:
    """Return when the share may rise (or the watch end) at the earliest; None where nobody can tell.

    People are taken to answer at once, and gates to gather evidence as fast as so far.
    """
    if one.plan is None or not one.live or one.state.paused is not None:
        return None
    open_ = [need for need in needs(one) if need.met is False and need.what not in ("calendar", "approval")]
    if any(need.ready_at is None for need in open_):
        return None
    soonest = max([one.now, *(need.ready_at for need in open_ if need.ready_at)])
    return OpenHours.of(one.plan.calendar).next_opening(soonest) if one.next_step else soonest


def _gates(one: Glance, plan: Plan) -> list[Need]:
    share = one.state.share_bp
    verdicts = [v for v in one.last.verdicts if v.applies and v.role is not Role.REPORT]
    gates = {gate.name: gate for gate in plan.all_gates}
    found = [_gate(one, plan, v, gates.get(v.gate)) for v in verdicts]
    judged = {v.gate for v in verdicts}
    found += [
        Need(f"gate {gate.name}", False, f"not judged on this step yet; asked: {question(gate)}")
        for gate in plan.all_gates
        if gate.role is not Role.REPORT and gate.name not in judged and gate_applies(gate, share, plan)
    ]
    return found


def _gate(one: Glance, plan: Plan, v: GateVerdict, gate: Gate | None) -> Need:
    name = f"gate {v.gate}[{v.segment}]" if v.segment else f"gate {v.gate}"
    if v.verdict is Verdict.PASS:
        return Need(name, True, f"passes after {count(v.samples)} {v.unit}")
    asked = f"; asked: {question(_held_to(plan, v, gate))}" if gate else ""
    if v.verdict in (Verdict.ERROR, Verdict.FAIL):
        return Need(name, False, f"{v.verdict.value}: {v.reason}{asked}")
    seen = (
        f"; seen {estimate(v.estimate, gate)} {interval(v.lower, v.upper, gate)}"
        if v.estimate is not None
        else "; nothing that counts is seen yet"
    )
    proof = f"; evidence {e_value(v.log_e_advance)} of {e_value(v.log_threshold_advance)}"
    return Need(name, False, f"{units(v)}{seen}{asked}{proof}", _when_proved(one, plan, v, gate))


def _held_to(plan: Plan, v: GateVerdict, gate: Gate) -> Gate:
    """Return the gate with the limit that a segment is held to, where the plan gives segments their own."""
    limit = plan.segments.gates.get(gate.name) if plan.segments and v.segment else None
    if limit is None:
        return gate
    name = next((n for n in ("margin", "ceiling", "floor") if getattr(gate, n) is not None), None)
    return gate if name is None else gate.model_copy(update={name: limit})


def units(v: GateVerdict) -> str:
    """Return how many units of evidence are there, and of how many."""
    if v.needed is None:
        grows = "and the evidence does not grow" if v.samples else "so far"
        return f"{count(v.samples)} {v.unit} {grows}"
    return f"{count(v.samples)} of about {count(v.samples + v.needed)} {v.unit}"


def _when_proved(one: Glance, plan: Plan, v: GateVerdict, gate: Gate | None) -> datetime | None:
    """Return when the units still needed may be there: block by block, or at the pace of this stay."""
    if v.needed is None:
        return None
    if v.unit == "blocks":
        block = plan.unit.block
        return None if isinstance(block, str) else one.last.at + v.needed * block
    began = one.state.opened_at if gate and carries(gate, plan) else one.state.confirmed_at
    if began is None or not v.samples or one.last.at <= began:
        return None
    takes = v.needed / v.samples * (one.last.at - began)
    return one.last.at + takes if takes < _FOREVER else None


def _times(one: Glance) -> list[Need]:
    state, dwell, labels = one.state, one.dwell_ends, one.labels_due
    if state.confirmed_at is None or dwell is None:
        why = f"the plane has not confirmed {percent(state.share_bp)} yet"
        return [Need("plane", False, why)]
    name = "watch" if state.phase is Phase.WATCH else "dwell"
    over = dwell <= one.now
    found = [Need(name, over, f"{'over since' if over else 'until'} {when(dwell)}", dwell)]
    if labels is not None:
        found.append(_labels(one, labels))
    return found


def _labels(one: Glance, due: datetime) -> Need:
    """Return whether the labels are in: before their time they cannot be, after it the tick says."""
    if due > one.now:
        return Need("labels", False, f"complete on {when(due)}", due)
    if Waiting.LABELS in one.state.waiting_for:
        return Need("labels", False, f"were due on {when(due)} and are not all in: do outcomes still arrive?")
    seen = due <= one.last.at
    said = f"complete since {when(due)}" if seen else f"were due on {when(due)}: the next tick sees them"
    return Need("labels", True if seen else None, said)


def _reviewers(one: Glance, rule: Review) -> Need:
    """Return whether the people who look at answers keep up, as far as the last tick looked."""
    asked = (
        f"asked: at most {rule.capacity} cases a day at that step, none waiting longer than "
        f"{lasting(rule.max_age)}"
    )
    if Waiting.REVIEW_CAPACITY in one.state.waiting_for:
        return Need(REVIEWERS, False, f"do not keep up, or would not at that step; {asked}")
    held = one.decision.move in (Move.HOLD, Move.ASK) and one.state.paused is None
    if held and set(one.state.waiting_for) <= _LATER:
        return Need(REVIEWERS, True, "keep up, and would at that step")
    return Need(REVIEWERS, None, f"looked at by the next tick; {asked}")


def _calendar(one: Glance, plan: Plan) -> Need:
    hours = OpenHours.of(plan.calendar)
    if hours.is_open(one.now):
        return Need("calendar", True, "open now")
    opening = hours.next_opening(one.now)
    said = f"closed; opens {when(opening)}" if opening else "closed, and it does not open again"
    return Need("calendar", False, said, opening)


def _approval(one: Glance) -> Need:
    rule = one.next_step.approval if one.next_step else None
    people = rule.approvers if rule else 0
    asked = one.question
    if asked is None:
        return Need("approval", None, f"{_people(people)} will be asked once all the rest is there")
    names = f": {', '.join(asked.approved_by)}" if asked.approved_by else ""
    said = f"{len(asked.approved_by)} of {asked.needed} agreed{names}"
    return Need("approval", len(asked.approved_by) >= asked.needed, said)


def _people(number: int) -> str:
    return "one person" if number == 1 else f"{number} people"
