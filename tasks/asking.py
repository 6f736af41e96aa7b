"""Puts open questions to people as suspended runs in Prefect, and notices forms that ended unanswered.

The record counts, never a run's state: a form only asks, and a run that somebody marked as completed
approves nothing. Prefect may be down, or have no deployment of `approve`: that never fails a tick,
because `headgate approve` answers the same question from a terminal.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from prefect.client.schemas.objects import StateType
from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger

from headgate.adapters import store
from headgate.plan.model import ALL
from headgate.report.words import OUTCOMES, percent, when
from headgate.rollout.state import Phase, Waiting
from tasks import forms, people, wiring
from tasks.direct import task
from tasks.forms import Form
from tasks.ledger import Case
from tasks.people import Question
from tasks.retrying import OUTSIDE

#: A form works for seconds. One that is at work for this long died with the process that ran it.
_DEAD_AFTER = timedelta(minutes=15)
#: Forms that cannot even be drawn must not be asked anew as fast as ticks, which follow them, can come.
_CALM = timedelta(minutes=4)
#: A form draws its fields right after it falls asleep.
_DRAWN_AFTER = timedelta(minutes=1)
_told: set[tuple[str, int]] = set()
T = TypeVar("T")


@task(name="note lost forms", **OUTSIDE)
def note_lost_forms(case: Case, now: datetime) -> None:
    """Record that the form of an open question ended without an answer, so that it is asked anew.

    A form that was never started, because Prefect was down or has no deployment, is not lost; one that
    somebody deleted is started again. Both leave the question as it is.
    """
    waiting = unanswered(case, now)
    if not waiting:
        return
    started = {form.key: form for form in _started(case, waiting) or ()}
    for question in waiting:
        form = started.get(_key(question))
        why = _prefect(partial(_lost, form), question) if form else None
        if why:
            people.lose_question(question.rollout, question.slice, question.step, question.attempt, why, now)


@task(name="ask people", **OUTSIDE)
def ask_people(case: Case, now: datetime) -> None:
    """Start one suspended `approve` run per open question, and end those whose question is not open."""
    waiting = unanswered(case, now)
    started = _started(case, waiting)
    if started is None:
        return
    wanted = {_key(question) for question in waiting}
    for form in started:
        if form.key not in wanted and _may_end(form):
            _prefect(partial(forms.withdraw, form, _outdated(case)))
    asking = {state.slice for state in case.states if Waiting.APPROVAL in state.waiting_for}
    there = {form.key for form in started}
    for question in waiting:
        if question.slice in asking and _key(question) not in there:
            _prefect(partial(_start, case, question), question)


def unanswered(case: Case, now: datetime) -> tuple[Question, ...]:
    """Return the questions of a rollout that still wait for somebody."""
    if all(state.asked is None for state in case.states):
        return ()
    return tuple(
        question
        for question in people.open_questions(case.rollout.id)
        if now < question.expires_at and not question.settled
    )


def title_of(question: Question, plan_name: str, asks: int) -> str:
    """Return what the list of runs says: the fact itself, because it shows neither form nor message.

    ``asks`` is how often this step was asked about, this time included.
    """
    whose = plan_name if question.slice == ALL else f"{plan_name} / {question.slice}"
    rise = " -> ".join(
        percent(round(100 * share)).replace(" ", "") for share in (question.from_percent, question.to_percent)
    )
    return f"APPROVE {whose} {rise}" + (f" ({_nth(asks)} ask)" if asks > 1 else "")


def _start(case: Case, question: Question) -> None:
    ticks = store.ticks(wiring.build().engine, question.rollout, question.slice)
    asks = sum(t.decision.asked is not None and t.decision.asked.step == question.step for t in ticks)
    title = title_of(question, case.plan.name, asks)
    forms.start(
        _key(question),
        title,
        {
            "rollout": question.rollout,
            "slice_": question.slice,
            "step": question.step,
            "attempt": question.attempt,
            "title": title,
        },
        [forms.NEEDS_APPROVAL, f"rollout:{question.rollout}", f"service:{question.service}"],
    )


def _started(case: Case, waiting: Sequence[Question]) -> tuple[Form, ...] | None:
    """Return the rollout's forms; None where there are none to be had, which is said once per question."""

    def look() -> tuple[Form, ...] | None:
        if forms.is_there():
            return forms.forms_of(case.rollout.id)
        # An installation may well do without forms: `headgate doctor` says so, a tick only mentions it.
        for question in waiting:
            _tell_once(question, logging.INFO, f"Prefect has no deployment {forms.DEPLOYMENT}")
        return None

    return _prefect(look, *waiting)


def _prefect(do: Callable[[], T], *questions: Question) -> T | None:
    """Do something at Prefect. Where it fails the tick goes on, and the next one tries again."""
    try:
        return do()
    except forms.FAILURES as err:
        for question in questions:
            _tell_once(question, logging.WARNING, f"Prefect did not serve it: {type(err).__name__}: {err}")
    return None


def _lost(form: Form) -> str | None:
    """Return why nobody will ever answer in this form; None while somebody may."""
    age = timedelta(0) if form.since is None else datetime.now(UTC) - form.since
    if form.over:
        if form.kind in (StateType.FAILED, StateType.CRASHED) and not form.shown and age < _CALM:
            return None
        return f"its form in Prefect ended as {form.state}" + (f": {form.message}" if form.message else "")
    if form.at_work and form.since is not None and age > _DEAD_AFTER:
        return f"its form in Prefect has been {form.state} since {when(form.since)}: it died at work"
    if form.kind is StateType.PAUSED and age > _DRAWN_AFTER and forms.is_blank(form):
        return f"its form in Prefect is {form.state} without fields: it died before it had drawn them"
    return None


def _may_end(form: Form) -> bool:
    """Return whether a form nobody needs can be ended; one that has an answer to bring ends by itself."""
    if form.over or form.state == "Resuming":
        return False
    return not form.at_work or _lost(form) is not None


def _outdated(case: Case) -> str:
    state = case.state
    if state.phase is Phase.DONE and state.outcome is not None:
        return f"outdated: the rollout is {OUTCOMES[state.outcome]}"
    return (
        f"outdated: answered elsewhere, expired, or the evidence changed; `headgate explain {state.rollout}`"
    )


def _key(question: Question) -> str:
    return forms.key_of(question.rollout, question.slice, question.step, question.attempt, question.asked_at)


def _tell_once(question: Question, level: int, why: str) -> None:
    if (_key(question), level) in _told:
        return
    _told.add((_key(question), level))
    try:
        log: logging.Logger | logging.LoggerAdapter[Any] = get_run_logger()
    except MissingContextError:
        log = get_logger(__name__)
    log.log(
        level,
        "no form for question %d about step %d of %s: %s; `headgate approve %s --as WHO --code …` answers it",
        question.attempt, question.step, question.rollout, why, question.rollout,
    )  # fmt: skip


def _nth(count: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th") if count % 100 not in (11, 12, 13) else "th"
    return f"{count}{ending}"
