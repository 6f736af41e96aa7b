"""What people look at themselves, and how much of it they can."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from headgate.plan.part import Duration, Part


class Review(Part):
    """Which answers people look at beside the doubtful ones, and how many cases they manage.

    ``capacity`` is in cases a day, all people and all slices together. The share does not rise while the
    oldest case waits longer than ``max_age``, or while more cases would come at the next step than
    ``capacity``. ``sample`` is the chance of any answer to be looked at; ``disagreement`` that of one on
    which the two sides decide differently; ``per_segment`` how many a day should come of every segment at
    least. ``high_value``: requests for which this holds are all looked at.
    """

    capacity: int = Field(ge=1)
    max_age: Duration = timedelta(days=1)
    sample: float = Field(default=0.01, ge=0, le=1)
    disagreement: float | None = Field(default=None, ge=0, le=1)
    per_segment: int = Field(default=0, ge=0)
    high_value: str | None = Field(default=None, min_length=1)
