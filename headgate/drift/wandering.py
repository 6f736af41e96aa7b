"""How much the reference's own blocks differ: what windows do without drift.

Windows of real requests share their shocks, a storm or a sale, so a day differs from its quarter by far more
than sampling says. What the blocks of the reference do among themselves is the scale on which a window is
judged; without blocks only sampling and a small allowance (`Policy.tolerated`) speak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import fsum, sqrt
from typing import Any

from headgate.drift.bursts import Worst, worst_of
from headgate.drift.effects import Aspect, Effect, effects, shift
from headgate.drift.levels import Level, level_of
from headgate.profile import Comparison, Profile, compare

#: Fewer blocks say too little about how blocks differ.
FEWEST_BLOCKS = 5
#: Blocks needed before anything can be said about how they follow each other.
_FOR_PERSISTENCE = 20
_MOST_PERSISTENT = 0.8


@dataclass(frozen=True, slots=True)
class Wander:
    """The mean effect of the reference's blocks, each against the others, and how many rows a block has."""

    effect: float
    rows: float

    def of(self, rows: int) -> float:
        """Return the mean effect of windows of so many rows: larger windows hold several blocks."""
        return self.effect * min(1.0, self.rows / max(rows, 1)) if rows > self.rows else self.effect


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the blocks of a reference do without drift.

    Attributes
    ----------
    blocks
        How many there are.
    columns
        Per column and aspect; absent where too few blocks could be judged.
    levels
        Per column that has a mean.
    auc
        How well the domain classifier tells blocks from the rest; None if it was not asked.
    worst
        Per column the worst block's shares of missing, new and forbidden values; empty with too few blocks.
    """

    blocks: int = 0
    columns: Mapping[str, Mapping[str, Wander]] = field(default_factory=dict)
    levels: Mapping[str, Level] = field(default_factory=dict)
    auc: float | None = None
    worst: Mapping[str, Worst] = field(default_factory=dict)

    def wander(self, column: str, aspect: Aspect, rows: int) -> float:
        """Return the mean effect of windows of so many rows without drift; 0 where nothing is known."""
        known = self.columns.get(column, {}).get(aspect.value)
        return known.of(rows) if known else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "blocks": self.blocks,
            "auc": self.auc,
            "worst": {name: [w.missing, w.unseen, w.outside] for name, w in self.worst.items()},
            "levels": {n: [one.deviation, one.alike, one.blocks, one.rows] for n, one in self.levels.items()},
            "columns": {
                name: {aspect: [w.effect, w.rows] for aspect, w in aspects.items()}
                for name, aspects in self.columns.items()
            },
        }

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Calibration:
        """Return what `to_json` wrote."""
        return Calibration(
            body["blocks"],
            {n: {a: Wander(*w) for a, w in aspects.items()} for n, aspects in body["columns"].items()},
            {n: Level(*one) for n, one in body["levels"].items()},
            body["auc"],
            {n: Worst(*one) for n, one in body.get("worst", {}).items()},
        )


def calibrate(blocks: Sequence[Profile], whole: Profile, *, fewest: int = 100) -> Calibration:
    """Return how much the blocks of a reference wander.

    Parameters
    ----------
    blocks
        Profiles of parts of the reference, at most as long as windows are (days, say; windows may be weeks),
        in order of time, taken ``like`` the whole.
    whole
        The profile of all of them together.
    fewest
        Blocks with fewer values are left out.
    """
    used = [block for block in blocks if fewest <= block.rows < whole.rows]
    if len(used) < FEWEST_BLOCKS:
        return Calibration(len(used))
    courses: dict[str, dict[str, list[Effect]]] = {}
    shifts: dict[str, list[float]] = {}
    beside = [compare(whole, block) for block in used]
    for between in beside:
        for column in between.columns:
            moved = shift(column) if column.n_current >= fewest else None
            if moved is not None:
                shifts.setdefault(column.name, []).append(moved)
        for name, aspect, effect in _told(between, fewest):
            courses.setdefault(name, {}).setdefault(aspect.value, []).append(effect)
    columns = {
        name: {a: wander for a, seen in aspects.items() if (wander := _wander(seen)) is not None}
        for name, aspects in courses.items()
    }
    rows = fsum(block.rows for block in used) / len(used)
    levels = {name: level for name, seen in shifts.items() if (level := level_of(seen, rows)) is not None}
    return Calibration(len(used), columns, levels, worst=worst_of(used, beside))


def _told(between: Comparison, fewest: int) -> list[tuple[str, Aspect, Effect]]:
    return [
        (column.name, aspect, effect)
        for column in between.columns
        for aspect, effect in effects(column, between, fewest).items()
    ]


def _wander(seen: Sequence[Effect]) -> Wander | None:
    """Return the mean of an exponential variable that dominates these blocks' effects, by its moments.

    A gamma variable with mean m and standard deviation s up to m is dominated by an exponential one with
    mean m, with a larger s by one with mean s^2/m. The mean is taken two standard errors high, all of it
    by 1 + 3/sqrt(blocks), for few blocks know the tail badly, and longer by (1 + r)/(1 - r) where blocks
    resemble their neighbours: a spell of weather comes as one.
    """
    if len(seen) < FEWEST_BLOCKS:
        return None
    sizes = [_against_the_others(one) for one in seen]
    mean = fsum(sizes) / len(sizes)
    variance = fsum((size - mean) ** 2 for size in sizes) / (len(sizes) - 1)
    high = max(0.0, mean + 2 * sqrt(variance / len(sizes)))
    by_sampling = fsum(2 * one.dof / one.n**2 for one in seen) / len(seen)
    scale = max(high, (variance - by_sampling) / high if high else 0.0)
    safe = 1 + 3 / sqrt(len(seen))
    return Wander(scale * safe * _spell(sizes), fsum(one.n_current for one in seen) / len(seen))


def _against_the_others(block: Effect) -> float:
    """Return the debiased effect of a block against the rest, from that against the whole that holds it."""
    part = min(block.n_current / block.n_reference, 0.9)
    rest = block.n_reference * (1 - part)
    return block.distance / (1 - part) ** 2 - block.dof * (1 / rest + 1 / block.n_current)


def _spell(sizes: Sequence[float]) -> float:
    if len(sizes) < _FOR_PERSISTENCE:
        return 1.0
    mean = fsum(sizes) / len(sizes)
    square = fsum((size - mean) ** 2 for size in sizes)
    if not square:
        return 1.0
    next_to = fsum((a - mean) * (b - mean) for a, b in pairwise(sizes))
    r = min(max(next_to / square, 0.0), _MOST_PERSISTENT)
    return (1 + r) / (1 - r)
