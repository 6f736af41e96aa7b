"""What the page stands on: the store, the clock, the plans, and how somebody proves who they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from headgate.plan.model import Plan
from headgate.review.case import Queued


@dataclass(frozen=True)
class Desk:
    """What the page stands on.

    Attributes
    ----------
    clock
        The clock in use.
    plan_of
        The plan that a service's cases are read by; None where no rollout of it was ever opened.
    told_of
        How a service's answers are taken and what is to come, as `headgate review status` tells it.
    say
        Records an answer to a case: number, answer, reviewer, comment.
    prove
        Takes a name, what it is asked for and a code; says why that proves nothing, or None.
    reviewer
        Whose page this is; None: people sign in.
    """

    engine: Engine
    clock: Callable[[], datetime]
    plan_of: Callable[[str], Plan | None]
    told_of: Callable[[str], dict[str, Any]]
    say: Callable[[int, float, str, str], Queued]
    prove: Callable[[str, str, str], str | None]
    reviewer: str | None = None
