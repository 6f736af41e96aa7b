"""How much the candidate must bear before it gets any traffic, and how many failures people can handle."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from headgate.plan.part import Duration, Part


class LoadTest(Part):
    """A load test must have shown that the candidate bears ``times`` the pilot's volume.

    ``pilot`` is that volume in requests per second; without it the busiest hour of the four weeks before.
    The test lasts ``length`` at the target. ``latency`` is the most that 99 % of the answers may take, by
    default ``serving.timeout``; ``errors`` is the part of the requests that may be left to the fallback.
    ``instances`` is how many servers are behind the candidate's address while it is tested. At every step
    failures per day are forecast, and people must be able to handle ``failures_per_day``. A test holds for
    ``valid``.
    """

    times: float = Field(default=10, ge=1, le=1_000)
    pilot: float | None = Field(default=None, gt=0, le=100_000)
    length: Duration = timedelta(seconds=30)
    latency: Duration | None = None
    errors: float = Field(default=0.01, ge=0, lt=1)
    instances: int = Field(default=1, ge=1, le=10_000)
    failures_per_day: float | None = Field(default=None, ge=0)
    valid: Duration = timedelta(days=30)
