"""Headgate on the simulated days: the real profiles, comparisons and verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from benchmarks.drift.streams import Window
from headgate.drift import Calibration, Policy, Report, Role, State, calibrate, judge
from headgate.profile import Profile, compare, take

#: What the columns are: the score and its error on known outcomes matter most.
POLICY = Policy(roles={"score": Role.SCORE, "error": Role.LABEL})
#: As above, for a service that watches its inputs alone.
NAME = "Headgate"


@dataclass(slots=True)
class Engine:
    """Judges one window after the other."""

    reference: Profile
    state: State

    @staticmethod
    def on(reference: list[Window], whole: Window) -> Engine:
        """Return the engine that was shown the days of the reference."""
        profile = take(_table(whole))
        blocks = [take(_table(day), like=profile) for day in reference]
        scale: Calibration = calibrate(blocks, profile, fewest=POLICY.fewest)
        return Engine(profile, State(scale))

    def judge(self, window: Window) -> Report:
        """Return the verdicts on the next window."""
        report = judge(compare(self.reference, take(_table(window), like=self.reference)), POLICY, self.state)
        if report.state is None:
            raise AssertionError("a window with a history carries a state")
        self.state = report.state
        return report


def _table(window: Window) -> pa.Table:
    return pa.table({name: _array(values) for name, values in window.items()})


def _array(values: np.ndarray) -> pa.Array:
    if values.dtype.kind == "f":
        return pa.array(values, from_pandas=True)  # NaN is missing
    return pa.array(values.tolist(), pa.string())
