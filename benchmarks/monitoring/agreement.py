"""Whether others find what we find: every measure that is defined alike, with the tolerance stated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, log, sqrt
from typing import Any

from benchmarks.monitoring.rows import TEXTS, VALUES

#: Values of columns of texts up to which no cell of the chi-square test is pooled at any size measured.
_FEW = 100
_PLAIN = frozenset(name for name, values in zip(TEXTS, VALUES, strict=True) if values <= _FEW)


@dataclass(frozen=True, slots=True)
class Measure:
    """How one measure of another is held against ours.

    Attributes
    ----------
    theirs, ours
        Its names on both sides.
    tolerance
        Largest difference that is agreement: absolute, or a share of theirs.
    relative
        Which of the two.
    note
        What it is, where the name does not say it.
    """

    theirs: str
    ours: str
    tolerance: float
    relative: bool = False
    note: str = ""


#: W is in each column's unit: differences are shares of the reference's standard deviation.
MEASURES = (
    Measure("ks", "ks", 0.003),
    Measure("wasserstein", "wasserstein", 0.005, note="in standard deviations of the reference"),
    Measure("wasserstein_sd", "wasserstein", 0.005, note="in standard deviations of the reference"),
    Measure("psi", "psi", 0.002, note="tenths of the reference"),
    Measure("js", "js", 0.004, note="texts of up to 100 values, and numbers over tenths where given so"),
    Measure("js_e", "js", 1e-6, note="texts of up to 100 values; theirs is to the base e"),
    Measure("chi2", "chi2", 1e-6, relative=True, note="texts of 3 to 100 values"),
    Measure("chi2_p", "chi2_p", 1e-6, note="texts of 3 to 100 values"),
    Measure("missing", "missing_current", 1e-9),
)
#: Peers that look at a part of the rows, or keep sketches, cannot come nearer than this (KS).
LOOSE = {"whylogs": 0.03, "deepchecks": 0.02, "nannyml": 0.01}


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the comparison of one measure came to."""

    other: str
    rows: int
    measure: str
    columns: int
    largest: float
    tolerance: float
    note: str

    @property
    def holds(self) -> bool:
        """Whether every column agrees; a NaN does not."""
        return self.largest <= self.tolerance


def agreements(
    other: str,
    theirs: Mapping[str, Mapping[str, float]],
    ours: Mapping[str, Mapping[str, Any]],
    rows: int,
) -> list[Agreement]:
    """Return how far another's figures are from ours, measure by measure."""
    found = []
    for measure in MEASURES:
        gaps = _gaps(measure, theirs, ours)
        if gaps:
            tolerance = LOOSE.get(other, measure.tolerance) if measure.ours == "ks" else measure.tolerance
            found.append(
                Agreement(
                    other, rows, measure.theirs, len(gaps), max(gaps, key=_worst), tolerance, measure.note
                )
            )
    return found


def _worst(gap: float) -> float:
    return float("inf") if isnan(gap) else gap


def _gaps(
    measure: Measure, theirs: Mapping[str, Mapping[str, float]], ours: Mapping[str, Mapping[str, Any]]
) -> Sequence[float]:
    gaps = []
    for name, column in ours.items():
        other, mine = theirs.get(name, {}).get(measure.theirs), column.get(measure.ours)
        if other is None or mine is None or not _comparable(measure, name):
            continue
        gaps.append(_gap(measure, other, mine, column.get("spread_reference") or 1.0))
    return gaps


def _comparable(measure: Measure, name: str) -> bool:
    if name not in TEXTS or measure.ours == "missing_current":
        return True
    # With two values most correct for continuity (Yates), which is no other answer but another question.
    two = VALUES[TEXTS.index(name)] == 2 and measure.ours.startswith("chi2")
    return name in _PLAIN and not two


def _gap(measure: Measure, other: float, mine: float, spread: float) -> float:
    match measure.theirs:
        case "wasserstein":
            return abs(other - mine) / spread
        case "wasserstein_sd":
            return abs(other - mine / spread)
        case "js_e":
            return abs(other - mine * sqrt(log(2)))
        case _ if measure.relative:
            return abs(other - mine) / abs(other)
        case _:
            return abs(other - mine)
