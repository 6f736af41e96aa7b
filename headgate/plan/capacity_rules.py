"""Rules about the load test: it can be run, it can be failed, and it hits nobody but the candidate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from headgate.plan.durations import as_duration
from headgate.plan.finding import Finding, show
from headgate.plan.model import Plan

_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(minutes=10)


def a_load_test_takes_a_moment_and_holds_for_a_time(plan: Plan) -> Iterator[Finding]:
    """Refuse a test that is over before it began, one that blocks an operator, and one that never holds."""
    if plan.load is None:
        return
    if not _SHORTEST <= plan.load.length <= _LONGEST:
        yield Finding(
            ("load", "length"),
            "1s to 10m",
            as_duration(plan.load.length),
            "write how long the target is held",
        )
    if plan.load.valid <= timedelta(0):
        yield Finding(("load", "valid"), "a duration above 0", "0s", "write for how long it holds, e.g. 30d")


def a_late_answer_is_no_answer(plan: Plan) -> Iterator[Finding]:
    """Refuse a latency that no answer can have: the incumbent has answered by then."""
    if plan.load is None or plan.load.latency is None:
        return
    if not timedelta(0) < plan.load.latency <= plan.serving.timeout:
        asked = f"above 0 and at most serving.timeout ({as_duration(plan.serving.timeout)})"
        todo = "after the timeout the incumbent answers: lower the latency or raise the timeout"
        yield Finding(("load", "latency"), asked, as_duration(plan.load.latency), todo)


def a_load_test_hits_nobody_but_the_candidate(plan: Plan) -> Iterator[Finding]:
    """Refuse to load a server that answers real callers as the incumbent."""
    if plan.load is None:
        return
    if _address(plan.incumbent.url) == _address(plan.candidate.url):
        todo = "serve the candidate at an address of its own, or remove `load`"
        yield Finding(
            ("candidate", "url"), "another server than the incumbent's", show(plan.candidate.url), todo
        )


def _address(url: str) -> tuple[str | None, int | None]:
    parts = urlsplit(url)
    try:
        return parts.hostname, parts.port
    except ValueError:  # not a real port: another rule says so
        return parts.netloc, None
