"""Asks people one question: a suspended run, whose form carries the scorecard, waits for their answers."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any, Literal
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed
from pydantic import ConfigDict, Field

from headgate.rollout.state import Answer
from tasks.answering import hear, question_of, sheet, why_closed
from tasks.clock import the_time
from tasks.forms import filled_in
from tasks.people import Heard, Question

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=30)


class YourAnswer(RunInput):
    """What an approver fills in. The server checks it against this schema before the run resumes.

    Nothing has a default: a form sent back empty is refused, never read as a yes.
    """

    # A code that was typed into a wrong field must not come back in an error's text.
    model_config = ConfigDict(title="Your answer", hide_input_in_errors=True)

    decision: Literal["approve", "reject", "hold"] = Field(
        title="Decision",
        description="approve: go on. reject: end the rollout; the incumbent takes all traffic. "
        "hold: not now; you are asked again.",
        json_schema_extra={"position": 0},
    )
    approver: str = Field(
        title="Approver",
        description="Your name as it is enrolled, e.g. chief@example.org.",
        examples=["chief@example.org"],
        min_length=3,
        max_length=200,
        json_schema_extra={"position": 1},
    )
    code: str = Field(
        title="Approval code",
        description="The 8 digits that the command above prints for this decision, e.g. 1234 5678.",
        examples=["1234 5678"],
        pattern=r"^\s*([0-9]\s*){8}$",
        json_schema_extra={"position": 2},
    )
    comment: str = Field(
        title="Comment",
        description="Why, in a sentence; it goes into the record.",
        examples=["The scorecard is good, and nobody is on holiday."],
        min_length=5,
        max_length=2_000,
        json_schema_extra={"position": 3},
    )


@flow(name="approve", flow_run_name="{title}")
def approve(rollout: str, slice_: str, step: int, attempt: int, title: str) -> State[Any]:  # noqa: ARG001 - names it
    """Ask for approval of one step until the question is settled or no longer open.

    Ticks start it, one per question. Whenever somebody answers it runs again from the top: answers heard
    before are told from the record, so that they count once.

    Args:
        rollout: Id of the rollout, as `headgate status` shows it.
        slice_: Which part of the requests; `all` where the plan has no slices.
        step: Number of the step that is to be entered; shadow is 0.
        attempt: Number of the question, from 1.
        title: What the list of runs shows.
    """
    asked = (rollout, slice_, step, attempt)
    notice = None
    for sitting in count(1):
        if not _was_shown(sitting):
            question = question_of(*asked, the_time())
            if question is None:
                return _outdated(why_closed(*asked))
            _show(question, sitting, notice)
        answer = _given(sitting)
        if answer is None:
            continue
        said, who = Answer(answer.decision), (answer.approver.strip(), answer.code)
        heard = hear(asked, said, who, answer.comment, the_time(), f"{flow_run.id}:{sitting}")
        if heard.settled and not _was_shown(sitting + 1):
            return _settled(said, heard)
        notice = _notice(answer.approver, heard)
    raise AssertionError("counting never ends")


def _show(question: Question, sitting: int, notice: str | None) -> None:
    """Draw the form and end this process; a process of its own carries on once somebody answered."""
    now = the_time()
    left = min(max(question.expires_at - now, _SHORTEST), _LONGEST)
    form = YourAnswer.with_initial_data(description=sheet(question, now, notice))
    suspend_flow_run(wait_for_input=form, timeout=int(left.total_seconds()), key=str(sitting))


def _was_shown(sitting: int) -> bool:
    """Return whether this run was suspended for this sitting before."""
    context = FlowRunContext.get()
    run = context.flow_run if context is not None else None
    return run is not None and str(sitting) in (run.empirical_policy.pause_keys or ())


def _given(sitting: int) -> YourAnswer | None:
    """Return what somebody filled in at this sitting; None where the run was retried without an answer."""
    found = filled_in(UUID(flow_run.id), f"suspended-{sitting}")
    return YourAnswer(**found) if found else None


def _notice(approver: str, heard: Heard) -> str:
    if heard.accepted:
        return f"Recorded: {approver.strip()} agreed. {heard.reason}"
    return f"Not accepted: {heard.reason}"


def _settled(said: Answer, heard: Heard) -> State[Any]:
    """Return how the run ends. Green is for a yes alone; what is grey needs nobody's attention."""
    if not heard.accepted:
        return _outdated(heard.reason)
    match said:
        case Answer.APPROVE:
            return Completed(name="Approved", message=heard.reason)
        case Answer.REJECT:
            return Cancelled(name="Rejected", message=heard.reason)
        case _:
            return Cancelled(name="Held", message=heard.reason)


def _outdated(why: str) -> State[Any]:
    return Cancelled(name="Outdated", message=f"outdated: {why}")
