"""What reviewers have before them, now and at the next step, held against what they can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headgate.plan.durations import as_duration
from headgate.plan.reviewing import Review
from headgate.review.case import cases_wait
from headgate.routing import FULL_BP


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Cases that windows of one slice brought, or would have brought.

    Attributes
    ----------
    requests
        All requests of the slice in these windows.
    if_incumbent, if_candidate
        How many of them would be cases if that side had answered all of them.
    """

    requests: int = 0
    if_incumbent: int = 0
    if_candidate: int = 0

    def __add__(self, other: Arrivals) -> Arrivals:
        return Arrivals(
            self.requests + other.requests,
            self.if_incumbent + other.if_incumbent,
            self.if_candidate + other.if_candidate,
        )

    def at(self, share_bp: int) -> float:
        """Return how many cases these requests would bring at a share of the candidate's."""
        share = share_bp / FULL_BP
        return (1 - share) * self.if_incumbent + share * self.if_candidate


@dataclass(frozen=True, slots=True)
class ReviewLoad:
    """The queue as a tick sees it.

    Attributes
    ----------
    waiting, oldest
        Cases that wait, and since when the oldest does.
    days
        Length of the windows that ``slices`` was counted in; 0: none was looked at yet.
    slices
        Per slice what came.
    shares
        Per slice the candidate's share now, in basis points.
    besides
        Cases a day that no window shows: nobody could answer, or the input was odd; and unsure answers of
        slices that are done, whose windows nobody scores any more.
    """

    waiting: int
    oldest: datetime | None
    days: float
    slices: Mapping[str, Arrivals] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)
    besides: float = 0.0

    def forecast(self, slice_: str | None = None, share_bp: int = 0) -> float | None:
        """Return the cases to come a day, of all slices, if one of them were at this share.

        None for the slice: as things are. None is returned while no window was looked at: nothing known
        is not no cases.
        """
        if self.days <= 0:
            return None
        shares = dict(self.shares) | ({} if slice_ is None else {slice_: share_bp})
        cases = sum(arrived.at(shares.get(name, 0)) for name, arrived in self.slices.items())
        return cases / self.days + self.besides


#: Nobody reviews anything: of a replay, where there are no people.
QUIET = ReviewLoad(waiting=0, oldest=None, days=1.0)


def short_of_reviewers(
    rule: Review, load: ReviewLoad | None, slice_: str, share_bp: int, now: datetime
) -> tuple[str, ...]:
    """Return why the share of a slice must not rise to this one yet; nothing where reviewers keep up.

    Unknown holds: a queue that could not be looked at, or a load nobody counted yet, is not a small one.
    """
    if load is None:
        return ("the review queue could not be looked at",)
    reasons = []
    if load.oldest is not None and now - load.oldest > rule.max_age:
        age = as_duration(_whole_minutes(now, load.oldest))
        reasons.append(
            f"reviewers are behind: {cases_wait(load.waiting)}, the oldest for {age} "
            f"(at most {as_duration(rule.max_age)})"
        )
    expected = load.forecast(slice_, share_bp)
    share = f"{share_bp / 100:g} %"
    if expected is None:
        reasons.append(f"no window was looked at yet: how many cases {share} would bring is not known")
    elif expected > rule.capacity:
        reasons.append(
            f"at {share} {expected:.1f} cases a day would come; reviewers manage {rule.capacity} a day"
        )
    return tuple(reasons)


def ladder(load: ReviewLoad, shares_bp: Sequence[int], slice_: str) -> tuple[tuple[int, float | None], ...]:
    """Return the forecast at every one of these shares of a slice."""
    return tuple((share, load.forecast(slice_, share)) for share in shares_bp)


def _whole_minutes(now: datetime, since: datetime) -> timedelta:
    return timedelta(minutes=(now - since) // timedelta(minutes=1))
