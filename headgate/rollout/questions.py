"""Questions to the approvers, and which answers count."""

from __future__ import annotations

from headgate.rollout.moment import Moment
from headgate.rollout.state import LIVE, Answer, Approval, Asked


def person(name: str) -> str:
    """Return a name as compared: one person is one approver however they spell it."""
    return name.strip().casefold()


def digest(moment: Moment) -> str:
    """Return what an approval given now would be bound to; empty before the versions are frozen."""
    versions = moment.state.versions
    return moment.world.scorecard.digest(versions) if versions else ""


def rejection(moment: Moment) -> Approval | None:
    """Return an answer that rejects the next step, on any question since this step was entered.

    A no needs neither enough people nor unchanged evidence, and the author may say it.
    """
    state = moment.state
    if state.phase not in LIVE:
        return None
    noes = (
        answer
        for answer in moment.world.approvals
        if answer.answer is Answer.REJECT
        and answer.step == state.step + 1
        and state.entered_at <= answer.at <= moment.now
    )
    return next(noes, None)


def open_question(moment: Moment) -> Asked | None:
    """Return the question that is still good for the next step, or None when it has to be asked anew.

    Other evidence, another step, its expiry, somebody's "hold" or the loss of its form make it void.
    """
    state, asked = moment.state, moment.state.asked
    if asked is None or asked.step != state.step + 1 or asked.digest != digest(moment):
        return None
    if moment.now >= asked.expires_at:
        return None
    void = any(answer.answer in (Answer.HOLD, Answer.LOST) for answer in _answers(moment, asked))
    return None if void else asked


def approvers(moment: Moment, asked: Asked) -> tuple[str, ...]:
    """Return the distinct people, none of them the author, whose yes counts for this question."""
    author = person(moment.plan.author)
    people = {
        person(answer.approver)
        for answer in _answers(moment, asked)
        if answer.answer is Answer.APPROVE
        and answer.digest == asked.digest
        and answer.plan_hash == moment.plan_hash
        and asked.at <= answer.at < asked.expires_at
    }
    return tuple(sorted(people - {author, ""}))


def _answers(moment: Moment, asked: Asked) -> tuple[Approval, ...]:
    return tuple(
        answer
        for answer in moment.world.approvals
        if answer.step == asked.step and answer.attempt == asked.attempt and answer.at <= moment.now
    )
