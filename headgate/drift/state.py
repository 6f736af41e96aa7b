"""What is carried from window to window, so that a year of looks errs no more often than is stated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf, isinf
from typing import Any

import numpy as np

from headgate.drift.effects import Aspect
from headgate.drift.evidence import CAPITAL, carried, log_evidence
from headgate.drift.wandering import Calibration
from headgate.stats.betting import FloatArray

#: How much the newest window weighs in the recent effect.
_FORGET = 0.5
#: Log-capital beyond this is given away: less than was won is always safe, and what ended is soon forgotten.
_ENOUGH = 20.0


@dataclass(frozen=True, slots=True)
class Course:
    """Evidence about one aspect of one column since the year of windows began.

    Attributes
    ----------
    capital
        Log-capital of each tilt that has begun; None where none has.
    recent
        Size of the effect, recent windows weighing most; of a rise or fall the shift itself, signed.
    climb
        How much evidence grew since it last turned, in log units.
    since
        Start of the window with which it turned; None while nothing grows or windows have no times.
    """

    capital: tuple[float | None, ...] = (None,) * len(CAPITAL)
    recent: float = 0.0
    climb: float = 0.0
    since: datetime | None = None

    def after(self, window: FloatArray, size: float, starts: int, at: datetime | None) -> Course:
        """Return the course after one more window.

        Parameters
        ----------
        window
            Log e-values of the window.
        size
            Its effect.
        starts
            Windows of a year.
        at
            Start of the window.
        """
        capital = np.minimum(carried(self.logs(), window, starts), _ENOUGH)
        gained = max(0.0, self.climb) + float(np.max(window))
        begins = self.climb <= 0 < gained
        return Course(
            tuple(float(log) for log in capital),
            size if begins else (1 - _FORGET) * self.recent + _FORGET * size,
            gained,
            None if gained <= 0 else at if begins else self.since,
        )

    def size(self, aspect: Aspect) -> float:
        """Return how large the recent effect is; shifts of the mean count squared, as distances do."""
        return max(0.0, self.recent) ** 2 if aspect in (Aspect.RISE, Aspect.FALL) else self.recent

    def logs(self) -> FloatArray:
        """Return the log-capital as an array, -inf where nothing has begun."""
        return np.array([-inf if log is None else log for log in self.capital])

    def log_e(self, windows: int, starts: int) -> float:
        """Return the log of the evidence after so many windows of the year."""
        return log_evidence(self.logs(), windows=windows, starts=starts)


@dataclass(frozen=True, slots=True)
class State:
    """Carried from window to window: small, and plain JSON.

    Begin one per service and reference; a new reference (a retrained model) begins a new one.

    Attributes
    ----------
    calibration
        What the reference's blocks do without drift.
    windows
        Windows judged since the year of windows began.
    until
        End of the last window judged.
    courses
        Per column and aspect.
    shifts
        How far each column's mean was off in the last window.
    """

    calibration: Calibration = field(default_factory=Calibration)
    windows: int = 0
    until: datetime | None = None
    courses: Mapping[str, Mapping[str, Course]] = field(default_factory=dict)
    shifts: Mapping[str, float] = field(default_factory=dict)

    def course(self, column: str, aspect: Aspect) -> Course:
        """Return the course of one aspect; a fresh one if there is none."""
        return self.courses.get(column, {}).get(aspect.value, Course())

    def this_year(self, windows: int) -> State:
        """Return the state before the next window: after a year of windows the capital is put up anew."""
        return self if self.windows < windows else replace(self, windows=0, courses={})

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "calibration": self.calibration.to_json(),
            "windows": self.windows,
            "until": self.until.isoformat() if self.until else None,
            "shifts": dict(self.shifts),
            "courses": {
                name: {aspect: _course(course) for aspect, course in aspects.items()}
                for name, aspects in self.courses.items()
            },
        }

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> State:
        """Return what `to_json` wrote."""
        return State(
            Calibration.from_json(body["calibration"]),
            body["windows"],
            _when(body["until"]),
            {
                name: {
                    aspect: Course(tuple(c["capital"]), c["recent"], c["climb"], _when(c["since"]))
                    for aspect, c in aspects.items()
                }
                for name, aspects in body["courses"].items()
            },
            body["shifts"],
        )


def _course(course: Course) -> dict[str, Any]:
    return {
        "capital": [None if log is None or isinf(log) else log for log in course.capital],
        "recent": course.recent,
        "climb": course.climb,
        "since": course.since.isoformat() if course.since else None,
    }


def _when(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
