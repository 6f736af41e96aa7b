"""Windows of made-up requests for tests of drift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from headgate.drift import Policy, Report, State, judge
from headgate.profile import Profile, compare, take

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def requests(seed: int, rows: int = 1_000, **columns: object) -> pa.Table:
    """Three numbers, a category and a flag; columns given replace or join them."""
    rng = np.random.default_rng(seed)
    made: dict[str, object] = {
        "speed": rng.normal(10, 2, rows),
        "size": rng.lognormal(0, 1, rows),
        "hour": rng.integers(0, 24, rows),
        "place": rng.choice(["north", "south", "west"], rows, p=[0.5, 0.3, 0.2]).tolist(),
        "night": rng.random(rows) < 0.3,
    }
    return pa.table({**made, **{name: value for name, value in columns.items() if value is not None}})


def look(reference: pa.Table, current: pa.Table, policy: Policy | None = None) -> Report:
    """Judge a window for itself."""
    before = take(reference)
    return judge(compare(before, take(current, like=before)), policy or Policy())


def watch(
    reference: Profile, windows: list[pa.Table], policy: Policy, state: State | None = None
) -> list[Report]:
    """Judge windows of a day, one after the other."""
    reports: list[Report] = []
    now = state or State()
    for day, window in enumerate(windows):
        span = (MONDAY + day * DAY, MONDAY + (day + 1) * DAY)
        report = judge(compare(reference, take(window, like=reference)), policy, now, window=span)
        reports.append(report)
        now = report.state or now
    return reports


def names(report: Report) -> list[str]:
    """The columns that drifted."""
    return [one.name for one in report.drifted]


def reason(report: Report, column: str) -> str:
    """Why a column was judged as it was."""
    return next(one.reason for one in report.columns if one.name == column)
