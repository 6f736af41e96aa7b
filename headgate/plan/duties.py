"""Who must sign, who is told of what, and who is asked next when nobody answers."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from headgate.plan.part import Duration, Name, Part


class NoticeKind(StrEnum):
    """What people can be told of."""

    ASK = "ask"
    ADVANCE = "advance"
    HOLD = "hold"  # for longer than planned
    PAUSE = "pause"
    STEP_BACK = "step_back"
    FREEZE = "freeze"
    ROLL_BACK = "roll_back"
    ABORT = "abort"
    FINISH = "finish"
    EXPIRE = "expire"
    ESCALATION = "escalation"
    INCIDENT = "incident"
    BREAK_GLASS = "break_glass"
    SILENCE = "silence"
    DRIFT = "drift"
    DEGRADED = "degraded"  # the serving model does worse than it did
    NO_DATA = "no_data"  # requests or labels have stopped coming


class Escalation(Part):
    """Whom to tell when a question or a wait for an operator is older than ``after``."""

    after: Duration
    to: str = Field(min_length=3)


class Notice(Part):
    """Which events go where: a URL, or ``block:<type>/<name>`` of a Prefect block; at the latest when."""

    events: tuple[NoticeKind, ...] = Field(min_length=1)
    to: str = Field(min_length=3)
    within: Duration = timedelta(hours=1)


class SignOff(Part):
    """A role that must have signed this very plan, and for how long a signature holds."""

    role: Name
    valid: Duration = timedelta(days=365)


class Questionnaire(Part):
    """The readiness questionnaire must have been answered for this very plan."""

    valid: Duration = timedelta(days=90)
