"""Which span of time a model is trained on, and which part of it is kept to hold it against others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.errors import InputError
from headgate.plan.durations import as_duration
from headgate.plan.model import Plan

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A window of the request log: what is learned from, and what is held out.

    Requests with ``since <= at < until`` are used; those from ``held`` on are kept from the trainer at first.
    All aware UTC and whole blocks. Requests from ``until`` to ``now`` are too young: their outcomes are not
    all in.
    """

    since: datetime
    held: datetime
    until: datetime
    now: datetime

    def to_json(self) -> dict[str, Any]:
        """Return it for the model card."""
        return {
            "since": self.since.isoformat(),
            "held_out_since": self.held.isoformat(),
            "until": self.until.isoformat(),
        }


def block_of(plan: Plan) -> timedelta:
    """Return the blocks by which models are held against each other; a day where requests are units."""
    return _DAY if plan.unit.block == "none" else plan.unit.block


def span_of(plan: Plan, now: datetime) -> Span:
    """Return the newest window whose outcomes are all mature at ``now``.

    Raises
    ------
    InputError
        If the plan does not say how to train.
    """
    asked = plan.retrain
    if asked is None:
        raise InputError(
            f"asked to train {plan.service} anew; the plan {plan.name} has no `retrain`; open a rollout of "
            "a plan that has one: docs/retraining.md"
        )
    block = block_of(plan)
    mature = now - plan.outcomes.maturity
    until = mature - (mature - _EPOCH) % block
    held = until - _whole(asked.holdout, block)
    return Span(until - _whole(asked.window, block), held, until, now)


def told(span: Span) -> str:
    """Return a span for people.

    Examples
    --------
    >>> at = [datetime(2013, month, 1, tzinfo=UTC) for month in (7, 9, 10, 10)]
    >>> told(Span(*at))
    '2013-07-01 to 2013-10-01 (92d), the last 30d held out'
    """
    length, held = as_duration(span.until - span.since), as_duration(span.until - span.held)
    return f"{span.since:%Y-%m-%d} to {span.until:%Y-%m-%d} ({length}), the last {held} held out"


def _whole(span: timedelta, block: timedelta) -> timedelta:
    """Round up to whole blocks."""
    return -(-span // block) * block
