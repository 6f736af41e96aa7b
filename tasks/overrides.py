"""What people said of a service's answers, for the pages and for whoever asks (M22)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from headgate.adapters.store import reviews
from headgate.plan.model import ALL, Plan
from headgate.report.story import Story
from headgate.review.adoption import Adoption, adoption_of
from headgate.review.sampling import in_sample
from tasks import wiring

#: How far back it is told of a service.
SHOWN = timedelta(days=30)


def taken(service: str, plan: Plan | None, since: datetime, now: datetime, slice_: str = ALL) -> Adoption:
    """Return how a service's answers were taken since then; what waits is the whole queue in any case.

    ``plan``: without it nobody knows what was sampled. ``slice_``: of its requests alone.
    """
    engine = wiring.build().engine
    cases = reviews.history(engine, service, since)
    if slice_ != ALL:
        cases = [one for one in cases if one.case.slice == slice_]
    ids = [one.case.request_id for one in cases]
    sampled = in_sample(plan, ids).tolist() if plan else [False] * len(ids)
    return adoption_of(cases, sampled, now, backlog=reviews.backlog(engine, service), since=since)


def taken_lately(service: str, plan: Plan, now: datetime) -> Adoption | None:
    """Return how a service's answers were taken of late; None where its plan asks nobody."""
    return None if plan.review is None else taken(service, plan, now - SHOWN, now)


def with_reviewers(stories: Sequence[Story], slices: Sequence[str], now: datetime) -> tuple[Story, ...]:
    """Return a rollout's stories, each of its slice, with how people took its answers where the plan asks."""
    return tuple(
        story
        if story.plan.review is None
        else replace(story, taken=taken(story.service, story.plan, story.opened_at, now, slice_))
        for story, slice_ in zip(stories, slices, strict=True)
    )
