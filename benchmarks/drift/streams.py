"""Simulated requests: days that are alike, days that share shocks, and days after something changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[Any]
Window = dict[str, Values]

#: Requests of a day, days of the reference, and the day of the stream on which a change begins.
ROWS, REFERENCE_DAYS = 500, 90
NUMBERS = tuple(f"x{i}" for i in range(8))
WORDS = tuple(f"c{i}" for i in range(3))
_VALUES = np.array([f"v{i}" for i in range(6)])
_SHARES = np.array([0.3, 0.25, 0.2, 0.12, 0.08, 0.05])
_WEIGHTS = np.array([0.9, -0.7, 0.5, 0.3, 0, 0, 0, 0])
_PERSISTENCE, _SHOCK = 0.5, 0.3


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changes in a stream.

    Attributes
    ----------
    name, said
        As it is told.
    apply
        Changes a day's columns before they are scored; the labels come after.
    concept
        Sign of the influence of the first column on outcomes from then on.
    """

    name: str
    said: str
    apply: Callable[[Window, np.random.Generator], None]
    concept: float = 1.0


def _shifted(window: Window, _: np.random.Generator) -> None:
    window["x0"] = np.asarray(window["x0"], np.float64) + 0.3


def _spread(window: Window, _: np.random.Generator) -> None:
    window["x1"] = np.asarray(window["x1"], np.float64) * 1.5


def _swapped(window: Window, _: np.random.Generator) -> None:
    words = window["c0"]
    window["c0"] = np.where(words == "v0", "v3", np.where(words == "v3", "v0", words))


def _missing(window: Window, rng: np.random.Generator) -> None:
    values = np.asarray(window["x2"], np.float64)
    window["x2"] = np.where(rng.random(values.size) < 0.2, np.nan, values)


def _covariate(window: Window, _: np.random.Generator) -> None:
    window["x6"] = np.asarray(window["x6"], np.float64) + 0.4  # no weight in the score


def _outage(window: Window, rng: np.random.Generator) -> None:
    values = np.asarray(window["x5"], np.float64)
    window["x5"] = np.where(rng.random(values.size) < 0.93, np.nan, values)


def _nothing(_window: Window, _rng: np.random.Generator) -> None:
    pass


CHANGES = (
    Change("mean shift", "x0 by 0.3 deviations", _shifted),
    Change("variance change", "x1 spreads 1.5 times as far", _spread),
    Change("category swap", "two values of c0 change places", _swapped),
    Change("missing burst", "x2 missing in 20 % of requests", _missing),
    Change(
        "outage", "x5 missing in 93 % of requests; where days share shocks it has bad days anyway", _outage
    ),
    Change("covariate only", "x6, which the score does not use, by 0.4", _covariate),
    Change("concept only", "x0 works the other way; inputs and scores as ever", _nothing, concept=-1.0),
)


def days(
    rng: np.random.Generator, count: int, *, shocks: bool, change: Change | None = None, onset: int = 0
) -> Iterator[Window]:
    """Yield windows of a day each; from ``onset`` on with the change.

    Parameters
    ----------
    shocks
        Whether the requests of a day share shocks, and days resemble the day before, in half of the columns.
        Then x5 also misses values: about one in a hundred, and some twelfth of them on a bad day in 45.
    """
    shared = np.zeros(len(NUMBERS))
    for day in range(count):
        if shocks:
            fresh = rng.normal(0, 1, shared.size) * np.sqrt(1 - _PERSISTENCE**2)
            shared = _PERSISTENCE * shared + fresh
        moved = _SHOCK * shared * (np.arange(shared.size) % 2) if shocks else np.zeros(shared.size)
        changed = change if change is not None and day >= onset else None
        yield _day(rng, moved, changed, _gaps(rng) if shocks else 0.0)


def _gaps(rng: np.random.Generator) -> float:
    """Return the share of x5 that is missing on a day on which nothing broke."""
    bad = rng.uniform(0.05, 0.15) if rng.random() < 1 / 45 else 0.0
    return float(rng.exponential(0.01) + bad)


def _day(rng: np.random.Generator, moved: Floats, change: Change | None, gaps: float) -> Window:
    window: Window = {name: rng.normal(moved[i], 1, ROWS) for i, name in enumerate(NUMBERS)}
    if gaps:
        window["x5"] = np.where(rng.random(ROWS) < gaps, np.nan, window["x5"])
    window |= {name: rng.choice(_VALUES, ROWS, p=_SHARES) for name in WORDS}
    if change is not None:
        change.apply(window, rng)
    inputs = np.column_stack([np.nan_to_num(np.asarray(window[name], np.float64)) for name in NUMBERS])
    score = _chance(inputs @ _WEIGHTS)
    signs = np.ones(len(NUMBERS))
    signs[0] = change.concept if change is not None else 1.0
    late = rng.random(ROWS) < _chance((inputs * signs) @ _WEIGHTS)
    window["score"] = score
    # Of outcomes that are known by then: how far the score was from what happened.
    window["error"] = np.abs(late - score)
    return window


def _chance(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(x - 1))), np.float64)


def together(windows: list[Window]) -> Window:
    """Return the rows of several windows as one."""
    return {name: np.concatenate([window[name] for window in windows]) for name in windows[0]}
