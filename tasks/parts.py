"""Profiles a span of the request log: here, or in parts over the cluster, reduced by merge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from headgate.plan.model import Plan
from headgate.profile import Profile, from_bytes, merge, outline, take, to_bytes
from tasks import wiring
from tasks.direct import task
from tasks.retrying import OUTSIDE
from tasks.spreading import over_parts


def profile_requests(
    plan: Plan, start: datetime, end: datetime, columns: Sequence[str], like: Profile | None = None
) -> Profile:
    """Return the profile of the requests with ``start <= at < end``; without any it has no rows.

    Parameters
    ----------
    columns
        Which of the request log.
    like
        The reference, so that both can be compared. None: a grid that fits the first rows of the span.
    """
    if like is None:
        like = outline(wiring.lake_alone().stream_requests(plan, start, end, columns), columns=columns)
    same = {"plan": plan, "columns": list(columns), "like": to_bytes(like)}
    return merge(*(from_bytes(part) for part in over_parts(profile_part, start, end, **same)))


@task(
    name="profile a part", task_run_name="profile {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}", **OUTSIDE
)
def profile_part(plan: Plan, start: datetime, end: datetime, columns: list[str], like: bytes) -> bytes:
    """Return the profile of a part as bytes: kilobytes, whatever the part's rows."""
    at = plan.requests.at
    batches = wiring.lake_alone().stream_requests(plan, start, end, list(dict.fromkeys([at, *columns])))
    contract = (
        {name: rule for name, rule in plan.input.columns.items() if name in columns} if plan.input else None
    )
    return to_bytes(take(batches, columns=columns, like=from_bytes(like), at=at, contract=contract))
