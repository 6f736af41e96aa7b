"""Sentences an operator reads: decisions, phases, the scorecard and where a rollout stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from headgate.plan.model import Plan
from headgate.report.formats import count, e_value, estimate, interval, lasting, percent, utc, when
from headgate.rollout.state import Move, Outcome, Phase, State, Tick, Waiting
from headgate.verdicts import GateVerdict, Role, Scorecard, Verdict

__all__ = [
    "OUTCOMES",
    "PHASES",
    "VERDICTS",
    "WAITING",
    "move_sentence",
    "percent",
    "scorecard_markdown",
    "status_line",
    "step_name",
    "verdict_label",
    "waiting_sentence",
    "when",
]

PHASES = {
    Phase.QUEUED: "queued",
    Phase.PREFLIGHT: "preflight checks",
    Phase.SHADOW: "shadow",
    Phase.RAMP: "ramp",
    Phase.WATCH: "watch",
    Phase.ROLLING_BACK: "rolling back",
    Phase.DONE: "done",
}

OUTCOMES = {
    Outcome.PROMOTED: "promoted",
    Outcome.ROLLED_BACK: "rolled back",
    Outcome.REJECTED: "rejected",
    Outcome.ABORTED: "aborted",
    Outcome.EXPIRED: "expired",
    Outcome.SUPERSEDED: "superseded",
}

WAITING = {
    Waiting.APPROVAL: "an approval",
    Waiting.CALENDAR: "the calendar to open",
    Waiting.LABELS: "labels to mature",
    Waiting.SAMPLES: "more evidence",
    Waiting.DWELL: "the dwell to pass",
    Waiting.REVIEW_CAPACITY: "reviewers to catch up",
    Waiting.TRAFFIC: "the traffic plane",
    Waiting.OPERATOR: "an operator",
    Waiting.SPLIT: "the traffic split to be mended",
}

VERDICTS = {
    Verdict.FAIL: "fail",
    Verdict.ERROR: "error",
    Verdict.NO_DATA: "no data",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.PASS: "pass",
}


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def waiting_sentence(waiting_for: Sequence[Waiting]) -> str:
    """Return what is waited for in words; empty for nothing."""
    return f"waiting for {listed([WAITING[w] for w in waiting_for])}" if waiting_for else ""


def step_name(plan: Plan, step: int) -> str:
    """Return a step in words: ``shadow``, or its share."""
    share_bp = plan.steps[step].share_bp if 0 <= step < len(plan.steps) else 0
    return percent(share_bp) if share_bp else "shadow"


def verdict_label(verdict: GateVerdict) -> str:
    """Return the verdict in words; a gate that does not apply here is not judged."""
    return VERDICTS[verdict.verdict] if verdict.applies else "not judged here"


def move_sentence(tick: Tick, before_bp: int) -> str:
    """Return what one tick did, given the share in force before it (basis points)."""
    state, decision = tick.state, tick.decision
    now = percent(state.share_bp) if state.share_bp else "shadow"
    match decision.move:
        case Move.HOLD:
            wait = waiting_sentence(decision.waiting_for)
            where = "done" if state.phase is Phase.DONE else f"held at {now}"
            return f"{where}, {wait}" if wait else where
        case Move.ASK:
            return "asked for approval of the next step"
        case Move.ADVANCE if state.phase is Phase.WATCH:
            return f"started the watch at {now}"
        case Move.ADVANCE if state.share_bp == before_bp:
            return f"entered {PHASES[state.phase]}"
        case Move.ADVANCE:
            return f"raised the share from {percent(before_bp)} to {now}"
        case Move.PAUSE:
            return f"paused at {now}, {waiting_sentence(decision.waiting_for)}".rstrip(", ")
        case Move.STEP_BACK:
            return f"stepped back from {percent(before_bp)} to {now}"
        case Move.FREEZE:
            return f"froze: share {percent(before_bp)} to 0 %, waiting for an operator"
        case Move.ROLL_BACK:
            return "rolled back: the incumbent takes all traffic"
        case Move.ABORT:
            return "aborted: the incumbent takes all traffic"
        case Move.EXPIRE:
            return "expired without proof: the incumbent takes all traffic"
        case Move.FINISH:
            outcome = state.outcome or decision.outcome
            return f"finished: {OUTCOMES[outcome]}" if outcome else "finished"


def status_line(state: State, plan: Plan, now: datetime) -> str:
    """Return where a rollout stands, in one line for a terminal or a run's name."""
    parts = [f"{state.rollout}: {_where(state, plan)}"]
    if state.phase is Phase.DONE:
        return parts[0]
    since = max(utc(now) - utc(state.entered_at), timedelta(0))
    parts.append(f"{percent(state.share_bp)} of the traffic for {lasting(since)}")
    if state.share_bp and state.confirmed_at is None:
        parts.append("not yet confirmed by the plane")
    if state.paused is not None:
        parts.append(f"paused since {when(state.paused.since)}: {_oneline(state.paused.reason)}")
    if state.asked is not None and Waiting.APPROVAL in state.waiting_for:
        step = step_name(plan, state.asked.step)
        parts.append(f"approval to enter {step} expires {when(state.asked.expires_at)}")
    if state.waiting_for:
        parts.append(waiting_sentence(state.waiting_for))
    return "; ".join(parts)


