"""What teams use today, under identical looks: live splits of 0/1 outcomes and of heavy-tailed costs.

Every rule sees the same entities and is asked at each of 300 looks, as a rollout asks it: may the
candidate have more traffic, must it go? Wrong is to roll back an equal candidate at any look, or to
advance one that stands at the margin.

References
----------
.. [1] Argo Rollouts and Flagger: limits on failed measurements. Kayenta: Mann-Whitney per interval.
.. [2] I. Waudby-Smith et al., "Time-uniform central limit theory and asymptotic confidence sequences",
   Annals of Statistics 52(6), 2024; GrowthBook's sequential tests are these, tuned to 5,000 units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.gates.alone import SURE
from headgate.stats.betting import FloatArray

Bools = NDArray[np.bool_]

#: One-sided error of every test, the power a fixed-size test is planned for, and Kayenta's own level.
LEVEL, POWER, INTERVAL_LEVEL = 0.05, 0.8, 0.01
#: Argo's checks that fail in a row, Flagger's that fail in all, and checks after which both advance.
IN_A_ROW, IN_ALL, CHECKS = 3, 5, 10
#: Units a sequential interval is tightest at.
_TUNED = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """One side's mean in each look alone, and mean and variance over all looks so far; (runs, T)."""

    now: FloatArray
    so_far: FloatArray
    variance: FloatArray

    @classmethod
    def of(cls, values: FloatArray) -> Means:
        """Return those of values of shape (n, runs, T)."""
        now = values.mean(axis=0)
        looks = np.arange(1.0, now.shape[1] + 1)
        so_far = np.cumsum(now, axis=-1) / looks
        return cls(now, so_far, np.cumsum((values**2).mean(axis=0), axis=-1) / looks - so_far**2)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the looks of some runs show; arrays of shape (runs, T).

    Attributes
    ----------
    n1, n0
        Entities of each side per look.
    ours, theirs
        Each side's means.
    ranks
        z of the Mann-Whitney test in the look alone.
    log_advance, log_rollback
        Headgate's evidence.
    margin, expected, planned
        What is bad, the incumbent's usual mean, and the look at which a fixed-size test has its sample.
    """

    n1: int
    n0: int
    ours: Means
    theirs: Means
    ranks: FloatArray
    log_advance: FloatArray
    log_rollback: FloatArray
    margin: float
    expected: float
    planned: int

    @property
    def looks(self) -> FloatArray:
        """Numbers of the looks, from 1."""
        return np.arange(1.0, self.ours.now.shape[1] + 1)

    @property
    def away(self) -> FloatArray:
        """Difference of the means so far, candidate minus incumbent."""
        return self.ours.so_far - self.theirs.so_far

    @property
    def error(self) -> FloatArray:
        """Standard error of the difference so far."""
        return (
            np.sqrt(
                self.ours.variance / (self.n1 * self.looks) + self.theirs.variance / (self.n0 * self.looks)
            )
            + 1e-12
        )


#: (roll back, advance) at each look.
Rule = Callable[[Seen], tuple[Bools, Bools]]


def headgate(seen: Seen) -> tuple[Bools, Bools]:
    """Headgate's unpaired gate, start times included."""
    return seen.log_rollback >= SURE, seen.log_advance >= SURE


def repeated_z(seen: Seen) -> tuple[Bools, Bools]:
    """Test all data so far by z, at every look."""
    z, away = norm.ppf(1 - LEVEL), seen.away
    return away > z * seen.error, away + z * seen.error < seen.margin


def fixed_once(seen: Seen) -> tuple[Bools, Bools]:
    """Test once, when the planned sample is there; not significant is good enough."""
    back, _ = repeated_z(seen)
    there = seen.looks == seen.planned
    return back & there, ~back & there


def fixed_peeked(seen: Seen) -> tuple[Bools, Bools]:
    """Test at every look until then, and roll back as soon as it is significant."""
    back, _ = repeated_z(seen)
    return back & (seen.looks <= seen.planned), ~back & (seen.looks == seen.planned)


def in_a_row(seen: Seen) -> tuple[Bools, Bools]:
    """Three failed checks in a row, each of one look against a threshold."""
    failed = _failed(seen)
    back = np.zeros_like(failed)
    back[:, IN_A_ROW - 1 :] = np.lib.stride_tricks.sliding_window_view(failed, IN_A_ROW, axis=1).all(axis=-1)
    return back, _after_checks(seen)


def in_all(seen: Seen) -> tuple[Bools, Bools]:
    """Five failed checks since the rollout began."""
    return np.cumsum(_failed(seen), axis=1) >= IN_ALL, _after_checks(seen)


def mann_whitney(seen: Seen) -> tuple[Bools, Bools]:
    """Test each look alone by Mann and Whitney."""
    return seen.ranks > norm.ppf(1 - INTERVAL_LEVEL), _after_checks(seen)


def asymptotic(seen: Seen) -> tuple[Bools, Bools]:
    """Hold an asymptotic confidence sequence, both its limits at 5 %, against 0 and the margin."""
    alpha = 2 * LEVEL
    n = (seen.n1 + seen.n0) * seen.looks
    tuned = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / _TUNED
    width = seen.error * np.sqrt(2 * (n * tuned + 1) / (n * tuned) * np.log(np.sqrt(n * tuned + 1) / alpha))
    away = seen.away
    return away > width, away + width < seen.margin


RULES: dict[str, Rule] = {
    "Headgate (unpaired gate)": headgate,
    "z-test at every look": repeated_z,
    "fixed-size test, looked at once": fixed_once,
    "fixed-size test, looked at every batch": fixed_peeked,
    f"{IN_A_ROW} failed checks in a row (Argo Rollouts)": in_a_row,
    f"{IN_ALL} failed checks in all (Flagger)": in_all,
    "Mann-Whitney per interval (Kayenta)": mann_whitney,
    "asymptotic confidence sequence (GrowthBook's sequential)": asymptotic,
}


def _failed(seen: Seen) -> Bools:
    """Return which looks' candidates are above what teams set as a threshold: the usual mean + margin."""
    return np.asarray(seen.ours.now > seen.expected + seen.margin)


def _after_checks(seen: Seen) -> Bools:
    return np.broadcast_to(seen.looks >= CHECKS, seen.ours.now.shape)
