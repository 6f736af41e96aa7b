"""What a page says about a rollout in whole sentences: what happened, why, and what is promised."""

from __future__ import annotations

import math

from headgate.plan.applies import RATES
from headgate.plan.model import Gate, Metric, Plan
from headgate.report.formats import count, day, e_value, lasting, number, percent
from headgate.report.metric_words import noun
from headgate.report.story import Story
from headgate.report.words import PHASES, waiting_sentence
from headgate.rollout.state import Answer, Outcome
from headgate.verdicts import Verdict


def headline(story: Story) -> str:
    """Return what happened, in one sentence a newcomer understands."""
    candidate, incumbent = story.plan.candidate.version, story.plan.incumbent.version
    since, until = story.lasted
    took = lasting(until - since)
    if story.last is None:
        return f"{candidate} has not been judged yet: opened on {day(story.opened_at)}, and no tick has run."
    match story.outcome:
        case Outcome.PROMOTED:
            return (
                f"{candidate} was promoted: in {took} it climbed from shadow to {percent(story.highest_bp)} "
                f"of the traffic and replaced {incumbent}."
            )
        case Outcome.ROLLED_BACK | Outcome.ABORTED | Outcome.EXPIRED | Outcome.REJECTED:
            ended = f"{candidate} was {_ended(story)} after {took} {_reach(story)}"
            return f"{ended}; {incumbent} takes all traffic."
        case Outcome.SUPERSEDED:
            return f"{candidate} was superseded by another rollout; {incumbent} takes all traffic."
        case None:
            state = story.last.state
            where = PHASES[state.phase] + (f" at {percent(state.share_bp)}" if state.share_bp else "")
            flag = ", paused" if state.paused else ""
            wait = waiting_sentence(state.waiting_for)
            return f"{candidate} is in {where}{flag} after {took}{', ' + wait if wait else ''}."


def _ended(story: Story) -> str:
    return {
        Outcome.ROLLED_BACK: "rolled back",
        Outcome.ABORTED: "aborted",
        Outcome.EXPIRED: "given up without proof",
        Outcome.REJECTED: "rejected",
    }[story.outcome or Outcome.ROLLED_BACK]


def _reach(story: Story) -> str:
    if not story.highest_bp:
        return "without ever getting live traffic"
    return f"and never had more than {percent(story.highest_bp)} of the traffic"


def why(story: Story) -> str:
    """Return what decided, in the record's own words."""
    tick = story.deciding
    if tick is None:
        return "There is no evidence yet, and no evidence never promotes."
    reason = tick.decision.reason.rstrip(".") or "no reason recorded"
    if story.outcome is None:
        return f"Last tick, {day(tick.at)}: {reason}."
    yes = sum(a.answer is Answer.APPROVE for a in story.approvals)
    people = {0: "Nobody had to approve.", 1: "One approval is on record."}.get(
        yes, f"{yes} approvals are on record."
    )
    return f"Why, on {day(tick.at)}: {reason}. {people}"


def question(gate: Gate) -> str:
    """Return what a gate asks, in words."""
    what = noun(gate)
    if gate.metric is Metric.LATENCY:
        quantile = f"p{number(100 * gate.quantile)}" if gate.quantile else "the quantile"
        return f"{quantile} latency below {number(gate.ratio)} times the incumbent's"
    if gate.metric is Metric.CALIBRATION:
        return "what the candidate calls likely happens as often as it says"
    if gate.metric is Metric.COVERAGE:
        return f"the candidate answers more than {_share(gate.floor)} of requests"
    if gate.metric is Metric.ERROR_RATE:
        return f"fewer than {_share(gate.ceiling)} of the candidate's requests fail"
    if gate.metric in RATES:
        return f"{what}: fewer than {_share(gate.ceiling)}"
    if gate.margin is None:
        return f"{what} below {number(gate.ratio)} times the incumbent's, arm against arm"
    arms = ", arm against arm" if gate.unpaired else ""
    if gate.margin < 0:
        return f"{what} better than the incumbent's by {number(-gate.margin)} or more{arms}"
    return f"{what} worse than the incumbent's by less than {number(gate.margin)}{arms}"


def _share(value: float | None) -> str:
    return "the planned share" if value is None else f"{number(100 * value)} %"


def applies_where(gate: Gate) -> str:
    """Return on which steps a gate counts, in words."""
    where = {"shadow": "in shadow only", "split": "while traffic is split"}.get(
        gate.applies.value if gate.applies else "", "on every step"
    )
    return where + (f", proves from {percent(round(gate.from_ * 100))} on" if gate.from_ else "")


def settled(story: Story) -> str:
    """Return how the verdicts stood together when they settled it, with the harm of all guardrails."""
    tick = story.deciding
    if tick is None:
        return "No gate has been judged yet."
    deciding = [v for v in tick.verdicts if v.applies and v.role.value != "report"]
    passing = sum(v.verdict is Verdict.PASS for v in deciding)
    harm = (
        f" Harm over all guardrails together stands at E = {e_value(tick.log_harm)}"
        f" and rolls back at {e_value(tick.log_harm_threshold)}."
        if math.isfinite(tick.log_harm_threshold)
        else ""
    )
    return (
        f"At tick {tick.tick}, {count(passing)} of the {count(len(deciding))} judgements that count "
        f"(of gates and their segments) {'is a' if passing == 1 else 'are a'} pass.{harm}"
    )


def guarantees(plan: Plan) -> tuple[str, str]:
    """Return what is promised, and what is not, in a sentence each."""
    bad, fine = (number(100 * p) for p in (plan.errors.promote_bad, plan.errors.roll_back_fine))
    promise = (
        f"However often anybody looks, the chance of ever advancing a candidate that is worse than a margin "
        f"of this plan is at most {bad} %, and the chance of ever rolling back one that is no worse than the "
        f"incumbent is at most {fine} %, over all steps, gates, segments, looks and attempts together."
    )
    block = plan.unit.block
    unit = "independent requests" if isinstance(block, str) else f"blocks of {lasting(block)}"
    limits = (
        f"This speaks of the metrics and margins of this plan on traffic like the traffic seen, with quality "
        f"judged by {unit}; it does not cover what no gate asks, and no data is never read as a pass."
    )
    return promise, limits