def _where(state: State, plan: Plan) -> str:
    if state.phase is Phase.DONE:
        return OUTCOMES[state.outcome] if state.outcome else PHASES[Phase.DONE]
    if state.phase is Phase.RAMP:
        return f"ramp, step {state.step} of {len(plan.steps) - 1}"
    return PHASES[state.phase]


def scorecard_markdown(scorecard: Scorecard, plan: Plan) -> str:
    """Return the scorecard as Markdown, for an artifact or an approver's form."""
    if not scorecard.verdicts:
        return "**No gate has been judged yet.** No data is never a pass.\n"
    rows = [_markdown_row(verdict, plan) for verdict in scorecard.verdicts]
    harm = (
        f"Harm over all guardrails together: E = {e_value(scorecard.log_harm)}; "
        f"rolled back at {e_value(scorecard.log_harm_threshold)}."
    )
    matured = scorecard.matured_through
    labels = f" Labels complete through {when(matured)}." if matured else ""
    head = (
        "| gate | segment | role | verdict | estimate | interval | samples | E to advance | needed | why |\n"
        "|---|---|---|---|---|---|---|---|---|---|"
    )
    return "\n".join([f"**{_summary(scorecard)}**", "", head, *rows, "", harm + labels, ""])


def _summary(scorecard: Scorecard) -> str:
    if scorecard.failed:
        return f"Failed: {_cell(scorecard.failed)}. The incumbent takes all traffic."
    if scorecard.split_alarm:
        return "The traffic split is not as configured."
    if scorecard.alarmed:
        return f"Alarm: {_cell(listed(scorecard.alarmed))}."
    deciding = scorecard.deciding()
    if scorecard.passes():
        return f"Every gate that counts passes ({len(deciding)} of {len(deciding)})."
    passing = sum(v.verdict is Verdict.PASS for v in deciding)
    return f"Not proved yet: {passing} of {len(deciding)} gates that count pass."


def _markdown_row(v: GateVerdict, plan: Plan) -> str:
    gate = next((g for g in plan.all_gates if g.name == v.gate), None)
    role = "report only" if v.role is Role.REPORT else v.role.value
    cells = (
        v.gate,
        v.segment or "all",
        role,
        verdict_label(v),
        estimate(v.estimate, gate),
        interval(v.lower, v.upper, gate),
        f"{count(v.samples)} {v.unit}",
        e_value(v.log_e_advance) if v.applies else "",
        e_value(v.log_threshold_advance) if v.applies else "",
        v.reason,
    )
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _oneline(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _cell(text: str) -> str:
    """Keep foreign text from ending a cell, starting a link or being read as HTML."""
    return re.sub(r"([\\|<>`*_\[\]!])", r"\\\1", _oneline(text))
