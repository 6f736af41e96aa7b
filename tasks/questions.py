"""Questions that are open: what people are asked, in the words that codes are bound to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from headgate.adapters import store
from headgate.codes import approval_request
from headgate.errors import InputError
from headgate.plan import Plan
from headgate.plan.model import ALL
from headgate.rollout.questions import person
from headgate.rollout.state import LIVE, Answer, Approval, Asked, State
from tasks import wiring

#: One of these ends a question: the tick that follows rolls back, or asks anew.
_ENDING = frozenset({Answer.REJECT, Answer.HOLD, Answer.LOST})


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is open: whether a step may be entered on this evidence.

    Attributes
    ----------
    request
        Its name, which approval codes are bound to.
    approved_by, answered_by
        Who said yes so far; everybody who said anything.
    ended
        Why it takes no answer of anybody else although no tick has looked yet; empty while it is open.
    """

    rollout: str
    service: str
    slice: str
    step: int
    attempt: int
    digest: str
    plan_hash: str
    asked_at: datetime
    expires_at: datetime
    request: str
    approvers_needed: int
    approved_by: tuple[str, ...]
    from_percent: float
    to_percent: float
    answered_by: tuple[str, ...] = ()
    ended: str = ""

    @property
    def settled(self) -> bool:
        """Whether it needs no further answer."""
        return bool(self.ended) or len(self.approved_by) >= self.approvers_needed

    def __str__(self) -> str:
        """Say in one line what is being approved."""
        whose = "" if self.slice == ALL else f" slice {self.slice}"
        return (
            f"{self.rollout}{whose}: from {self.from_percent:g} % to {self.to_percent:g} % (question "
            f"{self.attempt}; {len(self.approved_by)} of {self.approvers_needed} approved; open until "
            f"{self.expires_at:%Y-%m-%d %H:%M} UTC)"
        )


def open_questions(rollout_id: str) -> tuple[Question, ...]:
    """Return the questions of a rollout that still can be answered, in the order of its slices.

    Raises
    ------
    InputError
        If there is no such rollout.
    """
    engine = wiring.build().engine
    rollout = store.get(engine, rollout_id)
    plan = store.plan_of(engine, rollout.plan_hash)
    return tuple(question for question in _asked(rollout, plan) if not question.ended)


def the_question(rollout_id: str, slice_: str | None) -> Question:
    """Return the question that somebody means: the open one of the slice they name, or the only one.

    Raises
    ------
    InputError
        If there is none, or there are several and no slice is named.
    """
    store.get(wiring.build().engine, rollout_id)
    states(rollout_id, slice_)
    found = [q for q in open_questions(rollout_id) if slice_ in (None, q.slice)]
    if not found:
        raise InputError(f"asked to answer for {rollout_id}; no question is open; `headgate status` says why")
    if len(found) > 1:
        names = ", ".join(question.slice for question in found)
        raise InputError(f"asked to answer for {rollout_id}; slices {names} have a question open; name one")
    return found[0]


def find(rollout_id: str, slice_: str, step: int, attempt: int) -> Question | None:
    """Return this question while it is the one that was asked last, be it answered already; else None."""
    engine = wiring.build().engine
    rollout = store.get(engine, rollout_id)
    asked = (slice_, step, attempt)
    found = _asked(rollout, store.plan_of(engine, rollout.plan_hash))
    return next((q for q in found if (q.slice, q.step, q.attempt) == asked), None)


def closed(rollout_id: str, slice_: str, step: int, attempt: int) -> str:
    """Say why a question takes no answer any more, and what is open instead."""
    what = f"question {attempt} about step {step} of {rollout_id} is closed"
    other = [question for question in open_questions(rollout_id) if question.slice == slice_]
    if other:
        return (
            f"{what}: the evidence changed or it ran out; open is {other[0]}: look at the evidence again and "
            "answer that"
        )
    return f"{what}; no question is open; `headgate status` says why"


def states(rollout_id: str, slice_: str | None) -> list[State]:
    """Return where a slice stands, or every one where none is named; the plan need not be readable.

    Raises
    ------
    InputError
        If the rollout has no such slice.
    """
    engine = wiring.build().engine
    names = store.slice_names(engine, rollout_id)
    asked = names if slice_ is None else [name for name in names if name == slice_]
    if not asked:
        raise InputError(
            f"asked the slice {slice_!r} of {rollout_id}; it has {', '.join(names)}; name one of them"
        )
    ticks = (store.last_tick(engine, rollout_id, name) for name in asked)
    return [tick.state for tick in ticks if tick is not None]


def _asked(rollout: store.Rollout, plan: Plan) -> Iterator[Question]:
    """Yield what the last tick of every slice asked, with what was said to it so far."""
    engine = wiring.build().engine
    for name in plan.slice_names:
        tick = store.last_tick(engine, rollout.id, name)
        if tick is None or tick.state.phase not in LIVE or tick.state.asked is None:
            continue
        if tick.state.asked.step != tick.state.step + 1:
            continue
        answers = store.approvals(engine, rollout.id, name)
        yield _question(rollout, plan.of_slice(name), tick.state, tick.state.asked, answers)


def _question(
    rollout: store.Rollout, plan: Plan, state: State, asked: Asked, approvals: Iterable[Approval]
) -> Question:
    answers = [one for one in approvals if (one.step, one.attempt) == (asked.step, asked.attempt)]
    approved = {person(one.approver): one.approver for one in answers if one.answer is Answer.APPROVE}
    step, ending = plan.steps[asked.step], [one for one in answers if one.answer in _ENDING]
    return Question(
        rollout=rollout.id,
        service=rollout.service,
        slice=state.slice,
        step=asked.step,
        attempt=asked.attempt,
        digest=asked.digest,
        plan_hash=rollout.plan_hash,
        asked_at=asked.at,
        expires_at=asked.expires_at,
        request=approval_request(
            rollout.id,
            state.slice,
            step=asked.step,
            attempt=asked.attempt,
            plan_hash=rollout.plan_hash,
            digest=asked.digest,
        ),
        approvers_needed=step.approval.approvers if step.approval else 1,
        approved_by=tuple(approved.values()),
        from_percent=state.share_bp / 100,
        to_percent=step.percent,
        answered_by=tuple(person(one.approver) for one in answers),
        ended="".join(_ended(rollout.id, one) for one in ending[:1]),
    )


def _ended(rollout_id: str, by: Approval) -> str:
    said = f"{by.approver} said {by.answer.value}" + (f" ({by.comment})" if by.comment else "")
    return f"question {by.attempt} about step {by.step} of {rollout_id} is closed: {said}; a tick acts on it"
