"""One thing that people have to be told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headgate.plan.duties import NoticeKind
from headgate.plan.model import ALL, Plan
from headgate.report.formats import percent
from headgate.rollout.state import Decision, State

#: Reasons that a message carries, and characters of each; the rest is one command away.
_MOST, _LONGEST = 3, 240


@dataclass(frozen=True, slots=True)
class Alert:
    """What happened, to whom it is told, and what to do.

    Attributes
    ----------
    key
        Names the thing that happened, not the tick that saw it: seen again it is the same alert.
    rollout
        Empty where it is about a whole service.
    subject
        One line.
    text
        Why, and what to do; a line each. It goes on where the subject ends.
    to
        Whom it is meant for: the owner, the deputy, whoever an escalation names.
    facts
        Names and values for programs.
    """

    key: str
    kind: NoticeKind
    rollout: str
    service: str
    slice: str
    at: datetime
    subject: str
    text: str
    to: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


def name_of(state: State) -> str:
    """Return the rollout's name in a sentence, with its slice where it has any.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from headgate.rollout.state import Phase
    >>> at = datetime(2013, 4, 1, tzinfo=UTC)
    >>> name_of(State("flights-gbm-1", Phase.SHADOW, at, at, slice="jfk"))
    'flights-gbm-1 [jfk]'
    """
    return state.rollout if state.slice == ALL else f"{state.rollout} [{state.slice}]"


def key_of(state: State, kind: NoticeKind, *what: object) -> str:
    """Return the key of an alert about a slice of a rollout."""
    return "/".join([state.rollout, state.slice, kind.value, *(str(part) for part in what)])


def owners(plan: Plan) -> tuple[str, ...]:
    """Return whom everything about a plan's rollouts is meant for: the owner, then the deputy."""
    return tuple(filter(None, (plan.owner.contact, plan.owner.deputy)))


def reasons_of(decision: Decision) -> str:
    """Return the first reasons of a decision, in its own words.

    Examples
    --------
    >>> from headgate.rollout.state import Move
    >>> reasons_of(Decision(Move.HOLD, ("a", "b", "c", "d", "e")))
    'a; b; c; and 2 more'
    """
    told = [shortened(reason) for reason in decision.reasons[:_MOST]]
    left = len(decision.reasons) - _MOST
    return "; ".join([*told, f"and {left} more"] if left > 0 else told)


def shortened(text: str) -> str:
    r"""Return a reason in one line, cut where nobody would read on.

    Examples
    --------
    >>> shortened("a  guardrail\nfailed")
    'a guardrail failed'
    """
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"


def facts_of(plan: Plan, state: State, **more: str) -> tuple[tuple[str, str], ...]:
    """Return where a slice stands, as plain names and values; ``plan`` as the slice lives it."""
    facts = {
        "rollout": state.rollout,
        "service": plan.service,
        "slice": state.slice,
        "phase": state.phase.value,
        "share": percent(state.share_bp),
        "step": f"{state.step} of {len(plan.steps) - 1}",
        **more,
    }
    return tuple((name, value) for name, value in facts.items() if value)
