"""What people say: answers to open questions, proved by a code. Recorded here, acted on by a tick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from headgate.adapters import store
from headgate.errors import InputError
from headgate.rollout.questions import person
from headgate.rollout.state import Answer, Approval
from tasks import wiring
from tasks.approvers import approver_list, enrol, revoke, unproved
from tasks.questions import Question, closed, find, open_questions, the_question

__all__ = [
    "Heard",
    "Question",
    "approver_list",
    "enrol",
    "lose_question",
    "open_questions",
    "revoke",
    "take_answer",
    "the_question",
]

#: What a person may say to a question.
ANSWERS = frozenset({Answer.APPROVE, Answer.REJECT, Answer.HOLD})
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of an answer.

    Attributes
    ----------
    settled
        Whether the question needs no further answer: enough people agreed, or it is not open any more.
    """

    accepted: bool
    reason: str
    settled: bool


def take_answer(
    rollout_id: str,
    slice_: str,
    step: int,
    attempt: int,
    said: Answer,
    approver: str,
    code: str,
    comment: str,
    now: datetime,
    *,
    origin: str,
) -> Heard:
    """Hear one person's answer to a question; record it if it is theirs, theirs to give, and in time.

    What is refused is recorded as well, with why, and returned. The same origin again, such as a form
    that runs a second time, changes nothing and gets what came of it the first time.

    Parameters
    ----------
    code
        Approval code of this very answer (`headgate.codes`); read by the machine's clock.
    now
        When it is said, held against the question's expiry.
    origin
        The form or command line it comes from.

    Raises
    ------
    InputError
        If the rollout is unknown, or the key file cannot be used.
    """
    if said not in ANSWERS:
        raise InputError(f"asked {', '.join(sorted(ANSWERS))}; found {said.value}, which is no answer")
    engine = wiring.build().engine
    if (earlier := store.said_of(engine, origin)) is not None:
        return _heard(earlier, find(rollout_id, slice_, step, attempt))
    question = find(rollout_id, slice_, step, attempt)
    request = question.request if question else f"{rollout_id}/{slice_}/approve/{step}/{attempt}"
    attempted = store.Said(
        origin,
        rollout_id,
        slice_,
        keepable(request),
        keepable(approver).strip(),
        said.value,
        datetime.now(UTC),
    )
    refusal = unkeepable(approver=approver, comment=comment)
    if question is None:
        refusal = refusal or closed(rollout_id, slice_, step, attempt)
    else:
        refusal = refusal or unproved(rollout_id, approver, request, said.value, code)
        refusal = refusal or _too_late(question, approver)
    approval = Approval(
        step=step,
        attempt=attempt,
        digest=question.digest if question else "",
        plan_hash=question.plan_hash if question else "",
        approver=keepable(approver).strip(),
        answer=said,
        comment=keepable(comment),
        at=now,
    )
    heard = store.take(engine, attempted, refusal, approval)
    return _heard(heard, find(rollout_id, slice_, step, attempt))


def lose_question(rollout_id: str, slice_: str, step: int, attempt: int, why: str, now: datetime) -> bool:
    """Record that the form of a question ended unanswered: the next tick asks anew.

    Returns False where that question is not open any more or has its answers: then nothing is lost.
    """
    question = find(rollout_id, slice_, step, attempt)
    if question is None or question.settled:
        return False
    lost = Approval(
        step, attempt, question.digest, question.plan_hash, "prefect", Answer.LOST, keepable(why), now
    )
    return store.lose(wiring.build().engine, rollout_id, lost, slice_)


def unkeepable(**texts: str) -> str | None:
    """Return why one of these texts cannot be kept as it is; None: all can."""
    for name, text in texts.items():
        if keepable(text) != text:
            return f"asked {name} as text of at most {_LONGEST} characters; found {keepable(text)[:60]!r}"
    return None


def keepable(text: str) -> str:
    """Return a text as every database can keep it: no NUL, no half characters, no novel."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")[:_LONGEST]


def _too_late(question: Question, approver: str) -> str | None:
    """Say why an ended question takes no answer, but of those who answered it and may say so again."""
    return None if person(approver) in question.answered_by else question.ended or None


def _heard(said: store.Said, question: Question | None) -> Heard:
    return Heard(said.accepted, said.reason, settled=question is None or question.settled)
