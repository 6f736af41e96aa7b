"""What an approver's form shows, and what becomes of an answer given in it."""

from __future__ import annotations

from datetime import datetime

from headgate.adapters import store
from headgate.adapters.stories import story_of
from headgate.report.formats import when
from headgate.report.scorecard import Asking, scorecard
from headgate.rollout.state import Answer, Asked
from tasks import people, wiring
from tasks.direct import task
from tasks.people import Heard, Question
from tasks.questions import closed, find
from tasks.retrying import OUTSIDE


def question_of(rollout: str, slice_: str, step: int, attempt: int, now: datetime) -> Question | None:
    """Return this very question while it waits for somebody; None once it does not.

    Raises
    ------
    InputError
        If there is no such rollout.
    """
    question = find(rollout, slice_, step, attempt)
    waits = question is not None and not question.settled and now < question.expires_at
    return question if waits else None


def why_closed(rollout: str, slice_: str, step: int, attempt: int) -> str:
    """Say why a question waits for nobody any more."""
    question = find(rollout, slice_, step, attempt)
    if question is None:
        return closed(rollout, slice_, step, attempt)
    if question.ended:
        return question.ended
    if question.settled:
        return f"approved by {', '.join(question.approved_by)}; the next tick acts on it"
    return f"it expired at {when(question.expires_at)}; the next tick asks anew"


@task(name="draw the scorecard", **OUTSIDE)
def sheet(question: Question, now: datetime, notice: str | None = None) -> str:
    """Return what stands above the form: the question, and what speaks for and against it."""
    engine = wiring.build().engine
    plan = store.plan_of(engine, question.plan_hash)
    where = next((part.where for part in plan.slices if part.name == question.slice), None)
    asking = Asking(
        rollout=question.rollout,
        slice=question.slice,
        where=where,
        asked=Asked(question.step, question.attempt, question.digest, question.asked_at, question.expires_at),
        request=question.request,
        agreed=question.approved_by,
    )
    return scorecard(story_of(engine, question.rollout, question.slice), asking, now, notice)


@task(name="hear the answer", **OUTSIDE)
def hear(
    question: tuple[str, str, int, int],
    said: Answer,
    who: tuple[str, str],
    comment: str,
    now: datetime,
    origin: str,
) -> Heard:
    """Record an answer to (rollout, slice, step, attempt) by (approver, code), once per origin.

    What was recorded of an origin before is returned as it was: the form runs again from its top every
    time somebody answers in it.
    """
    rollout, slice_, step, attempt = question
    approver, code = who
    return people.take_answer(
        rollout, slice_, step, attempt, said, approver, code, comment, now, origin=origin
    )
