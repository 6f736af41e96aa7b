"""The rules that libraries and teams use by default: each alarms or not, window by window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from benchmarks.drift.streams import Floats, Values, Window

_TENTHS = np.arange(1, 10) / 10
_EMPTY = 1e-4


@dataclass(frozen=True, slots=True)
class Column:
    """What the rules ask of one column of a window."""

    psi: float
    p: float
    js: float
    moved: float | None = None  # the earth mover's distance in deviations; numbers only


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: whether a window alarms, given its columns."""

    name: str
    whose: str
    alarms: Callable[[dict[str, Column]], bool] = field(repr=False)


def _drifted_by_size(column: Column) -> bool:
    return (column.moved if column.moved is not None else column.js) >= 0.1


def _any(alarms: Callable[[Column], bool]) -> Callable[[dict[str, Column]], bool]:
    return lambda columns: any(alarms(column) for column in columns.values())


RULES = (
    Rule("PSI > 0.1, any column", "teams", _any(lambda c: c.psi > 0.1)),
    Rule("PSI > 0.2, any column", "teams", _any(lambda c: c.psi > 0.2)),
    Rule(
        "KS or chi-square p < 0.05, any column", "p-values as printed (frouros)", _any(lambda c: c.p < 0.05)
    ),
    Rule(
        "the same, Bonferroni",
        "alibi-detect, TabularDrift",
        lambda columns: any(c.p < 0.05 / len(columns) for c in columns.values()),
    ),
    Rule("JS >= 0.1, any column", "NannyML, univariate", _any(lambda c: c.js >= 0.1)),
    Rule("Wasserstein or JS >= 0.1, any column", "Evidently, columns, large windows", _any(_drifted_by_size)),
    Rule(
        "p < 0.05 in half of the columns",
        "Evidently, data set, up to 1,000 rows",
        lambda columns: bool(np.mean([c.p < 0.05 for c in columns.values()]) >= 0.5),
    ),
)


class Measured:
    """Measures windows against one reference."""

    def __init__(self, reference: Window) -> None:
        self._reference = {name: _there(values) for name, values in reference.items()}
        self._missing = {name: 1 - _there(values).size / values.size for name, values in reference.items()}
        self._edges = {
            name: np.quantile(values, _TENTHS)
            for name, values in self._reference.items()
            if values.dtype.kind == "f"
        }
        # A sample is enough for KS and the earth mover's distance.
        self._few = {name: self._reference[name][:5_000] for name in self._edges}

    def columns(self, window: Window) -> dict[str, Column]:
        """Return what the rules ask of each column; to PSI and JS missing is a value of its own."""
        return {name: self._column(name, values) for name, values in window.items()}

    def _column(self, name: str, values: Values) -> Column:
        reference, there = self._reference[name], _there(values)
        gaps = np.array([self._missing[name], 1 - there.size / values.size])
        if name in self._edges:
            few = self._few[name]
            counts = [
                np.bincount(np.searchsorted(self._edges[name], side), minlength=10)
                for side in (reference, there)
            ]
            p = float(ks_2samp(few, there, method="asymp").pvalue)
            moved = float(wasserstein_distance(few, there) / np.std(few))
        else:
            names = np.union1d(reference, there)
            counts = [np.array([(side == one).sum() for one in names]) for side in (reference, there)]
            p, moved = float(chi2_contingency(np.array(counts)).pvalue), None
        before, now = (
            np.append(count / count.sum() * (1 - gap), gap) for count, gap in zip(counts, gaps, strict=True)
        )
        return Column(_psi(before, now), p, float(jensenshannon(before, now, base=2)), moved)


def _psi(before: Floats, now: Floats) -> float:
    some = (before > 0) | (now > 0)
    a, b = np.maximum(before[some], _EMPTY), np.maximum(now[some], _EMPTY)
    return float(np.sum((b - a) * np.log(b / a)))


def _there(values: Values) -> Values:
    return values[~np.isnan(values)] if values.dtype.kind == "f" else values
